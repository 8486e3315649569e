//! What api counts.

use futures::StreamExt;
use keelson_base_client::{ListParams, WatchParams};
use keelson_proto::core::Pod;

use super::*;

fn assert_shows(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.encode().unwrap();
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line} in\n{text}");
    }
}

fn call(verb: &str, code: u16, count: usize) -> String {
    let labels = format!("verb=\"{verb}\",group=\"\",resource=\"pods\",subresource=\"\",code=\"{code}\"");
    format!("apiserver_request_total{{{labels}}} {count}")
}

#[tokio::test]
async fn calls_the_store_and_the_watch_cache_are_counted() {
    let api = Fixture::new().await;
    let pods = api.client().api::<Pod>().namespaced("default");
    pods.create(&mk_pod("a")).await.unwrap();
    assert!(pods.create(&mk_pod("a")).await.unwrap_err().is_already_exists());
    let mut bad = mk_pod("b");
    bad.spec.containers.clear();
    assert!(pods.create(&bad).await.unwrap_err().is_invalid());
    assert!(pods.get("none").await.unwrap_err().is_not_found());
    let revision = pods.list(&ListParams::default()).await.unwrap().metadata.resource_version;
    let params = WatchParams { resource_version: revision, ..WatchParams::default() };
    let mut watch = pods.watch(&params).await.unwrap();
    pods.create(&mk_pod("c")).await.unwrap();
    watch.next().await.unwrap().unwrap();

    let long = "apiserver_longrunning_requests{verb=\"WATCH\",group=\"\",resource=\"pods\",subresource=\"\"}";
    let calls = [call("POST", 201, 2), call("POST", 409, 1), call("POST", 422, 1), call("GET", 404, 1)];
    assert_shows(&api.metrics, &calls.each_ref().map(String::as_str));
    assert_shows(
        &api.metrics,
        &[
            &format!("{long} 1"),
            "apiserver_current_inflight_requests{request_kind=\"mutating\"} 0",
            "apiserver_storage_objects{group=\"\",resource=\"pods\"} 2.0",
            "apiserver_watch_cache_events_received_total{group=\"\",resource=\"pods\"} 2.0",
            "apiserver_watch_events_total{group=\"\",resource=\"pods\"} 1.0",
            "etcd_request_errors_total{operation=\"txn\"} 0",
        ],
    );
    drop(watch);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_shows(&api.metrics, &[&format!("{long} 0")]);
}
