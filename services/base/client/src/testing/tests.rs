//! What clients may expect of the fake.

use futures::TryStreamExt as _;
use keelson_proto::core::{Namespace, Pod, PodCondition};
use keelson_proto::meta::DeleteOptions;
use keelson_proto::v1::GetRequest;
use serde_json::json;

use super::{FakeApi, pod};
use crate::{Api, ApiError, ListParams, Patch, WatchEvent, WatchEventKind, WatchParams};

fn labelled(name: &str, app: &str) -> Pod {
    let mut pod = pod(name, "", 0);
    pod.metadata.labels.insert("app".to_owned(), app.to_owned());
    pod
}

fn pods(api: &FakeApi) -> Api<Pod> {
    api.client().api().namespaced("default")
}

#[tokio::test]
async fn old_versions_are_refused_and_each_write_changes_its_part() {
    let api = FakeApi::default();
    let first = pods(&api).create(&labelled("a", "web")).await.unwrap();
    let mut told = first.clone();
    told.status.phase = "Running".to_owned();
    told.spec.node_name = "n1".to_owned();
    let second = pods(&api).update_status(&told).await.unwrap();
    assert_eq!((second.status.phase.as_str(), second.spec.node_name.as_str()), ("Running", ""));
    assert!(pods(&api).update(&first).await.unwrap_err().is_conflict());
    let mut changed = second.clone();
    changed.status.phase.clear();
    changed.spec.node_name = "n1".to_owned();
    let third = pods(&api).update(&changed).await.unwrap();
    assert_eq!((third.status.phase.as_str(), third.spec.node_name.as_str()), ("Running", "n1"));
    assert_eq!(third.metadata.uid, first.metadata.uid);
}

#[tokio::test]
async fn a_watch_sees_what_it_selects_come_and_go() {
    let api = FakeApi::default();
    api.put(&labelled("there", "web"));
    let params = WatchParams { label_selector: "app=web".to_owned(), ..WatchParams::default() };
    let mut watch = pods(&api).watch(&params).await.unwrap();
    api.put(&labelled("other", "db"));
    api.put(&labelled("other", "web"));
    api.put(&labelled("there", "db"));
    api.remove(&labelled("other", "web"));
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let event: WatchEvent<Pod> = watch.try_next().await.unwrap().unwrap();
        let name = event.object.metadata.name;
        seen.push((event.kind, name));
    }
    let expected = [
        (WatchEventKind::Added, "there"),
        (WatchEventKind::Added, "other"),
        (WatchEventKind::Deleted, "there"),
        (WatchEventKind::Deleted, "other"),
    ];
    assert_eq!(seen, expected.map(|(kind, name)| (kind, name.to_owned())));
}

#[tokio::test]
async fn lists_of_many_pages_are_whole_and_selected() {
    let api = FakeApi::default();
    for index in 0..1201 {
        let mut pod = labelled(&format!("p{index:04}"), "web");
        pod.spec.node_name = format!("n{}", index % 2);
        api.put(&pod);
    }
    let list = pods(&api).list(&ListParams::default()).await.unwrap();
    let names: Vec<_> = list.items.iter().map(|pod| pod.metadata.name.clone()).collect();
    assert_eq!(names, (0..1201).map(|index| format!("p{index:04}")).collect::<Vec<_>>());
    assert!(api.count("Pods/List") > 1);
    let params = ListParams { field_selector: "spec.nodeName=n1".to_owned(), ..ListParams::default() };
    assert_eq!(pods(&api).list(&params).await.unwrap().items.len(), 600);
}

#[tokio::test]
async fn strategic_patches_merge_lists_by_their_keys() {
    let api = FakeApi::default();
    let mut pod = labelled("a", "web");
    let condition = |kind: &str| PodCondition {
        r#type: kind.to_owned(),
        status: "False".to_owned(),
        ..PodCondition::default()
    };
    pod.status.conditions = vec![condition("Ready"), condition("Initialized")];
    api.put(&pod);
    let change = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] } });
    let patched = pods(&api).patch_status("a", &Patch::strategic(&change).unwrap()).await.unwrap();
    let statuses: Vec<_> = patched.status.conditions.iter().map(|one| one.status.as_str()).collect();
    assert_eq!(statuses, ["True", "False"]);
    let stale = json!({ "metadata": { "uid": "another" } });
    let refused = pods(&api).patch("a", &Patch::merge(&stale).unwrap()).await;
    assert!(refused.unwrap_err().is_conflict());
}

#[tokio::test]
async fn what_is_held_stays_until_nothing_holds_it() {
    let api = FakeApi::default();
    let mut pod = labelled("a", "web");
    pod.spec.node_name = "n1".to_owned();
    api.put(&pod);
    assert!(!pods(&api).delete("a", DeleteOptions::default()).await.unwrap().removed);
    assert_eq!(api.get::<Pod>("default", "a").unwrap().metadata.deletion_grace_period_seconds, Some(30));
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    assert!(pods(&api).delete("a", now).await.unwrap().removed);
    let mut namespace = Namespace::default();
    namespace.metadata.name = "ns".to_owned();
    namespace.spec.finalizers.push("kubernetes".to_owned());
    api.put(&namespace);
    let namespaces: Api<Namespace> = api.client().api();
    let going = namespaces.delete("ns", DeleteOptions::default()).await.unwrap();
    assert_eq!((going.removed, going.object.status.phase.as_str()), (false, "Terminating"));
    let mut done = going.object;
    done.spec.finalizers.clear();
    namespaces.finalize(&done).await.unwrap();
    assert!(api.list::<Namespace>().is_empty());
}

#[tokio::test]
async fn calls_are_counted_failed_and_held() {
    let api = FakeApi::default();
    api.put(&labelled("a", "web"));
    api.fail("Pods/Get", ApiError::service_unavailable("later"));
    assert!(pods(&api).get("a").await.is_err());
    assert_eq!(pods(&api).get("a").await.unwrap().metadata.name, "a");
    assert_eq!(api.count("Pods/Get"), 2);
    let mut held = api.hold(&["Pods/Get"]);
    let waiting = tokio::spawn({
        let pods = pods(&api);
        async move { pods.get("a").await }
    });
    assert_eq!(held.count("Pods/Get").await, 1);
    let call = held.expect("Pods/Get").await;
    assert_eq!(call.request::<GetRequest>().name, "a");
    call.answer(&labelled("b", "web"));
    assert_eq!(waiting.await.unwrap().unwrap().metadata.name, "b");
}
