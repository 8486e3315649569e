//! The API as plain HTTP: what each verb answers to what, as kube-apiserver does.

mod documents;
mod events;
mod lists;
mod mutated;
mod writes;

use keelson_tests::{Answer, Curl, Subject};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// Works in a new namespace of a subject, by its collections' path: `/api/v1/namespaces/<name>`.
#[track_caller]
fn in_a_namespace(story: impl FnOnce(&Curl<'_>, &str)) {
    let subject = Subject::start();
    let curl = Curl::new(&subject);
    let name = format!("rest-{:08x}", fastrand::u32(..));
    post(&curl, "/api/v1/namespaces", &json!({"metadata": {"name": name}}));
    story(&curl, &format!("/api/v1/namespaces/{name}"));
    curl.send("DELETE", &format!("/api/v1/namespaces/{name}"), "", &[]);
}

#[track_caller]
fn post(curl: &Curl<'_>, path: &str, object: &Value) -> Value {
    let answer = curl.send("POST", path, JSON, object.to_string().as_bytes());
    assert_eq!(answer.code, 201, "{path}: {answer:?}");
    answer.json()
}

#[track_caller]
fn config_map(curl: &Curl<'_>, namespace: &str, name: &str) -> Value {
    let object = json!({"metadata": {"name": name, "labels": {"of": name}}, "data": {"a": "1"}});
    post(curl, &format!("{namespace}/configmaps"), &object)
}

/// Asserts a failure with this code whose message contains `part`.
#[track_caller]
fn refused(answer: &Answer, code: u16, part: &str) {
    let status = answer.failure();
    assert_eq!(answer.code, code, "{status}");
    assert!(status["message"].as_str().unwrap_or_default().contains(part), "{part:?} is not in {status}");
}

/// The names in a list.
fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
}
