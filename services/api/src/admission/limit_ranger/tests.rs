use serde_json::{Value, json};

use super::*;

fn mk_range(item: Value) -> LimitRange {
    let mut range: LimitRange = serde_json::from_value(json!({"spec": {"limits": [item]}})).unwrap();
    keelson_base_model::limitrange::set_defaults(&mut range);
    range
}

fn mk_pod(containers: Value) -> Pod {
    let mut pod: Pod = serde_json::from_value(json!({"spec": containers})).unwrap();
    pod::set_defaults(&mut pod);
    pod
}

fn container(name: &str, requests: Value, limits: Value) -> Value {
    json!({"name": name, "resources": {"requests": requests, "limits": limits}})
}

#[test]
fn containers_get_what_they_leave_open() {
    let range = mk_range(json!({
        "type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "500m"},
    }));
    let mut pod = mk_pod(json!({
        "containers": [container("a", json!({}), json!({})), container("b", json!({"cpu": "100m"}), json!({"cpu": "2"}))],
        "initContainers": [container("i", json!({"cpu": "1", "memory": "1"}), json!({"cpu": "1", "memory": "1"}))],
    }));
    defaults::set(&mut pod, &range);
    let resources =
        |container: &keelson_proto::core::Container| serde_json::to_value(&container.resources).unwrap();
    let spec = &pod.spec;
    assert_eq!(
        resources(&spec.containers[0]),
        json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}})
    );
    assert_eq!(
        resources(&spec.containers[1]),
        json!({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}})
    );
    let note = "LimitRanger plugin set: cpu, memory request for container a; cpu, memory limit for container a; \
                memory request for container b; memory limit for container b";
    assert_eq!(pod.metadata.annotations["kubernetes.io/limit-ranger"], note);
    let before = pod.clone();
    defaults::set(&mut pod, &range);
    assert_eq!(pod, before, "what is given is given once");
}

#[test]
fn containers_keep_to_least_and_most() {
    let table = [
        (json!({"max": {"cpu": "1"}}), json!({}), json!({"cpu": "1"}), None),
        (
            json!({"max": {"cpu": "1"}}),
            json!({}),
            json!({"cpu": "2"}),
            Some("maximum cpu usage per Container is 1, but limit is 2"),
        ),
        (
            json!({"max": {"cpu": "1"}}),
            json!({}),
            json!({}),
            Some("maximum cpu usage per Container is 1.  No limit is specified"),
        ),
        (
            json!({"min": {"memory": "1Gi"}}),
            json!({}),
            json!({}),
            Some("minimum memory usage per Container is 1Gi.  No request is specified"),
        ),
        (
            json!({"min": {"memory": "1Gi"}}),
            json!({"memory": "512Mi"}),
            json!({}),
            Some("minimum memory usage per Container is 1Gi, but request is 512Mi"),
        ),
        (json!({"maxLimitRequestRatio": {"cpu": "2"}}), json!({"cpu": "1"}), json!({"cpu": "2"}), None),
        (
            json!({"maxLimitRequestRatio": {"cpu": "2"}}),
            json!({"cpu": "100m"}),
            json!({"cpu": "1"}),
            Some("cpu max limit to request ratio per Container is 2, but provided ratio is 10.000000"),
        ),
        (
            json!({"maxLimitRequestRatio": {"cpu": "2"}}),
            json!({}),
            json!({}),
            Some(
                "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
            ),
        ),
    ];
    for (item, requests, limits, expected) in table {
        let mut item = item;
        item["type"] = json!("Container");
        let range: LimitRange = serde_json::from_value(json!({"spec": {"limits": [item]}})).unwrap();
        let pod = mk_pod(json!({"containers": [container("c", requests, limits)]}));
        assert_eq!(of_pod(&pod, &range), Vec::from_iter(expected), "{range:?}");
    }
}

#[test]
fn a_pod_is_the_sum_of_its_containers() {
    let range = mk_range(json!({"type": "Pod", "max": {"cpu": "1"}, "min": {"cpu": "200m"}}));
    let pod = |cpu: &str| {
        let one = |name: &str| container(name, json!({"cpu": cpu}), json!({"cpu": cpu}));
        mk_pod(json!({"containers": [one("a"), one("b")]}))
    };
    assert!(of_pod(&pod("500m"), &range).is_empty());
    assert_eq!(of_pod(&pod("600m"), &range), ["maximum cpu usage per Pod is 1, but limit is 1200m"]);
    assert_eq!(of_pod(&pod("50m"), &range), ["minimum cpu usage per Pod is 200m, but request is 100m"]);
}

#[test]
fn claims_are_limited_by_what_they_request() {
    let range = mk_range(json!({
        "type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}, "min": {"storage": "1Gi"},
    }));
    let table = [
        ("1Gi", None),
        ("3Gi", Some("maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi")),
        ("1Mi", Some("minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi")),
    ];
    for (storage, expected) in table {
        let spec = json!({"spec": {"resources": {"requests": {"storage": storage}}}});
        let claim: PersistentVolumeClaim = serde_json::from_value(spec).unwrap();
        assert_eq!(of_claim(&claim, &range), Vec::from_iter(expected));
    }
}
