//! What goes with its owner, and what stays.

use keelson_base_client::testing::FakeApi;
use keelson_base_model::{conditions, owner};
use keelson_proto::core::{Endpoints, Node, Pod, ReplicationController, Secret};
use keelson_proto::meta::DeleteOptions;

use super::Cluster;
use crate::testing::{mk_endpoints, mk_node, mk_pod, mk_rc, mk_service};

#[tokio::test(start_paused = true)]
async fn the_pods_of_a_deleted_controller_go_after_it() {
    let cluster = Cluster::start().await;
    cluster.create(mk_rc("web", 3)).await;
    cluster.create(mk_rc("other", 1)).await;
    cluster.within(1).await;
    cluster.delete_rc("web", "Background").await;
    cluster.within(1).await;
    let left = cluster.list::<Pod>().await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].metadata.labels["app"], "other");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn kinds_that_no_other_loop_knows_go_with_their_owners_too() {
    let cluster = Cluster::start().await;
    let rc = cluster.create(mk_rc("web", 0)).await;
    let mut secret = Secret::default();
    secret.metadata.name = "token".to_owned();
    secret.metadata.namespace = "default".to_owned();
    secret.metadata.owner_references = vec![owner::owner_reference(&rc)];
    cluster.create(secret).await;
    cluster.within(1).await;
    assert_eq!(cluster.list::<Secret>().await.len(), 1);
    cluster.delete_rc("web", "Background").await;
    cluster.within(1).await;
    assert!(cluster.list::<Secret>().await.is_empty());
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn orphaned_pods_stay() {
    let cluster = Cluster::start().await;
    cluster.create(mk_rc("web", 3)).await;
    cluster.within(1).await;
    cluster.delete_rc("web", "Orphan").await;
    cluster.within(120).await;
    assert!(cluster.list::<ReplicationController>().await.is_empty());
    let pods = cluster.list::<Pod>().await;
    assert_eq!(pods.len(), 3);
    assert!(pods.iter().all(|pod| pod.metadata.owner_references.is_empty()));
    cluster.create(mk_rc("web", 3)).await;
    cluster.within(1).await;
    assert_eq!(cluster.api.count("Pods/Create"), 3, "a new controller takes them in");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn in_the_foreground_pods_go_before_their_controller() {
    let cluster = Cluster::start().await;
    cluster.create(mk_rc("web", 1)).await;
    cluster.within(1).await;
    let pods = cluster.list::<Pod>().await;
    cluster.give_node(&pods[0], "n1").await;
    cluster.delete_rc("web", "Foreground").await;
    cluster.within(1).await;
    let going = cluster.get::<Pod>(&pods[0].metadata.name).await;
    assert!(going.metadata.deletion_timestamp.is_some());
    assert_eq!(cluster.list::<ReplicationController>().await.len(), 1, "it waits");
    cluster.end(&going).await;
    cluster.within(1).await;
    assert!(cluster.list::<ReplicationController>().await.is_empty());
    assert!(cluster.pod_names().await.is_empty(), "and made no new ones");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_left_behind_while_nobody_watched_goes_at_the_start() {
    let api = FakeApi::default();
    let client = api.client();
    let mut left = mk_pod("left", "web", "Running");
    left.metadata.owner_references.push(owner::controller_reference(&mk_rc("gone", 1)));
    client.api::<Pod>().create(&left).await.unwrap();
    client.api().create(&mk_endpoints("gone")).await.unwrap();
    client.api().create(&mk_endpoints("served")).await.unwrap();
    let mut manual = mk_service("served", &[]);
    manual.spec.selector.clear();
    client.api().create(&manual).await.unwrap();
    let cluster = Cluster::start_on(api).await;
    cluster.within(1).await;
    assert!(cluster.pod_names().await.is_empty());
    let endpoints = cluster.list::<Endpoints>().await;
    assert_eq!(endpoints.len(), 1);
    assert_eq!(endpoints[0].metadata.name, "served");
    cluster.create(mk_endpoints("somebody-elses")).await;
    cluster.within(1).await;
    assert_eq!(cluster.list::<Endpoints>().await.len(), 2, "later ones are not ours to delete");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn pods_of_nodes_that_do_not_exist_go() {
    let cluster = Cluster::start().await;
    cluster.create(mk_node("n1", conditions::TRUE)).await;
    for (name, node) in [("here", "n1"), ("there", "n2"), ("soon", "n3")] {
        let pod = cluster.create(mk_pod(name, "web", "Running")).await;
        cluster.give_node(&pod, node).await;
    }
    cluster.within(30).await;
    assert_eq!(cluster.pod_names().await.len(), 3, "nodes are given time to appear");
    cluster.create(mk_node("n3", conditions::TRUE)).await;
    cluster.within(15).await;
    assert_eq!(cluster.pod_names().await, ["here", "soon"]);
    cluster.all::<Node>().delete("n1", DeleteOptions::default()).await.unwrap();
    cluster.within(45).await;
    assert_eq!(cluster.pod_names().await, ["soon"]);
    cluster.stop().await;
}
