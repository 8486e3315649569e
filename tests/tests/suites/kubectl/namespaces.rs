//! Namespaces: rooms of their own, gone with all they hold.

use keelson_tests::assert_eventually;
use serde_json::json;

use super::{pod, service, with_every_kubectl};

#[test]
fn a_namespace_takes_everything_with_it() {
    with_every_kubectl(|kubectl| {
        let room = format!("{}-room", kubectl.namespace);
        assert_eq!(kubectl.ok(&format!("create namespace {room}")), format!("namespace/{room} created\n"));
        kubectl.ok_with(&format!("create -n {room} -f -"), &pod("web", json!({})).to_string());
        kubectl.ok_with(&format!("create -n {room} -f -"), &service("web", json!({})).to_string());
        assert_eq!(kubectl.ok("get pods -o name"), "", "other namespaces are not touched");
        let deleted = kubectl.ok(&format!("delete namespace {room}"));
        assert!(deleted.contains(&format!("namespace \"{room}\" deleted")), "{deleted}");
        assert!(kubectl.fails(&format!("get namespace {room}")).contains("NotFound"));
        assert_eventually!(!kubectl.ok("get pods,services -A").contains(&room), "something of {room} stays");
        let late =
            kubectl.run(&format!("create -n {room} -f -"), &pod("late", json!({})).to_string()).fails();
        assert!(late.contains(&format!("namespaces \"{room}\" not found")), "{late}");
    });
}

#[test]
fn the_first_namespaces_stay() {
    with_every_kubectl(|kubectl| {
        let refused = kubectl.fails("delete namespace default");
        assert!(
            refused.contains("Forbidden") && refused.contains("this namespace may not be deleted"),
            "{refused}"
        );
        let elsewhere = kubectl.run(
            "create -f -",
            &json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"},
                "spec": {"containers": [{"name": "main", "image": "x"}]},
            })
            .to_string(),
        );
        assert!(elsewhere.fails().contains("does not match the namespace"));
    });
}
