//! Label and field selectors.

use serde_json::json;

use super::reading::running_pod;
use super::with_every_kubectl;

#[test]
fn pods_are_found_by_labels() {
    with_every_kubectl(|kubectl| {
        running_pod(kubectl, "a", json!({"app": "web", "tier": "front"}));
        running_pod(kubectl, "b", json!({"app": "web", "tier": "back"}));
        running_pod(kubectl, "c", json!({"app": "db"}));
        for (selector, names) in [
            ("app=web", "pod/a pod/b"),
            ("app!=web", "pod/c"),
            ("'app in (web,db),tier notin (back)'", "pod/a pod/c"),
            ("tier", "pod/a pod/b"),
            ("'!tier'", "pod/c"),
            ("app=web,tier=back", "pod/b"),
            ("app=absent", ""),
        ] {
            let found = kubectl.ok(&format!("get pods -l {selector} -o name"));
            assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), names, "-l {selector}");
        }
        let wrong = kubectl.fails("get pods -l 'app in web'");
        assert!(wrong.contains("unable to parse requirement"), "{wrong}");
    });
}

#[test]
fn pods_are_found_by_fields() {
    with_every_kubectl(|kubectl| {
        running_pod(kubectl, "a", json!({}));
        running_pod(kubectl, "b", json!({}));
        let node = kubectl.ok("get pod a -o jsonpath={.spec.nodeName}");
        for (selector, names) in [
            ("metadata.name=a".to_owned(), "pod/a"),
            ("metadata.name!=a".to_owned(), "pod/b"),
            (format!("spec.nodeName={node},status.phase=Running"), "pod/a pod/b"),
            ("status.phase!=Running".to_owned(), ""),
            ("spec.nodeName=elsewhere".to_owned(), ""),
        ] {
            let found = kubectl.ok(&format!("get pods --field-selector {selector} -o name"));
            assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), names, "{selector}");
        }
        let unknown = kubectl.fails("get pods --field-selector spec.colour=red");
        assert!(unknown.contains("BadRequest") && unknown.contains("field label not supported"), "{unknown}");
    });
}

#[test]
fn many_are_deleted_by_a_selector() {
    with_every_kubectl(|kubectl| {
        running_pod(kubectl, "a", json!({"app": "web"}));
        running_pod(kubectl, "b", json!({"app": "web"}));
        running_pod(kubectl, "c", json!({"app": "db"}));
        let deleted = kubectl.ok("delete pods -l app=web");
        assert!(deleted.contains("pod \"a\"") && deleted.contains("pod \"b\""), "{deleted}");
        assert_eq!(kubectl.ok("get pods -o name"), "pod/c\n");
    });
}
