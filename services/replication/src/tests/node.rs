//! Nodes that are lost, and their pods.

use keelson_base_model::node::is_ready;
use keelson_base_model::{conditions, pod};
use keelson_proto::core::{Event, Node, Pod};
use keelson_proto::meta::Time;

use super::Cluster;
use crate::testing::{mk_node, mk_pod, mk_rc, ready_since};

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_lost_and_its_pods_move() {
    let cluster = Cluster::start().await;
    for name in ["n1", "n2"] {
        cluster.create(mk_node(name, conditions::TRUE)).await;
        cluster.renew(name).await;
    }
    cluster.create(mk_rc("web", 1)).await;
    cluster.within(1).await;
    let pod = cluster.list::<Pod>().await.remove(0);
    let pod = cluster.give_node(&pod, "n1").await;
    cluster.of::<Pod>().update_status(&ready_since(pod.clone(), 1)).await.unwrap();
    for _ in 0..4 {
        cluster.within(9).await;
        cluster.renew("n2").await;
    }
    assert!(is_ready(&cluster.node("n1").await), "37 s are within the grace");
    cluster.within(5).await;
    let lost = cluster.node("n1").await;
    assert_eq!(lost.status.conditions[0].message, "Kubelet stopped posting node status.");
    assert_eq!(lost.spec.taints.len(), 2);
    assert!(is_ready(&cluster.node("n2").await));
    assert!(!pod::is_ready(&cluster.get::<Pod>(&pod.metadata.name).await));
    let events = cluster.list::<Event>().await;
    assert!(
        events.iter().any(|event| event.reason == "NodeNotReady" && event.message.ends_with("NodeNotReady"))
    );
    for _ in 0..10 {
        cluster.within(29).await;
        cluster.renew("n2").await;
    }
    assert_eq!(cluster.pod_names().await.len(), 1, "not yet evicted");
    cluster.within(15).await;
    assert!(cluster.get::<Pod>(&pod.metadata.name).await.metadata.deletion_timestamp.is_some());
    assert_eq!(cluster.pod_names().await.len(), 2, "and replaced");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_keeps_its_pods() {
    let cluster = Cluster::start().await;
    cluster.create(mk_node("n1", conditions::TRUE)).await;
    cluster.create(mk_node("n2", conditions::TRUE)).await;
    let pod = cluster.create(mk_pod("a", "web", "Running")).await;
    cluster.give_node(&pod, "n1").await;
    cluster.within(100).await;
    let mut back = cluster.node("n1").await;
    assert_eq!(back.spec.taints.len(), 2, "no lease at all is silence, too");
    let heartbeat = Time { seconds: 9, nanos: 0 };
    back.status.conditions[0].status = conditions::TRUE.to_owned();
    back.status.conditions[0].last_heartbeat_time = Some(heartbeat);
    cluster.all::<Node>().update_status(&back).await.unwrap();
    for _ in 0..20 {
        cluster.renew("n1").await;
        cluster.within(20).await;
    }
    let back = cluster.node("n1").await;
    assert!(is_ready(&back) && back.spec.taints.is_empty());
    assert_eq!(cluster.get::<Pod>("a").await.metadata.deletion_timestamp, None);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_evicted_while_no_node_is_well() {
    let cluster = Cluster::start().await;
    cluster.create(mk_node("n1", conditions::TRUE)).await;
    let pod = cluster.create(mk_pod("a", "web", "Running")).await;
    cluster.give_node(&pod, "n1").await;
    cluster.within(1000).await;
    assert!(!is_ready(&cluster.node("n1").await));
    assert_eq!(cluster.get::<Pod>("a").await.metadata.deletion_timestamp, None);
    cluster.create(mk_node("n2", conditions::TRUE)).await;
    cluster.within(1).await;
    assert!(
        cluster.get::<Pod>("a").await.metadata.deletion_timestamp.is_some(),
        "now there is somewhere to go"
    );
    cluster.stop().await;
}
