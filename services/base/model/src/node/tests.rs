use serde_json::json;

use super::*;
use crate::fixtures::{mk_node, text, with};

#[test]
fn amounts_are_canonical_and_allocatable_without_a_word() {
    let node = mk_node();
    assert_eq!(node.status.capacity["cpu"].string, "4");
    assert_eq!(node.status.allocatable, node.status.capacity);
    assert_eq!(node.spec.pod_cidrs, ["10.1.0.0/24"]);
    let room = allocatable(&node);
    assert_eq!((room.milli_cpu, room.memory, max_pods(&node)), (4000, 8 << 30, 110));
    let smaller = with(&node, json!({"status": {"allocatable": {"cpu": "3"}}}));
    assert_eq!(allocatable(&smaller).milli_cpu, 3000);
}

#[test]
fn a_node_takes_pods_while_it_is_ready_and_open() {
    let table = [
        (json!({}), true, true),
        (json!({"spec": {"unschedulable": true}}), true, false),
        (json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}), false, false),
        (json!({"status": {"conditions": []}}), false, false),
        (json!({"metadata": {"deletionTimestamp": "2020-01-01T00:00:00Z"}}), true, false),
    ];
    for (patch, ready, schedulable) in table {
        let node = with(&mk_node(), patch.clone());
        assert_eq!((is_ready(&node), is_schedulable(&node)), (ready, schedulable), "{patch}");
    }
}

#[test]
fn the_inner_address_comes_first() {
    let addresses = |list: serde_json::Value| with(&mk_node(), json!({"status": {"addresses": list}}));
    assert_eq!(internal_ip(&mk_node()), Some("192.168.0.1"));
    let outer = addresses(json!([{"type": "ExternalIP", "address": "1.2.3.4"}]));
    assert_eq!(internal_ip(&outer), Some("1.2.3.4"));
    assert_eq!(internal_ip(&addresses(json!([{"type": "Hostname", "address": "n"}]))), None);
}

#[test]
fn nodes_keep_their_rules() {
    let table = [
        (json!({}), ""),
        (json!({"metadata": {"namespace": "x"}}), "metadata.namespace: Forbidden: not allowed on this type"),
        (
            json!({"status": {"capacity": {"cpu": "-1"}}}),
            "status.capacity[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
        ),
        (
            json!({"spec": {"taints": [{"key": "a", "effect": "Stay"}]}}),
            "spec.taints[0].effect: Unsupported value: \"Stay\": supported values: \"NoExecute\", \"NoSchedule\", \"PreferNoSchedule\"",
        ),
        (
            json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "value": "b", "effect": "NoSchedule"}]}}),
            "spec.taints[1]: Duplicate value: {\"key\":\"a\",\"value\":\"b\",\"effect\":\"NoSchedule\"}",
        ),
        (
            json!({"status": {"addresses": [{"type": "Hostname", "address": "a"}, {"type": "Hostname", "address": "a"}]}}),
            "status.addresses[1]: Duplicate value: {\"type\":\"Hostname\",\"address\":\"a\"}",
        ),
        (
            json!({"spec": {"podCIDRs": ["10.1.0.0"]}}),
            "spec.podCIDRs[0]: Invalid value: \"10.1.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
        ),
    ];
    for (patch, expected) in table {
        assert_eq!(text(&validate(&with(&mk_node(), patch.clone()))), expected, "{patch}");
    }
}

#[test]
fn what_is_given_once_stays() {
    let old = mk_node();
    let table = [
        (json!({"spec": {"unschedulable": true}}), ""),
        (json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}), ""),
        (json!({"metadata": {"labels": {"a": "b"}}}), ""),
        (
            json!({"spec": {"podCIDRs": ["10.2.0.0/24"], "podCIDR": "10.2.0.0/24"}}),
            "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid",
        ),
        (
            json!({"spec": {"providerID": "aws://2"}}),
            "spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid",
        ),
        (
            json!({"spec": {"externalID": "x"}}),
            "spec: Forbidden: node updates may only change labels, taints, or capacity",
        ),
    ];
    for (patch, expected) in table {
        assert_eq!(text(&validate_update(&with(&old, patch.clone()), &old)), expected, "{patch}");
    }
    let bare = with(&old, json!({"spec": {"podCIDRs": null, "podCIDR": null, "providerID": null}}));
    assert_eq!(text(&validate_update(&old, &bare)), "", "both may be given later");
}

#[test]
fn writes_touch_their_own_part() {
    let old = mk_node();
    let sent = with(&old, json!({"spec": {"unschedulable": true}, "status": {"phase": "x"}}));
    let mut new = sent.clone();
    prepare_update(&mut new, &old);
    assert_eq!((new.spec.unschedulable, new.status.phase.as_str()), (true, ""));
    let mut new = sent;
    prepare_status_update(&mut new, &old);
    assert_eq!((new.spec.unschedulable, new.status.phase.as_str()), (false, "x"));
    assert!(validate_status_update(&new, &old).is_empty());
}

#[test]
fn nodes_are_selected_by_name_and_openness() {
    let node = mk_node();
    assert_eq!(fields(&node, "spec.unschedulable").as_deref(), Some("false"));
    assert_eq!(fields(&node, "metadata.name").as_deref(), Some("node-1"));
    assert_eq!(fields(&node, "metadata.namespace"), None);
}
