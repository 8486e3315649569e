use keelson_proto::Object;
use keelson_proto::coordination::Lease;
use keelson_proto::core::ConfigMap;
use serde_json::{Value, json};

use super::*;
use crate::resources;

fn mk_quota(hard: Value, used: Value) -> ResourceQuota {
    serde_json::from_value(json!({"spec": {"hard": hard}, "status": {"used": used}})).unwrap()
}

fn counted<K: Object>(object: &K) -> Counted<'_> {
    Counted { kind: K::KIND, object }
}

fn shown(amounts: &Amounts) -> Value {
    serde_json::to_value(resources::list(amounts)).unwrap()
}

/// What an object of this JSON uses of a quota of these resources.
fn uses<K: Object>(object: Value, names: &[&str]) -> Value {
    let object: K = serde_json::from_value(object).unwrap();
    let hard: Value = names.iter().map(|name| ((*name).to_owned(), json!("100"))).collect();
    let quota = mk_quota(hard, json!({}));
    shown(&used_of(&quota, [counted(&object)], Time { seconds: 1000, nanos: 0 }))
}

#[test]
fn pods_use_what_they_request_and_may_use() {
    let container = |requests: Value, limits: Value| json!({"name": "c", "resources": {"requests": requests, "limits": limits}});
    let pod = json!({"spec": {
        "containers": [
            container(json!({"cpu": "500m", "memory": "1Gi", "example.com/gpu": "1"}), json!({"cpu": "1"})),
            container(json!({"cpu": "250m"}), json!({})),
        ],
        "initContainers": [container(json!({"memory": "2Gi"}), json!({"cpu": "2"}))],
    }});
    let names = [
        "pods",
        "cpu",
        "requests.cpu",
        "limits.cpu",
        "memory",
        "limits.memory",
        "count/pods",
        "requests.example.com/gpu",
        "requests.storage",
    ];
    let expected = json!({
        "pods": "1", "cpu": "750m", "requests.cpu": "750m", "limits.cpu": "2", "memory": "2Gi",
        "limits.memory": "0", "count/pods": "1", "requests.example.com/gpu": "1", "requests.storage": "0",
    });
    assert_eq!(uses::<Pod>(pod, &names), expected);
}

#[test]
fn what_has_ended_is_only_counted() {
    let names = ["pods", "count/pods"];
    let table = [
        (json!({"status": {"phase": "Running"}}), "1"),
        (json!({"status": {"phase": "Failed"}}), "0"),
        (
            json!({"metadata": {"deletionTimestamp": "1970-01-01T00:16:30Z", "deletionGracePeriodSeconds": 5}}),
            "0",
        ),
        (
            json!({"metadata": {"deletionTimestamp": "1970-01-01T00:16:30Z", "deletionGracePeriodSeconds": 30}}),
            "1",
        ),
    ];
    for (pod, pods) in table {
        assert_eq!(uses::<Pod>(pod, &names), json!({"pods": pods, "count/pods": "1"}));
    }
}

#[test]
fn services_claims_and_others_count() {
    let names = ["services", "services.nodeports", "services.loadbalancers", "count/services", "pods"];
    let service = |kind: &str, more: Value| {
        let mut spec = json!({"type": kind, "ports": [{"port": 1}, {"port": 2, "nodePort": 30000}]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let used = uses::<Service>(json!({"spec": spec}), &names);
        assert_eq!(
            (&used["services"], &used["count/services"], &used["pods"]),
            (&json!("1"), &json!("1"), &json!("0"))
        );
        (used["services.nodeports"].clone(), used["services.loadbalancers"].clone())
    };
    assert_eq!(service("ClusterIP", json!({})), (json!("0"), json!("0")));
    assert_eq!(service("NodePort", json!({})), (json!("2"), json!("0")));
    assert_eq!(service("LoadBalancer", json!({})), (json!("2"), json!("1")));
    let few = json!({"allocateLoadBalancerNodePorts": false});
    assert_eq!(service("LoadBalancer", few), (json!("1"), json!("1")));

    let claim = json!({"spec": {"storageClassName": "gold", "resources": {"requests": {"storage": "1Gi"}}}});
    let names = [
        "persistentvolumeclaims",
        "requests.storage",
        "gold.storageclass.storage.k8s.io/requests.storage",
        "lead.storageclass.storage.k8s.io/persistentvolumeclaims",
    ];
    let expected = json!({
        "persistentvolumeclaims": "1", "requests.storage": "1Gi",
        "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
        "lead.storageclass.storage.k8s.io/persistentvolumeclaims": "0",
    });
    assert_eq!(uses::<PersistentVolumeClaim>(claim, &names), expected);
    let both = json!({"configmaps": "1", "count/configmaps": "1"});
    assert_eq!(uses::<ConfigMap>(json!({}), &["configmaps", "count/configmaps"]), both);
    let lease = "count/leases.coordination.k8s.io";
    assert_eq!(uses::<Lease>(json!({}), &[lease]), json!({lease: "1"}));
}

#[test]
fn scopes_are_of_pods_alone() {
    let mut quota = mk_quota(json!({"pods": "1", "services": "1"}), json!({}));
    assert!(matches(&quota, counted(&Service::default())));
    assert!(!matches(&quota, counted(&ConfigMap::default())), "nothing of it is limited");
    quota.spec.scopes = vec!["BestEffort".to_owned()];
    assert!(matches(&quota, counted(&Pod::default())));
    assert!(!matches(&quota, counted(&Service::default())));
}

#[test]
fn only_what_becomes_more_is_charged() {
    let service = |kind: &str| -> Service {
        serde_json::from_value(json!({"spec": {"type": kind, "ports": [{"port": 1}]}})).unwrap()
    };
    let quota = mk_quota(
        json!({"services": "5", "services.nodeports": "2", "services.loadbalancers": "1"}),
        json!({}),
    );
    let (plain, ported, balanced) = (service("ClusterIP"), service("NodePort"), service("LoadBalancer"));
    let table = [
        (None, &plain, json!({"services": "1"})),
        (None, &ported, json!({"services": "1", "services.nodeports": "1"})),
        (Some(&plain), &ported, json!({"services.nodeports": "1"})),
        (Some(&ported), &balanced, json!({"services.loadbalancers": "1"})),
        (Some(&balanced), &plain, json!({})),
    ];
    for (old, new, expected) in table {
        let more = increase(&quota, old.map(counted), counted(new), Time::default());
        assert_eq!(shown(&more), expected);
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let quota = mk_quota(json!({"pods": "2", "cpu": "1"}), json!({"pods": "2", "cpu": "500m"}));
    let ask = |json: Value| resources::amounts(&serde_json::from_value(json).unwrap());
    let excess = exceeded(&quota, &ask(json!({"pods": "1", "cpu": "500m"}))).unwrap_err();
    let parts = [&excess.requested, &excess.used, &excess.limited].map(shown);
    assert_eq!(parts, [json!({"pods": "1"}), json!({"pods": "2"}), json!({"pods": "2"})]);
    let used = exceeded(&quota, &ask(json!({"cpu": "500m"}))).unwrap();
    assert_eq!(shown(&used), json!({"pods": "2", "cpu": "1"}));
    assert_eq!(names_of(&ask(json!({"cpu": "1", "memory": "1"})), &quota), ["memory"]);
}

#[test]
fn containers_must_say_what_is_limited() {
    let quota = mk_quota(json!({"limits.cpu": "1", "requests.memory": "1", "pods": "1"}), json!({}));
    let pod: Pod = serde_json::from_value(json!({"spec": {
        "containers": [{"name": "b"}, {"name": "a", "resources": {"requests": {"memory": "1"}}}],
    }}))
    .unwrap();
    let said = must_specify(&pod, &constrained(&quota));
    assert_eq!(said.as_deref(), Some("must specify limits.cpu for: a,b; requests.memory for: b"));
    assert_eq!(must_specify(&pod, &[]), None);
}

#[test]
fn a_resource_depends_on_its_kinds() {
    let kinds = [Pod::KIND, Service::KIND, PersistentVolumeClaim::KIND, ConfigMap::KIND, Lease::KIND];
    let table: [(&str, [bool; 5]); 8] = [
        ("cpu", [true, false, false, false, false]),
        ("requests.example.com/gpu", [true, false, false, false, false]),
        ("services.nodeports", [false, true, false, false, false]),
        ("requests.storage", [false, false, true, false, false]),
        ("gold.storageclass.storage.k8s.io/requests.storage", [false, false, true, false, false]),
        ("configmaps", [false, false, false, true, false]),
        ("count/pods", [true, false, false, false, false]),
        ("count/leases.coordination.k8s.io", [false, false, false, false, true]),
    ];
    for (name, expected) in table {
        assert_eq!(kinds.map(|kind| covers(name, kind)), expected, "{name}");
    }
}
