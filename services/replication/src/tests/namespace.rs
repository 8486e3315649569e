//! Namespaces that go.

use std::time::Duration;

use keelson_proto::core::{Namespace, Pod, ReplicationController};
use keelson_proto::meta::DeleteOptions;
use tokio::time::sleep;

use super::Cluster;
use crate::testing::mk_rc;

#[tokio::test(start_paused = true)]
async fn a_hundred_namespaces_go_at_once() {
    let cluster = Cluster::start().await;
    for index in 0..100 {
        let mut namespace = Namespace::default();
        namespace.metadata.name = format!("ns-{index}");
        namespace.spec.finalizers.push("kubernetes".to_owned());
        cluster.create(namespace).await;
        let mut rc = mk_rc("web", 2);
        rc.metadata.namespace = format!("ns-{index}");
        cluster.create(rc).await;
    }
    cluster.within(1).await;
    let pods = cluster.list::<Pod>().await;
    assert_eq!(pods.len(), 200);
    cluster.give_node(&pods[0], "n1").await;
    for index in 0..100 {
        let name = format!("ns-{index}");
        cluster.all::<Namespace>().delete(&name, DeleteOptions::default()).await.unwrap();
    }
    cluster.within(2).await;
    let left: Vec<_> = cluster.list::<Namespace>().await;
    assert_eq!(left.len(), 1, "only the one whose pod takes its grace");
    let pod = cluster.list::<Pod>().await.remove(0);
    cluster.end(&pod).await;
    sleep(Duration::from_millis(50)).await;
    assert!(cluster.list::<Namespace>().await.is_empty(), "the pod's end wakes the loop");
    assert!(cluster.list::<ReplicationController>().await.is_empty());
    cluster.stop().await;
}
