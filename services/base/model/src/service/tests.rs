use serde_json::{Value, json};

use super::*;
use crate::fixtures::{mk_pod, mk_service, text, with};

/// The service as the patch changes it, with all defaults.
fn mk(patch: Value) -> Service {
    let mut service = with(&mk_service(), patch);
    set_defaults(&mut service);
    service
}

#[test]
fn a_bare_service_gets_its_defaults() {
    let service = mk_service();
    let spec = &service.spec;
    assert_eq!((spec.session_affinity.as_str(), spec.r#type.as_str()), ("None", "ClusterIP"));
    assert_eq!((spec.ports[0].protocol.as_str(), spec.ports[0].target_port.as_int()), ("TCP", Some(80)));
    assert_eq!(spec.internal_traffic_policy.as_deref(), Some("Cluster"));
    assert_eq!(
        (spec.ip_families.join(" "), spec.ip_family_policy.as_deref()),
        ("IPv4".to_owned(), Some("SingleStack"))
    );
    assert_eq!(spec.cluster_ips, ["10.0.0.5"]);
    assert_eq!(spec.external_traffic_policy, "");
    assert_eq!(spec.allocate_load_balancer_node_ports, None);
}

#[test]
fn defaults_depend_on_the_type() {
    let spec = |kind: &str| mk(json!({"spec": {"type": kind}})).spec;
    assert_eq!(spec("NodePort").external_traffic_policy, "Cluster");
    assert_eq!(spec("LoadBalancer").allocate_load_balancer_node_ports, Some(true));
    assert_eq!(spec("NodePort").allocate_load_balancer_node_ports, None);
    let named = mk(json!({"spec": {"ports": [{"port": 80, "targetPort": "http"}]}})).spec;
    assert_eq!(named.ports[0].target_port.as_str(), Some("http"));
}

#[test]
fn a_clients_stay_is_three_hours_unless_told() {
    assert_eq!(affinity_seconds(&mk_service()), None);
    let sticky = mk(json!({"spec": {"sessionAffinity": "ClientIP"}}));
    assert_eq!(affinity_seconds(&sticky), Some(10_800));
    let brief = json!({"spec": {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}});
    assert_eq!(affinity_seconds(&mk(brief)), Some(5));
}

#[test]
fn services_keep_their_rules() {
    let ports = |list: Value| json!({"spec": {"ports": list}});
    let table = [
        (json!({}), ""),
        (ports(json!([])), "spec.ports: Required value"),
        (json!({"spec": {"ports": [], "clusterIP": "None", "clusterIPs": ["None"]}}), ""),
        (
            json!({"spec": {"type": "Magic"}}),
            "spec.type: Unsupported value: \"Magic\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
        ),
        (
            json!({"spec": {"sessionAffinity": "Cookie"}}),
            "spec.sessionAffinity: Unsupported value: \"Cookie\": supported values: \"ClientIP\", \"None\"",
        ),
        (
            json!({"spec": {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}}}}),
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400",
        ),
        (
            ports(json!([{"port": 0}])),
            "[spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive, spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive]",
        ),
        (
            ports(json!([{"port": 80, "nodePort": 30000}])),
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        (ports(json!([{"port": 80, "name": "a"}, {"port": 81}])), "spec.ports[1].name: Required value"),
        (
            ports(json!([{"port": 80, "name": "a"}, {"port": 81, "name": "a"}])),
            "spec.ports[1].name: Duplicate value: \"a\"",
        ),
        (
            ports(json!([{"port": 80, "name": "a"}, {"port": 80, "name": "b"}])),
            "spec.ports[1]: Duplicate value: \"80/TCP\"",
        ),
        (ports(json!([{"port": 80, "name": "a"}, {"port": 80, "name": "b", "protocol": "UDP"}])), ""),
        (
            json!({"spec": {"type": "NodePort", "ports": [
                {"port": 80, "name": "a", "nodePort": 30000}, {"port": 81, "name": "b", "nodePort": 30000},
            ]}}),
            "spec.ports[1].nodePort: Duplicate value: 30000",
        ),
        (
            json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 10250}]}}),
            "spec.ports[0].port: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet",
        ),
        (
            json!({"spec": {"type": "NodePort", "clusterIP": "None", "clusterIPs": ["None"]}}),
            "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services",
        ),
        (
            json!({"spec": {"clusterIP": "x", "clusterIPs": ["x"]}}),
            "spec.clusterIPs[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ),
        (
            json!({"spec": {"externalIPs": ["127.0.0.1"]}}),
            "spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        (
            json!({"spec": {"externalTrafficPolicy": "Local"}}),
            "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services",
        ),
        (
            json!({"spec": {"type": "NodePort", "externalTrafficPolicy": "Near"}}),
            "spec.externalTrafficPolicy: Unsupported value: \"Near\": supported values: \"Cluster\", \"Local\"",
        ),
        (
            json!({"spec": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}}),
            "spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            json!({"spec": {"type": "NodePort", "healthCheckNodePort": 31000}}),
            "spec.healthCheckNodePort: Invalid value: 31000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ),
        (
            json!({"spec": {"type": "ExternalName", "externalName": "a.example.com", "ports": null}}),
            "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
        ),
        (
            json!({"spec": {"type": "ExternalName", "clusterIP": null, "clusterIPs": null}}),
            "spec.externalName: Required value",
        ),
        (
            json!({"spec": {"type": "ExternalName", "externalName": "a.example.com", "clusterIP": null, "clusterIPs": null}}),
            "",
        ),
    ];
    for (patch, expected) in table {
        assert_eq!(text(&validate(&mk(patch.clone()))), expected, "{patch}");
    }
}

#[test]
fn names_are_dns_1035_labels() {
    for (name, good) in [("web", true), ("web-1", true), ("1web", false), ("a.b", false), ("Web", false)] {
        let service = mk(json!({"metadata": {"name": name}}));
        assert_eq!(validate(&service).is_empty(), good, "{name}");
    }
    assert!(validate(&mk(json!({"metadata": {"name": "a".repeat(63)}}))).is_empty());
    assert!(!validate(&mk(json!({"metadata": {"name": "a".repeat(64)}}))).is_empty());
}

#[test]
fn questions_follow_type_and_address() {
    // (patch, has address, needs address, headless, needs node ports)
    let table = [
        (json!({}), true, true, false, false),
        (json!({"spec": {"clusterIP": null, "clusterIPs": null}}), false, true, false, false),
        (json!({"spec": {"clusterIP": "None", "clusterIPs": null}}), false, false, true, false),
        (json!({"spec": {"type": "NodePort"}}), true, true, false, true),
        (json!({"spec": {"type": "LoadBalancer"}}), true, true, false, true),
        (
            json!({"spec": {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false}}),
            true,
            true,
            false,
            false,
        ),
        (
            json!({"spec": {"type": "ExternalName", "clusterIP": null, "clusterIPs": null}}),
            false,
            false,
            false,
            false,
        ),
    ];
    for (patch, has, needs, headless, node_ports) in table {
        let service = mk(patch.clone());
        let found = (
            has_cluster_ip(&service),
            needs_cluster_ip(&service),
            is_headless(&service),
            needs_node_ports(&service),
        );
        assert_eq!(found, (has, needs, headless, node_ports), "{patch}");
    }
}

#[test]
fn a_selector_selects_in_its_namespace() {
    let service = mk_service();
    assert!(selects(&service, &mk_pod()));
    assert!(!selects(&service, &with(&mk_pod(), json!({"metadata": {"namespace": "x"}}))));
    let none = mk(json!({"spec": {"selector": null}}));
    assert!(!selects(&none, &mk_pod()) && selector(&none).is_none() && !has_selector(&none));
    assert!(selector(&service).is_some_and(|selector| selector.matches(&mk_pod().metadata.labels)));
}

#[test]
fn an_update_keeps_what_was_allocated() {
    let old = mk(json!({"spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}}));
    let update = |patch: Value| {
        let mut new = mk(json!({"spec": {"clusterIP": null, "clusterIPs": null, "type": "NodePort"}}));
        new = with(&new, patch);
        set_defaults(&mut new);
        prepare_update(&mut new, &old);
        new
    };
    let same = update(json!({}));
    assert_eq!((same.spec.cluster_ip.as_str(), same.spec.cluster_ips.len()), ("10.0.0.5", 1));
    assert_eq!(same.spec.ports[0].node_port, 30080);
    assert_eq!(text(&validate_update(&same, &old)), "");
    let moved = update(json!({"spec": {"ports": [{"port": 81}]}}));
    assert_eq!(moved.spec.ports[0].node_port, 0, "another port has no node port yet");
    let taken = update(
        json!({"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b", "nodePort": 30080}]}}),
    );
    assert_eq!((taken.spec.ports[0].node_port, taken.spec.ports[1].node_port), (0, 30080));
}

#[test]
fn a_new_type_drops_what_it_cannot_have() {
    let old = mk(json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}));
    for (kind, address, node_port) in
        [("ClusterIP", "10.0.0.5", 0), ("NodePort", "10.0.0.5", 30080), ("ExternalName", "", 0)]
    {
        let mut new = with(&old, json!({"spec": {"type": kind, "externalName": "a.b"}}));
        set_defaults(&mut new);
        prepare_update(&mut new, &old);
        assert_eq!(
            (new.spec.cluster_ip.as_str(), new.spec.ports[0].node_port),
            (address, node_port),
            "{kind}"
        );
        assert!(new.status.load_balancer.ingress.is_empty());
        assert_eq!(text(&validate_update(&new, &old)), "", "{kind}");
    }
}

#[test]
fn an_address_stays_while_the_type_needs_it() {
    let old = mk_service();
    let other = mk(json!({"spec": {"clusterIP": "10.0.0.6", "clusterIPs": ["10.0.0.6"]}}));
    let expected = "spec.clusterIPs[0]: Invalid value: [\"10.0.0.6\"]: may not change once set";
    assert_eq!(text(&validate_update(&other, &old)), expected);
    let mut headless = mk(json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"]}}));
    assert_eq!(validate_update(&headless, &old).len(), 1);
    assert_eq!(validate_update(&old, &headless).len(), 1);
    headless.spec.selector.clear();
    assert!(validate_update(&headless.clone(), &headless).is_empty());
    let unset = mk(json!({"spec": {"clusterIP": null, "clusterIPs": null}}));
    assert!(validate_update(&old, &unset).is_empty(), "an address may come");
}

#[test]
fn only_a_load_balancer_has_ingress() {
    let ingress = json!({"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}});
    let balancer = mk(json!({"spec": {"type": "LoadBalancer"}}));
    assert_eq!(text(&validate_status_update(&with(&balancer, ingress.clone()), &balancer)), "");
    let plain = mk_service();
    let found = text(&validate_status_update(&with(&plain, ingress), &plain));
    assert_eq!(
        found,
        "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is \"LoadBalancer\""
    );
    let wrong = with(&balancer, json!({"status": {"loadBalancer": {"ingress": [{"hostname": "1.2.3.4"}]}}}));
    assert_eq!(validate_status_update(&wrong, &balancer).len(), 1);
}

#[test]
fn services_are_selected_by_address_and_type() {
    let service = mk_service();
    assert_eq!(fields(&service, "spec.clusterIP").as_deref(), Some("10.0.0.5"));
    assert_eq!(fields(&service, "spec.type").as_deref(), Some("ClusterIP"));
    assert!(FIELDS.iter().all(|field| fields(&service, field).is_some()));
    assert_eq!(fields(&service, "spec.ports"), None);
}
