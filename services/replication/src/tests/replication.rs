//! Replication controllers and their pods.

use std::time::Duration;

use keelson_base_client::ApiError;
use keelson_base_model::owner;
use keelson_proto::Object as _;
use keelson_proto::core::{Event, Pod, ReplicationController};
use keelson_proto::meta::DeleteOptions;
use tokio::time::sleep;

use super::Cluster;
use crate::testing::{mk_pod, mk_rc, ready_since};

#[tokio::test(start_paused = true)]
async fn a_controller_gets_its_pods_and_says_so() {
    let cluster = Cluster::start().await;
    let rc = cluster.create(mk_rc("web", 3)).await;
    cluster.within(1).await;
    let pods = cluster.list::<Pod>().await;
    assert_eq!(pods.len(), 3);
    for pod in &pods {
        assert!(pod.metadata.name.starts_with("web-") && pod.metadata.labels["app"] == "web");
        assert!(owner::is_controlled_by(&pod.metadata, &rc.metadata.uid));
    }
    assert_eq!(cluster.get::<ReplicationController>("web").await.status.replicas, 3);
    let mut ready = ready_since(pods[0].clone(), 1);
    ready.status.phase = "Running".to_owned();
    cluster.of::<Pod>().update_status(&ready).await.unwrap();
    cluster.within(1).await;
    let status = cluster.get::<ReplicationController>("web").await.status;
    assert_eq!((status.ready_replicas, status.available_replicas), (1, 1));
    let events = cluster.list::<Event>().await;
    assert!(events.iter().any(|event| event.reason == "SuccessfulCreate" && event.message.starts_with("Created pod: web-")));
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_pod_is_replaced_and_the_least_worth_goes_first() {
    let cluster = Cluster::start().await;
    cluster.create(mk_rc("web", 3)).await;
    cluster.within(1).await;
    let before = cluster.pod_names().await;
    cluster.of::<Pod>().delete(&before[0], DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    let after = cluster.pod_names().await;
    assert_eq!(after.len(), 3);
    assert!(!after.contains(&before[0]));

    let kept = cluster.get::<Pod>(&after[1]).await;
    cluster.of::<Pod>().update_status(&ready_since(kept, 1)).await.unwrap();
    cluster.within(1).await;
    let mut rc = cluster.get::<ReplicationController>("web").await;
    rc.spec.replicas = Some(1);
    cluster.of::<ReplicationController>().update(&rc).await.unwrap();
    cluster.within(1).await;
    assert_eq!(cluster.pod_names().await, [after[1].clone()]);
    assert_eq!(cluster.get::<ReplicationController>("web").await.status.replicas, 1);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn thousands_of_pods_are_created_once_each() {
    let cluster = Cluster::start().await;
    cluster.create(mk_rc("web", 2000)).await;
    cluster.within(5).await;
    assert_eq!(cluster.pod_names().await.len(), 2000);
    assert_eq!(cluster.api.count("Pods/Create"), 2000, "none too many");
    assert_eq!(cluster.api.count("Pods/Delete"), 0);
    assert_eq!(cluster.get::<ReplicationController>("web").await.status.replicas, 2000);
    assert!(
        cluster.api.count("ReplicationControllers/UpdateStatus") < 20,
        "the status is not written for every pod"
    );
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn refused_creations_are_told_and_tried_again_slowly() {
    let cluster = Cluster::start().await;
    for _ in 0..3 {
        let refusal = ApiError::forbidden(Pod::KIND, "", "the quota is used up");
        cluster.api.fail("Pods/Create", refusal);
    }
    cluster.create(mk_rc("web", 100)).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(cluster.api.count("Pods/Create"), 1, "the first refusal stops the burst");
    let condition = &cluster.get::<ReplicationController>("web").await.status.conditions[0];
    assert_eq!((condition.r#type.as_str(), condition.reason.as_str()), ("ReplicaFailure", "FailedCreate"));
    cluster.within(5).await;
    assert_eq!(cluster.pod_names().await.len(), 100);
    assert!(cluster.get::<ReplicationController>("web").await.status.conditions.is_empty());
    let events = cluster.list::<Event>().await;
    assert!(events.iter().any(|event| event.reason == "FailedCreate" && event.message.contains("quota")));
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn pods_are_adopted_and_released_by_their_labels() {
    let cluster = Cluster::start().await;
    let alone = cluster.create(mk_pod("alone", "web", "Running")).await;
    let rc = cluster.create(mk_rc("web", 2)).await;
    cluster.within(1).await;
    assert_eq!(cluster.pod_names().await.len(), 2, "one was there already");
    let mut adopted = cluster.get::<Pod>(&alone.metadata.name).await;
    assert!(owner::is_controlled_by(&adopted.metadata, &rc.metadata.uid));

    adopted.metadata.labels.insert("app".to_owned(), "debug".to_owned());
    cluster.of::<Pod>().update(&adopted).await.unwrap();
    cluster.within(1).await;
    let released = cluster.get::<Pod>("alone").await;
    assert!(released.metadata.owner_references.is_empty());
    assert_eq!(cluster.pod_names().await.len(), 3, "a new one took its place");
    cluster.stop().await;
}
