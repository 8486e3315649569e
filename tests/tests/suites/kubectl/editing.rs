//! patch, edit, label, annotate: changing part of an object.

use serde_json::json;

use super::reading::running_pod;
use super::{pod, service, with_every_kubectl};

#[test]
fn the_three_kinds_of_patch() {
    with_every_kubectl(|kubectl| {
        let mut web = service("web", json!({"app": "web"}));
        web["spec"]["ports"] = json!([{"name": "http", "port": 80}, {"name": "https", "port": 443}]);
        kubectl.ok_with("create -f -", &web.to_string());
        let ports = || {
            let ports = kubectl.ok("get service web -o jsonpath={.spec.ports[*].name}");
            ports.split(' ').map(str::to_owned).collect::<Vec<_>>()
        };
        // Strategic: lists are merged by key.
        let patched = kubectl.ok(r#"patch service web -p '{"spec":{"ports":[{"port":8080,"name":"alt"}]}}'"#);
        assert_eq!(patched, "service/web patched\n");
        assert_eq!(ports(), ["alt", "http", "https"]);
        let removed = r#"patch service web -p '{"spec":{"ports":[{"port":443,"$patch":"delete"}]}}'"#;
        kubectl.ok(removed);
        assert_eq!(ports(), ["alt", "http"]);
        // Merge: lists are replaced.
        kubectl.ok(r#"patch service web --type=merge -p '{"spec":{"ports":[{"port":81,"name":"only"}]},"metadata":{"labels":{"a":"b"}}}'"#);
        assert_eq!(ports(), ["only"]);
        kubectl.ok(r#"patch service web --type=merge -p '{"metadata":{"labels":{"a":null}}}'"#);
        assert_eq!(kubectl.json("get service web")["metadata"].get("labels"), None);
        // JSON: operations.
        kubectl.ok(
            r#"patch service web --type=json -p '[{"op":"replace","path":"/spec/ports/0/port","value":82}]'"#,
        );
        assert_eq!(kubectl.ok("get service web -o jsonpath={.spec.ports[0].port}"), "82");
        let refused = kubectl.fails(
            r#"patch service web --type=json -p '[{"op":"test","path":"/spec/ports/0/port","value":1}]'"#,
        );
        assert!(refused.contains("The request is invalid"), "{refused}");
        let same = kubectl
            .ok(r#"patch service web --type=merge -p '{"spec":{"ports":[{"port":82,"name":"only"}]}}'"#);
        assert!(same.contains("service/web patched"), "{same}");
    });
}

#[test]
fn a_patch_must_leave_a_valid_object() {
    with_every_kubectl(|kubectl| {
        running_pod(kubectl, "web", json!({}));
        let refused = kubectl.fails(r#"patch pod web -p '{"spec":{"nodeName":"elsewhere"}}'"#);
        assert!(refused.contains("pod updates may not change fields other than"), "{refused}");
        kubectl.ok(r#"patch pod web -p '{"spec":{"containers":[{"name":"main","image":"keelson/serve-hostname:2"}]}}'"#);
        assert_eq!(
            kubectl.ok("get pod web -o jsonpath={.spec.containers[0].image}"),
            "keelson/serve-hostname:2"
        );
    });
}

#[test]
fn editors_change_what_they_save() {
    with_every_kubectl(|kubectl| {
        kubectl.ok_with("create -f -", &service("web", json!({"app": "web"})).to_string());
        let edited = kubectl.edit("edit service web", "sed -i 's/port: 80$/port: 8088/'").ok();
        assert_eq!(edited, "service/web edited\n");
        assert_eq!(kubectl.ok("get service web -o jsonpath={.spec.ports[0].port}"), "8088");
        let untouched = kubectl.edit("edit service web", "true");
        assert!(untouched.success && untouched.stderr.contains("no changes made"), "{untouched}");
        // An object that is refused comes back into the editor with the reason; leaving it as it is gives up.
        let editor = "see() { cat $1; sed -i 's/port: 8088$/port: 99999/' $1; }; see";
        let refused = kubectl.edit("edit service web", editor);
        assert!(!refused.success && refused.stderr.contains("no valid changes were saved"), "{refused}");
        assert!(refused.stdout.contains("# * spec.ports[0].port: Invalid value: 99999"), "{refused}");
        assert_eq!(kubectl.ok("get service web -o jsonpath={.spec.ports[0].port}"), "8088");
    });
}

#[test]
fn labels_and_annotations() {
    with_every_kubectl(|kubectl| {
        kubectl.ok_with("create -f -", &pod("web", json!({"a": "1"})).to_string());
        assert_eq!(kubectl.ok("label pod web b=2"), "pod/web labeled\n");
        let taken = kubectl.fails("label pod web a=2");
        assert!(taken.contains("'a' already has a value (1), and --overwrite is false"), "{taken}");
        kubectl.ok("label pod web a=2 --overwrite");
        kubectl.ok("label pods --all c=3");
        kubectl.ok("label pod web b-");
        assert_eq!(kubectl.json("get pod web")["metadata"]["labels"], json!({"a": "2", "c": "3"}));
        let invalid = kubectl.fails("label pod web 'x=not valid'");
        assert!(invalid.contains("a valid label must be"), "{invalid}");

        let annotated = kubectl.ok("annotate pod web 'note=anything at all'");
        assert!(annotated.starts_with("pod/web annotate"), "{annotated}");
        assert_eq!(kubectl.ok("get pod web -o jsonpath={.metadata.annotations.note}"), "anything at all");
        kubectl.ok("annotate pod web note-");
        assert_eq!(kubectl.ok("get pod web -o jsonpath={.metadata.annotations.note}"), "");
    });
}
