//! Objects for tests: one valid object of each kind, and changes to it written as JSON merge patches.

use keelson_proto::Object;
use keelson_proto::core::{Node, Pod, ReplicationController, Service};
use serde_json::{Value, json};

use crate::field::ErrorList;
use crate::{node, pod, rc, service};

/// The object as the patch changes it.
pub(crate) fn with<K: Object>(base: &K, patch: Value) -> K {
    let mut value = serde_json::to_value(base).unwrap();
    json_patch::merge(&mut value, &patch);
    serde_json::from_value(value).unwrap()
}

/// The faults as a client reads them; "" for none.
pub(crate) fn text(errors: &ErrorList) -> String {
    if errors.is_empty() { String::new() } else { errors.to_string() }
}

fn mk<K: Object>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

/// A pod with one container, with all defaults.
pub(crate) fn mk_pod() -> Pod {
    let mut pod = mk(json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "u1", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
    }));
    pod::set_defaults(&mut pod);
    pod
}

/// A pod whose only container, or whose spec, the patch changes; with all defaults.
pub(crate) fn mk_pod_with(container: Value, spec: Value) -> Pod {
    let mut one = json!({"name": "web", "image": "nginx:1"});
    json_patch::merge(&mut one, &container);
    let mut pod = with(&mk_pod(), json!({"spec": spec}));
    pod = with(&pod, json!({"spec": {"containers": [one]}}));
    pod::set_defaults(&mut pod);
    pod
}

/// A controller of three pods, with all defaults.
pub(crate) fn mk_rc() -> ReplicationController {
    let mut controller = mk(json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "u2"},
        "spec": {
            "replicas": 3,
            "template": {
                "metadata": {"labels": {"app": "web"}, "annotations": {"note": "x"}},
                "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
            },
        },
    }));
    rc::set_defaults(&mut controller);
    controller
}

/// A service with one port and an address, with all defaults.
pub(crate) fn mk_service() -> Service {
    let mut service = mk(json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "u3"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}, "clusterIP": "10.0.0.5"},
    }));
    service::set_defaults(&mut service);
    service
}

/// A node that is ready, with all defaults.
pub(crate) fn mk_node() -> Node {
    let mut node = mk(json!({
        "metadata": {"name": "node-1", "uid": "u4"},
        "spec": {"podCIDR": "10.1.0.0/24", "providerID": "aws://1"},
        "status": {
            "capacity": {"cpu": "4000m", "memory": "8Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "Hostname", "address": "node-1"}, {"type": "InternalIP", "address": "192.168.0.1"}],
        },
    }));
    node::set_defaults(&mut node);
    node
}
