//! create, apply, replace and delete.

use serde_json::json;

use super::{pod, service, with_every_kubectl};

#[test]
fn create_replace_and_delete() {
    with_every_kubectl(|kubectl| {
        let mut web = service("web", json!({"app": "web"}));
        assert_eq!(kubectl.ok_with("create -f -", &web.to_string()), "service/web created\n");
        let again = kubectl.run("create -f -", &web.to_string()).fails();
        assert!(
            again.contains("(AlreadyExists)") && again.contains("services \"web\" already exists"),
            "{again}"
        );
        let address = kubectl.ok("get service web -o jsonpath={.spec.clusterIP}");

        web["spec"]["ports"][0]["port"] = json!(8080);
        assert_eq!(kubectl.ok_with("replace -f -", &web.to_string()), "service/web replaced\n");
        let replaced = kubectl.json("get service web");
        assert_eq!(replaced["spec"]["ports"][0]["port"], 8080);
        assert_eq!(replaced["spec"]["clusterIP"], *address, "a replacement keeps the address");

        web["metadata"]["resourceVersion"] = json!("1");
        let stale = kubectl.run("replace -f -", &web.to_string()).fails();
        assert!(stale.contains("(Conflict)") && stale.contains("the object has been modified"), "{stale}");
        assert_eq!(
            kubectl.json("get service web")["metadata"]["resourceVersion"],
            replaced["metadata"]["resourceVersion"]
        );

        let deleted = kubectl.ok("delete service web");
        assert!(deleted.starts_with("service \"web\" deleted"), "{deleted}");
        assert!(kubectl.fails("delete service web").contains("services \"web\" not found"));
        let absent = kubectl.run("replace -f -", &pod("absent", json!({})).to_string()).fails();
        assert!(absent.contains("pods \"absent\" not found"), "{absent}");
    });
}

#[test]
fn replace_by_force_is_another_object() {
    with_every_kubectl(|kubectl| {
        let web = pod("web", json!({"version": "1"}));
        kubectl.ok_with("create -f -", &web.to_string());
        let uid = kubectl.ok("get pod web -o jsonpath={.metadata.uid}");
        let replaced =
            kubectl.ok_with("replace --force -f -", &pod("web", json!({"version": "2"})).to_string());
        assert!(replaced.contains("pod/web replaced"), "{replaced}");
        assert_ne!(kubectl.ok("get pod web -o jsonpath={.metadata.uid}"), uid);
        assert_eq!(kubectl.ok("get pod web -o jsonpath={.metadata.labels.version}"), "2");
    });
}

#[test]
fn apply_creates_then_changes_then_rests() {
    with_every_kubectl(|kubectl| {
        let mut web = service("web", json!({"app": "web"}));
        web["metadata"]["labels"] = json!({"a": "1", "b": "2"});
        let apply = |object: &serde_json::Value| kubectl.ok_with("apply -f -", &object.to_string());
        assert_eq!(apply(&web), "service/web created\n");
        assert_eq!(apply(&web), "service/web unchanged\n");
        // What others have written stays; what is no longer applied goes.
        kubectl.ok("label service web theirs=yes");
        web["metadata"]["labels"] = json!({"a": "3"});
        web["spec"]["ports"] = json!([
            {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 9376},
            {"name": "https", "protocol": "TCP", "port": 443, "targetPort": 9377},
        ]);
        assert_eq!(apply(&web), "service/web configured\n");
        let applied = kubectl.json("get service web");
        assert_eq!(applied["metadata"]["labels"], json!({"a": "3", "theirs": "yes"}));
        let ports = applied["spec"]["ports"].as_array().unwrap();
        assert_eq!(ports.iter().map(|port| &port["port"]).collect::<Vec<_>>(), [80, 443]);
        let last = kubectl.ok("apply view-last-applied service/web -o json");
        assert!(last.contains("\"https\""), "{last}");
    });
}

#[test]
fn several_objects_in_one_file() {
    with_every_kubectl(|kubectl| {
        let file = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: one\nspec:\n  containers:\n  - {name: main, image: x}\n\
                    ---\napiVersion: v1\nkind: Service\nmetadata:\n  name: two\nspec:\n  ports:\n  - port: 80\n";
        assert_eq!(kubectl.ok_with("create -f -", file), "pod/one created\nservice/two created\n");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [pod("three", json!({})), service("four", json!({}))]});
        assert_eq!(
            kubectl.ok_with("apply -f -", &list.to_string()),
            "pod/three created\nservice/four created\n"
        );
        let deleted = kubectl.ok_with("delete -f -", file);
        assert!(deleted.contains("pod \"one\"") && deleted.contains("service \"two\""), "{deleted}");
        assert_eq!(kubectl.ok("get pods,services -o name"), "pod/three\nservice/four\n");
    });
}

#[test]
fn dry_run_and_diff_store_nothing() {
    with_every_kubectl(|kubectl| {
        let web = service("web", json!({})).to_string();
        assert_eq!(
            kubectl.ok_with("create --dry-run=server -f -", &web),
            "service/web created (server dry run)\n"
        );
        assert_eq!(kubectl.ok("get services -o name"), "");
        let file = kubectl.ok("create service clusterip made --tcp=80:9376 --dry-run=client -o yaml");
        assert_eq!(kubectl.ok_with("create -f -", &file), "service/made created\n");
    });
}

#[test]
fn a_pod_is_deleted_with_grace_or_by_force() {
    with_every_kubectl(|kubectl| {
        let mut stubborn = pod("stubborn", json!({}));
        stubborn["spec"]["containers"][0]["command"] = json!(["stubborn"]);
        kubectl.ok_with("create -f -", &stubborn.to_string());
        kubectl.ok("wait --for=condition=Ready pod/stubborn");
        kubectl.ok("delete pod stubborn --grace-period=60 --wait=false");
        let dying = kubectl.json("get pod stubborn");
        assert_eq!(dying["metadata"]["deletionGracePeriodSeconds"], 60);
        assert!(dying["metadata"]["deletionTimestamp"].is_string(), "{dying}");
        assert_eq!(kubectl.table("get pods").cell("stubborn", "STATUS"), "Terminating");
        kubectl.ok("delete pod stubborn --grace-period=0 --force");
        assert!(kubectl.fails("get pod stubborn").contains("NotFound"));
    });
}

#[test]
fn run_and_expose() {
    with_every_kubectl(|kubectl| {
        let ran = kubectl.ok(&format!("run web --image={} --port=9376 --labels=app=web", super::IMAGE));
        assert_eq!(ran, "pod/web created\n");
        assert_eq!(kubectl.ok("expose pod web --port=80 --target-port=9376"), "service/web exposed\n");
        let service = kubectl.json("get service web");
        assert_eq!(service["spec"]["selector"], json!({"app": "web"}));
        assert_eq!(service["spec"]["ports"][0]["targetPort"], 9376);
    });
}
