use futures::StreamExt;
use keelson_base_client::{ListParams, Patch, WatchEventKind, WatchParams};
use keelson_base_daemon::trace::{self, TraceContext};
use keelson_proto::core::Pod;
use keelson_proto::meta::DeleteOptions;
use keelson_proto::v1::{WatchEventType, WatchRequest};
use serde_json::json;

use super::{Fixture, mk_labelled_pod, mk_pod};

#[tokio::test]
async fn a_watch_delivers_what_there_is_and_then_each_change() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    pods.create(&mk_pod("a")).await.unwrap();
    let mut watch = pods.watch(&WatchParams::default()).await.unwrap();
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!((first.kind, first.object.metadata.name.as_str()), (WatchEventKind::Added, "a"));
    let b = pods.create(&mk_pod("b")).await.unwrap();
    pods.patch("b", &Patch::merge(&json!({"metadata": {"labels": {"x": "y"}}})).unwrap()).await.unwrap();
    pods.delete("b", Default::default()).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let event = watch.next().await.unwrap().unwrap();
        assert_eq!(event.object.metadata.resource_version, event.revision.to_string());
        seen.push((event.kind, event.revision));
    }
    assert_eq!(
        seen.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        [WatchEventKind::Added, WatchEventKind::Modified, WatchEventKind::Deleted]
    );
    assert_eq!(seen[0].1.to_string(), b.metadata.resource_version);
    assert!(seen.is_sorted_by_key(|(_, revision)| *revision));
}

#[tokio::test]
async fn objects_that_begin_and_cease_to_match_come_and_go() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let params = WatchParams { label_selector: "app=x".into(), ..WatchParams::default() };
    let mut watch = pods.watch(&params).await.unwrap();
    pods.create(&mk_labelled_pod("a", "y")).await.unwrap();
    for app in ["x", "x2", "x"] {
        let patch = Patch::merge(&json!({"metadata": {"labels": {"app": app}}})).unwrap();
        pods.patch("a", &patch).await.unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let event = watch.next().await.unwrap().unwrap();
        seen.push((event.kind, event.object.metadata.labels["app"].clone()));
    }
    let x = || "x".to_owned();
    assert_eq!(
        seen,
        [(WatchEventKind::Added, x()), (WatchEventKind::Deleted, x()), (WatchEventKind::Added, x())]
    );
}

#[tokio::test]
async fn a_kubelet_hears_of_its_own_pods_only() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let params = WatchParams { field_selector: "spec.nodeName=n1".into(), ..WatchParams::default() };
    let mut watch = fixture.client().api::<Pod>().watch(&params).await.unwrap();
    for (name, node) in [("a", "n2"), ("b", "n1")] {
        let pod = pods.create(&mk_pod(name)).await.unwrap();
        pods.bind(&pod, node).await.unwrap();
    }
    let event = watch.next().await.unwrap().unwrap();
    assert_eq!((event.kind, event.object.metadata.name.as_str()), (WatchEventKind::Added, "b"));
}

#[tokio::test]
async fn a_watch_goes_on_where_another_ended_even_after_a_restart() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let a = pods.create(&mk_pod("a")).await.unwrap();
    pods.create(&mk_pod("b")).await.unwrap();
    drop(pods);
    let fixture = fixture.restart().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let params = WatchParams { resource_version: a.metadata.resource_version, ..WatchParams::default() };
    let mut watch = pods.watch(&params).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().object.metadata.name, "b");
}

#[tokio::test]
async fn a_watch_from_too_old_a_revision_is_expired() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    // More changes than the ring keeps, without as many commits: each is larger than its share of the bytes.
    let mut large = mk_pod("large");
    large.metadata.annotations.insert("fill".into(), "x".repeat(200_000));
    pods.create(&large).await.unwrap();
    let first = pods.create(&mk_pod("first")).await.unwrap().metadata.resource_version;
    for n in 0..50 {
        let patch = Patch::merge(&json!({"metadata": {"labels": {"n": n.to_string()}}})).unwrap();
        pods.patch("large", &patch).await.unwrap();
    }
    let params = WatchParams { resource_version: first, ..WatchParams::default() };
    let mut watch = match pods.watch(&params).await {
        Ok(watch) => watch,
        Err(error) => return assert!(error.is_expired(), "{error}"),
    };
    let error = watch.next().await.unwrap().unwrap_err();
    assert!(error.is_expired(), "{error}");
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    pods.create(&mk_pod("a")).await.unwrap();
    let request = WatchRequest {
        namespace: "default".into(),
        send_initial_events: Some(true),
        ..WatchRequest::default()
    };
    let mut watch = pods.raw().watch(request).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().r#type(), WatchEventType::Added);
    let end = watch.next().await.unwrap().unwrap();
    assert_eq!(end.r#type(), WatchEventType::Bookmark);
    let metadata = keelson_proto::wire::metadata(&end.object).unwrap();
    assert_eq!(metadata.annotations["k8s.io/initial-events-end"], "true");
}

#[tokio::test]
async fn the_trace_of_a_write_travels_with_its_revision() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let mut watch = pods.watch(&WatchParams::default()).await.unwrap();
    let context = TraceContext::root();
    trace::scope(Some(context), pods.create(&mk_pod("a"))).await.unwrap();
    let event = watch.next().await.unwrap().unwrap();
    assert_eq!(event.trace.unwrap().context().trace_id(), context.trace_id());
    assert!(event.object.metadata.annotations.is_empty());
    assert!(event.trace.unwrap().received_at().is_some(), "how long the news took can be told");

    // Of the removal of an object whose deletion nobody had marked before, no trace is known.
    pods.delete("a", DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() })
        .await
        .unwrap();
    let gone = watch.next().await.unwrap().unwrap();
    assert_eq!((gone.kind, gone.trace), (WatchEventKind::Deleted, None));
}

#[tokio::test]
async fn a_list_tells_the_traces_of_the_writes() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let (sampled, silent) = (TraceContext::root(), TraceContext::root().unsampled());
    trace::scope(Some(silent), pods.create(&mk_pod("a"))).await.unwrap();
    assert!(pods.list_raw(&ListParams::default()).await.unwrap().trace_contexts.is_empty());
    trace::scope(Some(sampled), pods.create(&mk_pod("b"))).await.unwrap();
    pods.create(&mk_pod("c")).await.unwrap();
    let list = pods.list_raw(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 3);
    assert_eq!(list.trace_contexts, [Vec::new(), sampled.to_bytes().to_vec()]);
}

#[tokio::test]
async fn a_watch_that_wants_no_objects_to_begin_with_gets_none() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    pods.create(&mk_pod("a")).await.unwrap();
    for version in ["", "0"] {
        let request = WatchRequest {
            namespace: "default".into(),
            resource_version: version.into(),
            send_initial_events: Some(false),
            ..WatchRequest::default()
        };
        let mut watch = pods.raw().watch(request).await.unwrap();
        pods.create(&mk_pod(&format!("b{version}"))).await.unwrap();
        assert_eq!(watch.next().await.unwrap().unwrap().name, format!("b{version}"));
    }
}

#[tokio::test]
async fn a_watch_may_be_asked_to_last_longer_than_the_clock() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    pods.create(&mk_pod("a")).await.unwrap();
    for timeout_seconds in [i64::MAX, i64::MIN] {
        let request =
            WatchRequest { namespace: "default".into(), timeout_seconds, ..WatchRequest::default() };
        let mut watch = pods.raw().watch(request).await.unwrap();
        assert_eq!(watch.next().await.unwrap().unwrap().name, "a");
    }
}

#[tokio::test]
async fn a_watcher_that_does_not_read_keeps_no_more_than_its_share() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let mut large = mk_pod("large");
    large.metadata.annotations.insert("fill".into(), "x".repeat(250_000));
    pods.create(&large).await.unwrap();
    let mut watch = pods.watch(&WatchParams::default()).await.unwrap();
    for n in 0..60 {
        let patch = Patch::merge(&json!({"metadata": {"labels": {"n": n.to_string()}}})).unwrap();
        pods.patch("large", &patch).await.unwrap();
    }
    let mut delivered = 0;
    let end = loop {
        match watch.next().await.unwrap() {
            Ok(_) => delivered += 1,
            Err(error) => break error,
        }
    };
    assert!(end.is_expired() && delivered < 60, "{delivered}: {end}");
}
