//! `describe`, for people.

use keelson_tests::assert_eventually;
use serde_json::json;

use super::reading::running_pod;
use super::{service, with_every_kubectl};

#[test]
fn pods_and_services_are_described() {
    with_every_kubectl(|kubectl| {
        running_pod(kubectl, "web", json!({"app": "web"}));
        kubectl.ok_with("create -f -", &service("web", json!({"app": "web"})).to_string());
        let text = kubectl.ok("describe pod web");
        for (field, value) in [
            ("Name:", "web"),
            ("Namespace:", &kubectl.namespace),
            ("Labels:", "app=web"),
            ("Status:", "Running"),
            ("Image:", super::IMAGE),
            ("Port:", "9376/TCP"),
            ("State:", "Running"),
            ("Ready:", "True"),
            ("Restart Count:", "0"),
            ("QoS Class:", "BestEffort"),
        ] {
            let says = |line: &str| line.trim().strip_prefix(field).is_some_and(|rest| rest.trim() == value);
            assert!(text.lines().any(says), "{field} {value} is not in\n{text}");
        }
        assert!(text.contains("Successfully assigned"), "the events are missing in\n{text}");
        let text = kubectl.ok("describe service web");
        assert!(text.contains("app=web") && text.contains("<unset>  80/TCP"), "{text}");
        assert!(text.contains("9376/TCP"), "{text}");
    });
}

#[test]
fn every_other_kind_is_described() {
    with_every_kubectl(|kubectl| {
        let node = kubectl.ok("get nodes -o jsonpath={.items[0].metadata.name}");
        let text = kubectl.ok(&format!("describe node {node}"));
        for part in [
            "Conditions:",
            "KubeletReady",
            "Capacity:",
            "Allocatable:",
            "System Info:",
            "Allocated resources:",
            "Lease:",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let text = kubectl.ok(&format!("describe namespace {}", kubectl.namespace));
        assert!(text.contains("Status:") && text.contains("Active"), "{text}");
        let text = kubectl.ok(&format!("describe lease {node} -n kube-node-lease"));
        assert!(text.contains("Holder Identity:") && text.contains(&node), "{text}");
        running_pod(kubectl, "web", json!({"app": "web"}));
        kubectl.ok_with("create -f -", &service("web", json!({"app": "web"})).to_string());
        let ip = kubectl.ok("get pod web -o jsonpath={.status.podIP}");
        assert_eventually!(
            kubectl.ok("describe endpoints web").contains(&ip),
            "the pod's address is not described"
        );
        let text = kubectl.ok("describe events");
        assert!(text.contains("Scheduled"), "{text}");
    });
}
