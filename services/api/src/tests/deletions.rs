use keelson_base_client::Patch;
use keelson_base_model::status::Reason;
use keelson_proto::core::{Namespace, Pod, ReplicationController};
use keelson_proto::meta::{DeleteOptions, ObjectMeta};
use serde_json::json;

use super::{Fixture, mk_meta, mk_pod};

#[tokio::test]
async fn a_running_pod_is_deleted_in_two_steps() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    pods.create(&mk_pod("idle")).await.unwrap();
    assert!(pods.delete("idle", DeleteOptions::default()).await.unwrap().removed);

    let pod = pods.create(&mk_pod("web")).await.unwrap();
    pods.bind(&pod, "n1").await.unwrap();
    let deleted = pods.delete("web", DeleteOptions::default()).await.unwrap();
    assert!(!deleted.removed);
    assert_eq!(deleted.object.metadata.deletion_grace_period_seconds, Some(30));
    let sooner = DeleteOptions { grace_period_seconds: Some(5), ..DeleteOptions::default() };
    assert_eq!(
        pods.delete("web", sooner).await.unwrap().object.metadata.deletion_grace_period_seconds,
        Some(5)
    );
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    assert!(pods.delete("web", now).await.unwrap().removed);
    assert!(pods.get("web").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn finalizers_hold_what_is_deleted_until_they_are_gone() {
    let fixture = Fixture::new().await;
    let rcs = fixture.client().api::<ReplicationController>().namespaced("default");
    let mut rc = ReplicationController { metadata: mk_meta("rc"), ..ReplicationController::default() };
    rc.metadata.finalizers.push("example.com/hold".into());
    rc.spec.template = Some(keelson_proto::core::PodTemplateSpec {
        metadata: ObjectMeta { labels: [("a".into(), "b".into())].into(), ..ObjectMeta::default() },
        spec: mk_pod("x").spec,
    });
    rcs.create(&rc).await.unwrap();
    assert!(!rcs.delete("rc", DeleteOptions::default()).await.unwrap().removed);
    assert!(rcs.get("rc").await.unwrap().metadata.deletion_timestamp.is_some());
    rcs.patch("rc", &Patch::merge(&json!({"metadata": {"finalizers": null}})).unwrap()).await.unwrap();
    assert!(rcs.get("rc").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_namespace_goes_in_two_phases() {
    let fixture = Fixture::new().await;
    let namespaces = fixture.client().api::<Namespace>();
    let metadata = ObjectMeta { name: "ns".into(), ..ObjectMeta::default() };
    namespaces.create(&Namespace { metadata, ..Namespace::default() }).await.unwrap();
    let deleted = namespaces.delete("ns", DeleteOptions::default()).await.unwrap();
    assert_eq!((deleted.removed, deleted.object.status.phase.as_str()), (false, "Terminating"));
    let mut pod = mk_pod("late");
    pod.metadata.namespace = "ns".into();
    let error = fixture.client().api::<Pod>().namespaced("ns").create(&pod).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Forbidden);
    assert!(namespaces.delete("ns", DeleteOptions::default()).await.unwrap_err().is_conflict());
    let mut empty = deleted.object;
    empty.metadata.resource_version.clear();
    empty.spec.finalizers.clear();
    namespaces.finalize(&empty).await.unwrap();
    assert!(namespaces.get("ns").await.unwrap_err().is_not_found());
    assert_eq!(
        namespaces.delete("default", DeleteOptions::default()).await.unwrap_err().reason(),
        Reason::Forbidden
    );
}

#[tokio::test]
async fn a_pod_held_by_a_finalizer_goes_with_it_once_its_containers_are_gone() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let mut pod = mk_pod("web");
    pod.metadata.finalizers.push("example.com/hold".into());
    let pod = pods.create(&pod).await.unwrap();
    pods.bind(&pod, "n1").await.unwrap();
    pods.delete("web", DeleteOptions::default()).await.unwrap();
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    let deleted = pods.delete("web", now).await.unwrap();
    assert!(!deleted.removed);
    assert_eq!(deleted.object.metadata.deletion_grace_period_seconds, Some(0));
    pods.patch("web", &Patch::merge(&json!({"metadata": {"finalizers": null}})).unwrap()).await.unwrap();
    assert!(pods.get("web").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn no_grace_is_too_long_or_too_short() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    for (name, asked, given) in [("long", i64::MAX, i64::from(i32::MAX)), ("short", -1, 1)] {
        let pod = pods.create(&mk_pod(name)).await.unwrap();
        pods.bind(&pod, "n1").await.unwrap();
        let options = DeleteOptions { grace_period_seconds: Some(asked), ..DeleteOptions::default() };
        let meta = pods.delete(name, options).await.unwrap().object.metadata;
        assert_eq!(meta.deletion_grace_period_seconds, Some(given));
        assert!(meta.deletion_timestamp.unwrap().is_valid());
    }
}

#[tokio::test]
async fn a_namespace_is_finalized_only_if_it_is_the_one_that_was_meant() {
    let fixture = Fixture::new().await;
    let namespaces = fixture.client().api::<Namespace>();
    let metadata = ObjectMeta { name: "ns".into(), ..ObjectMeta::default() };
    namespaces.create(&Namespace { metadata, ..Namespace::default() }).await.unwrap();
    let mut other = namespaces.delete("ns", DeleteOptions::default()).await.unwrap().object;
    other.metadata.uid = "another".into();
    other.metadata.resource_version.clear();
    other.spec.finalizers.clear();
    assert!(namespaces.finalize(&other).await.unwrap_err().is_conflict());
    namespaces.get("ns").await.unwrap();
}
