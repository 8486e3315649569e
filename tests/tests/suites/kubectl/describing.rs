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
        // kubectl reads endpoints up to 1.30, and slices since.
        let ip = kubectl.ok("get pod web -o jsonpath={.status.podIP}");
        assert_eventually!(
            kubectl.ok("describe service web").contains(&format!("{ip}:9376")),
            "the pod's address is not among the service's endpoints:\n{}",
            kubectl.ok("describe service web")
        );
        let slices = kubectl.table("get endpointslices -l kubernetes.io/service-name=web");
        let name = slices.names()[0].to_owned();
        assert!(name.starts_with("web-"), "{name}");
        assert_eq!((slices.cell(&name, "ENDPOINTS"), slices.cell(&name, "PORTS")), (ip.as_str(), "9376"));
        if kubectl.kubectl.minor >= super::DESCRIBES_SLICES {
            let text = kubectl.ok(&format!("describe endpointslice {name}"));
            assert!(text.contains(&ip) && text.contains("Pod/web"), "{text}");
        }
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
