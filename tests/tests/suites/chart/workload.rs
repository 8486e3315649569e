//! What a rendered workload is made of.

use serde_json::{Value, json};

/// The objects of a kind.
pub(super) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The object of this kind and name.
#[track_caller]
pub(super) fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = of_kind(objects, kind).into_iter().find(|object| object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The workloads: whatever makes pods.
pub(super) fn workloads(objects: &[Value]) -> Vec<&Value> {
    let kinds = ["StatefulSet", "Deployment", "DaemonSet"];
    kinds.into_iter().flat_map(|kind| of_kind(objects, kind)).collect()
}

/// What a workload is called, for messages and for its pod.
pub(super) fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().expect("an object has a name").to_owned()
}

/// The first pod that a workload would make.
pub(super) fn pod(workload: &Value) -> Value {
    let template = &workload["spec"]["template"];
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"],
    });
    pod["metadata"]["name"] = json!(format!("{}-0", name(workload)));
    for claim in claims(workload) {
        let volume = claim["metadata"]["name"].as_str().expect("a claim has a name");
        let volume = json!({
            "name": volume, "persistentVolumeClaim": {"claimName": format!("{volume}-{}-0", name(workload))},
        });
        pod["spec"]["volumes"].as_array_mut().expect("pods here have volumes").push(volume);
    }
    pod
}

/// The claims that a workload makes for each of its pods.
pub(super) fn claims(workload: &Value) -> Vec<Value> {
    workload["spec"]["volumeClaimTemplates"].as_array().cloned().unwrap_or_default()
}

/// The containers of a workload's pods, those that run first included.
pub(super) fn containers(workload: &Value) -> Vec<&Value> {
    let spec = &workload["spec"]["template"]["spec"];
    ["initContainers", "containers"].iter().filter_map(|list| spec[list].as_array()).flatten().collect()
}

/// A list of texts.
pub(super) fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
