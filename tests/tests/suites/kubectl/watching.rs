//! `get -w`, and waiting.

use serde_json::json;

use super::{pod, with_every_kubectl};

#[test]
fn a_watch_shows_each_change() {
    with_every_kubectl(|kubectl| {
        let mut watch = kubectl.stream("get pods -w --output-watch-events");
        let web = pod("web", json!({"app": "web"})).to_string();
        // Whether the watch has begun yet or not: it begins with what is there.
        kubectl.ok_with("create -f -", &web);
        watch.until("the new pod", |line| line.starts_with("ADDED") && line.contains("web"));
        watch.until("the running pod", |line| line.contains("web") && line.contains("Running"));
        kubectl.ok("delete pod web");
        watch.until("its end", |line| line.starts_with("DELETED") && line.contains("web"));
    });
}

#[test]
fn a_watch_of_one_object_and_of_a_selection() {
    with_every_kubectl(|kubectl| {
        kubectl.ok_with("create -f -", &pod("web", json!({"app": "web"})).to_string());
        let mut one = kubectl.stream("get pod web -w -o name");
        one.until_contains("pod/web");
        let mut some = kubectl.stream("get pods -l app=web -w --output-watch-events");
        some.until("the pod", |line| line.starts_with("ADDED"));
        kubectl.ok("label pod web app=other --overwrite");
        some.until("the pod leaving the selection", |line| line.starts_with("DELETED"));
        one.until_contains("pod/web");
    });
}

#[test]
fn waiting_for_a_condition_and_for_the_end() {
    with_every_kubectl(|kubectl| {
        let mut web = pod("web", json!({}));
        web["spec"]["containers"][0]["command"] = json!(["stubborn"]);
        kubectl.ok_with("create -f -", &web.to_string());
        assert_eq!(kubectl.ok("wait --for=condition=Ready pod/web"), "pod/web condition met\n");
        let late = kubectl.fails("wait --for=condition=Absent pod/web --timeout=1s");
        assert!(late.contains("timed out waiting for the condition"), "{late}");
        let mut gone = kubectl.stream("wait --for=delete pod/web --timeout=30s");
        kubectl.ok("delete pod web --grace-period=3 --wait=false");
        assert!(gone.ended().success(), "{}", gone.said());
        assert!(kubectl.fails("get pod web").contains("NotFound"));
    });
}
