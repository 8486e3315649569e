//! Questions and defaults; the rules have their own files.

mod rules;

use keelson_proto::core::Pod;
use keelson_proto::meta::Time;
use serde_json::json;

use super::*;
use crate::fixtures::{mk_pod, mk_pod_with, with};

#[test]
fn a_bare_pod_gets_its_defaults() {
    let pod = mk_pod();
    let spec = &pod.spec;
    assert_eq!((spec.restart_policy.as_str(), spec.dns_policy.as_str()), ("Always", "ClusterFirst"));
    assert_eq!(spec.scheduler_name, "default-scheduler");
    assert_eq!((spec.termination_grace_period_seconds, spec.enable_service_links), (Some(30), Some(true)));
    assert!(spec.security_context.is_some());
    let twice = {
        let mut pod = pod.clone();
        set_defaults(&mut pod);
        pod
    };
    assert_eq!(twice, pod, "defaults are filled in once");
}

#[test]
fn explicit_values_stay() {
    let given =
        json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "enableServiceLinks": false});
    let pod = mk_pod_with(json!({}), given);
    assert_eq!(pod.spec.restart_policy, "Never");
    assert_eq!(
        (pod.spec.termination_grace_period_seconds, pod.spec.enable_service_links),
        (Some(0), Some(false))
    );
}

#[test]
fn both_names_of_the_service_account_agree() {
    for (given, expected) in [
        (json!({"serviceAccount": "a"}), "a"),
        (json!({"serviceAccountName": "b"}), "b"),
        (json!({"serviceAccount": "a", "serviceAccountName": "b"}), "b"),
        (json!({}), ""),
    ] {
        let spec = mk_pod_with(json!({}), given).spec;
        assert_eq!((spec.service_account.as_str(), spec.service_account_name.as_str()), (expected, expected));
    }
}

#[test]
fn a_pod_on_the_nodes_network_takes_the_nodes_ports() {
    let ports = json!({"ports": [{"containerPort": 80}, {"containerPort": 81, "protocol": "UDP"}]});
    let on_node = mk_pod_with(ports.clone(), json!({"hostNetwork": true}));
    let taken: Vec<_> = host_ports(&on_node).map(|port| (port.protocol, port.port)).collect();
    assert_eq!(taken, [("TCP", 80), ("UDP", 81)]);
    assert_eq!(host_ports(&mk_pod_with(ports, json!({}))).count(), 0);
}

#[test]
fn the_single_address_and_the_list_agree() {
    let mut pod = with(&mk_pod(), json!({"status": {"podIP": "10.0.0.1", "hostIPs": [{"ip": "10.9.0.1"}]}}));
    set_defaults(&mut pod);
    assert_eq!(pod.status.pod_ips[0].ip, "10.0.0.1");
    assert_eq!(pod.status.host_ip, "10.9.0.1");
    pod.status.pod_ip = "10.0.0.2".to_owned();
    set_defaults(&mut pod);
    assert_eq!(pod.status.pod_ips.iter().map(|one| one.ip.as_str()).collect::<Vec<_>>(), ["10.0.0.2"]);
}

#[test]
fn host_ports_meet_on_equal_addresses() {
    let port = |protocol, ip, port| HostPort { protocol, ip, port };
    let table = [
        (port("TCP", "", 80), port("TCP", "", 80), true),
        (port("TCP", "", 80), port("UDP", "", 80), false),
        (port("TCP", "", 80), port("TCP", "", 81), false),
        (port("TCP", "10.0.0.1", 80), port("TCP", "", 80), true),
        (port("TCP", "10.0.0.1", 80), port("TCP", "0.0.0.0", 80), true),
        (port("TCP", "10.0.0.1", 80), port("TCP", "10.0.0.2", 80), false),
    ];
    for (a, b, expected) in table {
        assert_eq!((a.conflicts_with(&b), b.conflicts_with(&a)), (expected, expected), "{a:?} {b:?}");
    }
}

fn mk_phase(phase: &str, ready: Option<(&str, i64)>, deleted: bool) -> Pod {
    let mut pod = with(&mk_pod(), json!({"status": {"phase": phase}}));
    if let Some((status, since)) = ready {
        let condition =
            PodCondition { r#type: "Ready".to_owned(), status: status.to_owned(), ..Default::default() };
        conditions::set(&mut pod.status.conditions, condition, Time { seconds: since, nanos: 0 });
    }
    pod.metadata.deletion_timestamp = deleted.then_some(Time { seconds: 1, nanos: 0 });
    pod
}

#[test]
fn phases_and_conditions_answer_questions() {
    // (pod, terminal, active, ready)
    let table = [
        (mk_phase("Pending", None, false), false, true, false),
        (mk_phase("Running", Some(("True", 1)), false), false, true, true),
        (mk_phase("Running", Some(("False", 1)), false), false, true, false),
        (mk_phase("Running", Some(("True", 1)), true), false, false, true),
        (mk_phase("Succeeded", None, false), true, false, false),
        (mk_phase("Failed", None, false), true, false, false),
    ];
    for (pod, terminal, active, ready) in table {
        assert_eq!(
            (is_terminal(&pod), is_active(&pod), is_ready(&pod)),
            (terminal, active, ready),
            "{:?}",
            pod.status
        );
    }
}

#[test]
fn a_pod_is_available_when_it_has_been_ready_long_enough() {
    let pod = mk_phase("Running", Some(("True", 100)), false);
    for (seconds, now, expected) in [(0, 100, true), (10, 109, false), (10, 110, true)] {
        assert_eq!(is_available(&pod, seconds, Time { seconds: now, nanos: 0 }), expected, "{seconds} {now}");
    }
    assert!(!is_available(&mk_phase("Running", Some(("False", 0)), false), 0, Time { seconds: 9, nanos: 0 }));
}

#[test]
fn requests_are_the_sum_or_the_peak() {
    let container = |name: &str, cpu: &str| json!({"name": name, "image": "i", "resources": {"requests": {"cpu": cpu, "memory": "10"}}});
    let sidecar = |name: &str, cpu: &str| {
        let mut sidecar = container(name, cpu);
        sidecar["restartPolicy"] = json!("Always");
        sidecar
    };
    // (init containers, containers, overhead, milli cpu)
    let table = [
        (json!([]), json!([container("a", "1"), container("b", "500m")]), json!({}), 1500),
        (json!([container("i", "2")]), json!([container("a", "1")]), json!({}), 2000),
        (json!([container("i", "200m")]), json!([container("a", "1")]), json!({"cpu": "100m"}), 1100),
        (json!([sidecar("s", "1")]), json!([container("a", "1")]), json!({}), 2000),
        (json!([sidecar("s", "1"), container("i", "3")]), json!([container("a", "1")]), json!({}), 4000),
        (json!([container("i", "3"), sidecar("s", "1")]), json!([container("a", "1")]), json!({}), 3000),
    ];
    for (init, containers, overhead, cpu) in table {
        let spec = json!({"initContainers": init, "containers": containers, "overhead": overhead});
        let pod = with(&mk_pod(), json!({"spec": spec}));
        assert_eq!(requests(&pod).milli_cpu, cpu, "{spec}");
    }
}

#[test]
fn limits_count_where_they_are_given() {
    let pod =
        mk_pod_with(json!({"resources": {"limits": {"memory": "1Ki", "example.com/gpu": "2"}}}), json!({}));
    assert_eq!(limits(&pod).memory, 1024);
    assert_eq!(requests(&pod).extended["example.com/gpu"], 2, "a limit is also a request");
}

#[test]
fn the_class_follows_from_requests_and_limits() {
    let table = [
        (json!({}), "BestEffort"),
        (json!({"requests": {"cpu": "0"}}), "BestEffort"),
        (json!({"requests": {"cpu": "1"}}), "Burstable"),
        (json!({"limits": {"cpu": "1"}}), "Burstable"),
        (json!({"limits": {"cpu": "1", "memory": "1Gi"}}), "Guaranteed"),
        (json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m"}}), "Guaranteed"),
        (json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1m"}}), "Burstable"),
        (json!({"limits": {"example.com/gpu": "1"}}), "BestEffort"),
    ];
    for (resources, class) in table {
        let mut pod = mk_pod_with(json!({"resources": resources}), json!({}));
        assert_eq!(qos_class(&pod), class, "{resources}");
        prepare_create(&mut pod);
        assert_eq!((pod.status.phase.as_str(), pod.status.qos_class.as_str()), ("Pending", class));
    }
}

#[test]
fn every_field_can_be_selected_by() {
    let changes = json!({
        "spec": {"nodeName": "n1", "hostNetwork": true, "serviceAccountName": "sa"},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "nominatedNodeName": "n2"},
    });
    let pod = with(&mk_pod(), changes);
    let table = [
        ("metadata.name", "web"),
        ("metadata.namespace", "default"),
        ("spec.nodeName", "n1"),
        ("spec.host", "n1"),
        ("spec.hostNetwork", "true"),
        ("spec.restartPolicy", "Always"),
        ("spec.schedulerName", "default-scheduler"),
        ("spec.serviceAccountName", "sa"),
        ("status.phase", "Running"),
        ("status.podIP", "10.0.0.1"),
        ("status.nominatedNodeName", "n2"),
    ];
    for (field, value) in table {
        assert_eq!(fields(&pod, field).as_deref(), Some(value), "{field}");
    }
    assert!(FIELDS.iter().all(|field| fields(&pod, field).is_some()));
    assert_eq!(fields(&pod, "spec.containers"), None);
}

#[test]
fn selectors_ask_the_fields() {
    let pod = with(&mk_pod(), json!({"spec": {"nodeName": "n1"}}));
    for (selector, expected) in [
        ("spec.nodeName=n1", true),
        ("spec.nodeName=", false),
        ("spec.nodeName!=n2,metadata.name=web", true),
        ("spec.nodeName=n1,metadata.name!=web", false),
        ("", true),
    ] {
        let selector = crate::fields::FieldSelector::parse(selector).unwrap();
        assert_eq!(crate::meta::selected(&selector, |field| fields(&pod, field)), expected, "{selector}");
    }
}

#[test]
fn facts_are_found_by_path() {
    let mut pod = with(
        &mk_pod(),
        json!({"metadata": {"annotations": {"a": "1", "b": "x\"y"}}, "status": {"podIP": "10.0.0.1"}}),
    );
    set_defaults(&mut pod);
    let table = [
        ("metadata.name", Some("web")),
        ("metadata.uid", Some("u1")),
        ("metadata.labels['app']", Some("web")),
        ("metadata.labels['none']", Some("")),
        ("metadata.annotations", Some("a=\"1\"\nb=\"x\\\"y\"")),
        ("status.podIP", Some("10.0.0.1")),
        ("status.podIPs", Some("10.0.0.1")),
        ("status.hostIP", Some("")),
        ("spec.containers", None),
        ("spec['x']", None),
    ];
    for (path, expected) in table {
        assert_eq!(field_value(&pod, path).as_deref(), expected, "{path}");
    }
}

#[test]
fn a_binding_names_a_node() {
    let table = [
        (json!({"kind": "Node", "name": "n1"}), ""),
        (json!({"name": "n1"}), ""),
        (json!({"kind": "Node"}), "target.name: Required value"),
        (
            json!({"kind": "Pod", "name": "n1"}),
            "target.kind: Unsupported value: \"Pod\": supported values: \"Node\", \"<empty>\"",
        ),
    ];
    for (target, expected) in table {
        let binding = serde_json::from_value(json!({"metadata": {"name": "web"}, "target": target})).unwrap();
        assert_eq!(crate::fixtures::text(&validate_binding(&binding)), expected);
    }
}
