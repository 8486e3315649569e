//! What our own API says of rendered objects.

use keelson_tests::{Curl, Helm, InProcess, Target, helm};
use serde_json::{Value, json};

use super::SETS;
use super::workload::{claims, name, pod, workloads};

/// The kinds that Keelson has, and where they are.
const RESOURCES: [(&str, &str); 5] = [
    ("Pod", "pods"),
    ("Service", "services"),
    ("Secret", "secrets"),
    ("ServiceAccount", "serviceaccounts"),
    ("PersistentVolumeClaim", "persistentvolumeclaims"),
];

#[test]
fn our_own_api_takes_what_is_rendered() {
    let cluster = InProcess::start();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": helm::NAMESPACE}});
    let answer = Curl::new(cluster.target()).send(
        "POST",
        "/api/v1/namespaces",
        "application/json",
        namespace.to_string().as_bytes(),
    );
    assert_eq!(answer.code, 201, "{answer:?}");
    for (set, values) in SETS {
        let objects = Helm::new().objects(values);
        let ours = objects.iter().filter(|object| object["apiVersion"] == "v1").cloned();
        let made = workloads(&objects).into_iter().flat_map(|workload| {
            let mut claims = claims(workload);
            claims.push(pod(workload));
            claims
        });
        let taken: Vec<Value> = ours.chain(made).collect();
        assert!(taken.len() > 10, "{set}: {} objects", taken.len());
        taken
            .iter()
            .for_each(|object| create(cluster.target(), object, "?dryRun=All&fieldValidation=Strict"));
    }
}

#[test]
fn our_own_api_would_refuse_what_is_wrong() {
    let cluster = InProcess::start();
    let objects = Helm::new().objects("");
    let mut wrong = pod(workloads(&objects)[0]);
    wrong["metadata"]["namespace"] = json!("default");
    create(cluster.target(), &wrong, "?dryRun=All&fieldValidation=Strict");
    wrong["spec"]["containers"][0]["imagePullPolcy"] = json!("Always");
    let answer = post(cluster.target(), &wrong, "?dryRun=All&fieldValidation=Strict");
    assert_eq!(answer.0, 400, "a field that is misspelt: {}", answer.1);
    wrong = pod(workloads(&objects)[0]);
    wrong["spec"]["containers"][0]["volumeMounts"][0]["name"] = json!("absent");
    wrong["metadata"]["namespace"] = json!("default");
    let answer = post(cluster.target(), &wrong, "?dryRun=All");
    assert_eq!(answer.0, 422, "a volume that is not there: {}", answer.1);
}

/// Creates an object of a kind that Keelson has.
#[track_caller]
fn create(target: &Target, object: &Value, query: &str) {
    let (code, body) = post(target, object, query);
    assert_eq!(code, 201, "{} {}: {body}", object["kind"], name(object));
}

#[track_caller]
fn post(target: &Target, object: &Value, query: &str) -> (u16, String) {
    let found = RESOURCES.iter().find(|(kind, _)| object["kind"] == *kind);
    let (_, resource) = found.unwrap_or_else(|| panic!("Keelson has no {}", object["kind"]));
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or(helm::NAMESPACE);
    let mut object = object.clone();
    object["metadata"]["namespace"] = json!(namespace);
    let path = format!("/api/v1/namespaces/{namespace}/{resource}{query}");
    let answer = Curl::new(target).send("POST", &path, "application/json", object.to_string().as_bytes());
    (answer.code, answer.body)
}
