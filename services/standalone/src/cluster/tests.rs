use std::time::Duration;

use futures::StreamExt;
use keelson_base_client::{Client, WatchParams};
use keelson_base_daemon::trace::{self, TraceContext};
use keelson_base_model::pod;
use keelson_proto::core::{Container, Node, Pod, PodTemplateSpec, ReplicationController};
use keelson_proto::meta::ObjectMeta;

use super::{Cluster, ClusterConfig, StartError, StopMode};
use crate::progress::Progress;

const PATIENCE: Duration = Duration::from_secs(20);

async fn start(dir: &tempfile::TempDir) -> Cluster {
    Cluster::start(ClusterConfig::hollow(dir.path().to_path_buf()), &Progress::silent()).await.unwrap()
}

fn mk_pod(name: &str) -> Pod {
    let metadata = ObjectMeta { name: name.into(), namespace: "default".into(), ..ObjectMeta::default() };
    let mut pod = Pod { metadata, ..Pod::default() };
    pod.spec.containers = vec![Container { name: "c".into(), image: "i:1".into(), ..Container::default() }];
    pod
}

fn mk_controller(name: &str, replicas: i32) -> ReplicationController {
    let mut rc =
        ReplicationController { metadata: mk_pod(name).metadata, ..ReplicationController::default() };
    rc.spec.replicas = Some(replicas);
    let labels = [("app".to_owned(), name.to_owned())].into();
    let metadata = ObjectMeta { labels, ..ObjectMeta::default() };
    rc.spec.template = Some(PodTemplateSpec { metadata, spec: mk_pod("x").spec });
    rc
}

/// Watches the pods of the default namespace until as many are ready.
async fn until_ready(client: &Client, count: usize) {
    let watched = async {
        let mut changes =
            client.api::<Pod>().namespaced("default").watch(&WatchParams::default()).await.unwrap();
        let mut ready = std::collections::BTreeSet::new();
        while ready.len() < count {
            let change = changes.next().await.unwrap().unwrap();
            if pod::is_ready(&change.object) {
                ready.insert(change.object.metadata.name);
            }
        }
    };
    tokio::time::timeout(PATIENCE, watched).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controllers_pods_come_to_run_and_are_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(&dir).await;
    cluster
        .client()
        .api::<ReplicationController>()
        .namespaced("default")
        .create(&mk_controller("web", 3))
        .await
        .unwrap();
    until_ready(&cluster.client(), 3).await;
    let node = cluster.client().api::<Node>().get("node-1").await.unwrap();
    assert!(keelson_base_model::node::is_ready(&node));
    cluster.stop(StopMode::RemoveContainers).await.unwrap();

    let cluster = start(&dir).await;
    until_ready(&cluster.client(), 3).await;
    let pods = cluster.client().api::<Pod>().namespaced("default").list(&Default::default()).await.unwrap();
    assert_eq!(pods.items.len(), 3);
    cluster.stop(StopMode::RemoveContainers).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_follows_a_pod_from_its_creation_to_ready() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(&dir).await;
    let pods = cluster.client().api::<Pod>().namespaced("default");
    let mut changes = pods.watch(&WatchParams::default()).await.unwrap();
    let context = TraceContext::root();
    trace::scope(Some(context), pods.create(&mk_pod("web"))).await.unwrap();
    let followed = async {
        loop {
            let change = changes.next().await.unwrap().unwrap();
            let of = change.trace.map(|trace| trace.context().trace_id());
            assert_eq!(of, Some(context.trace_id()), "of {:?} {:?}", change.kind, change.object.status);
            if pod::is_ready(&change.object) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, followed).await.unwrap();
    cluster.stop(StopMode::RemoveContainers).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_cannot_share_a_directory_or_a_port() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(&dir).await;
    let config = ClusterConfig::hollow(dir.path().to_path_buf());
    let error = Cluster::start(config, &Progress::silent()).await.err().unwrap();
    assert!(matches!(error, StartError::DataDir(_)), "{error}");

    let other = tempfile::tempdir().unwrap();
    let config = ClusterConfig {
        grpc_port: cluster.grpc().port(),
        ..ClusterConfig::hollow(other.path().to_path_buf())
    };
    let error = Cluster::start(config, &Progress::silent()).await.err().unwrap();
    assert!(error.to_string().contains("is taken") && error.to_string().contains("--grpc-port"), "{error}");
    cluster.stop(StopMode::RemoveContainers).await.unwrap();
}
