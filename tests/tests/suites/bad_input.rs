//! Input that is wrong: the right 4xx `Status`, which says where, and nothing stored.

mod fields;

use keelson_tests::{Answer, Curl, Subject};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const PODS: &str = "/api/v1/namespaces/default/pods";

/// Runs against the gateway of a subject, and asserts that it holds no more pods and services afterwards.
#[track_caller]
fn stores_nothing(story: impl FnOnce(&Curl<'_>)) {
    let subject = Subject::start();
    let curl = Curl::new(&subject);
    let before = names(&curl);
    story(&curl);
    assert_eq!(names(&curl), before, "something was stored");
    assert_eq!(curl.get("/readyz").code, 200, "the server is well");
}

#[track_caller]
fn names(curl: &Curl<'_>) -> Vec<Value> {
    let all = ["pods", "services", "replicationcontrollers", "namespaces"].map(|plural| {
        let list = curl.get(&format!("/api/v1/{plural}")).json();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["name"].clone())
            .collect::<Vec<_>>()
    });
    all.concat()
}

/// Asserts a failure with this code and reason whose message contains `part`.
#[track_caller]
fn assert_failure(answer: &Answer, code: u16, reason: &str, part: &str) {
    let status = answer.failure();
    assert_eq!(answer.code, code, "{status}");
    assert_eq!(status["reason"], reason, "{status}");
    let message = status["message"].as_str().unwrap();
    assert!(message.contains(part), "{part:?} is not in {message:?}");
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "main", "image": "x"}]},
    })
}

#[test]
fn bodies_that_cannot_be_read() {
    stores_nothing(|curl| {
        for (media, body) in [
            (JSON, &b""[..]),
            (JSON, b"{"),
            (JSON, b"[]"),
            (JSON, b"null"),
            (JSON, b"\"pod\""),
            (JSON, b"{\"kind\":\"Pod\",\"apiVersion\":\"v1\"} trailing"),
            (JSON, b"\xff\xfe\x00"),
            (YAML, b"kind: [Pod"),
            (YAML, b"\tkind: Pod"),
            (PROTOBUF, b"not an envelope"),
            (PROTOBUF, b"k8s\0\xff\xff\xff\xff\xff"),
            (PROTOBUF, b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\xff\x01"),
        ] {
            let answer = curl.send("POST", PODS, media, body);
            let status = answer.failure();
            assert_eq!(
                (answer.code, &status["reason"]),
                (400, &json!("BadRequest")),
                "{media} {body:?}: {status}"
            );
        }
        let deep = format!(
            "{{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{}{}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(curl.send("POST", PODS, JSON, deep.as_bytes()).code, 400, "nesting has its limit");
        let answer = curl.send("POST", PODS, "text/html", pod().to_string().as_bytes());
        assert_failure(&answer, 415, "UnsupportedMediaType", "application/json");
    });
}

#[test]
fn bodies_that_are_something_else() {
    stores_nothing(|curl| {
        let with = |field: &str, value: Value| {
            let mut pod = pod();
            pod[field] = value;
            pod.to_string()
        };
        for (body, part) in [
            (with("kind", json!("Widget")), "Widget"),
            (with("kind", json!("Service")), "Service"),
            (with("apiVersion", json!("v2")), "v2"),
            (with("kind", json!(7)), "kind"),
        ] {
            let answer = curl.send("POST", PODS, JSON, body.as_bytes());
            assert_failure(&answer, 400, "BadRequest", part);
        }
        let body = pod().to_string();
        assert_failure(
            &curl.send("POST", "/api/v1/namespaces/default/widgets", JSON, body.as_bytes()),
            404,
            "NotFound",
            "could not find",
        );
        assert_failure(&curl.get("/apis/nowhere.io/v1/pods"), 404, "NotFound", "could not find");
        let answer = curl.send("POST", "/api/v1/namespaces/default/pods/web", JSON, body.as_bytes());
        assert_failure(&answer, 405, "MethodNotAllowed", "");
        let answer = curl.send("POST", "/api/v1/namespaces/absent/pods", JSON, body.as_bytes());
        assert_failure(&answer, 404, "NotFound", "namespaces \"absent\" not found");
        let mut other = pod();
        other["metadata"]["namespace"] = json!("kube-system");
        let answer = curl.send("POST", PODS, JSON, other.to_string().as_bytes());
        assert_failure(&answer, 400, "BadRequest", "does not match the namespace");
    });
}

#[test]
fn versions_that_conflict() {
    let subject = Subject::start();
    let curl = Curl::new(&subject);
    let name = format!("conflict-{:08x}", fastrand::u32(..));
    let path = format!("/api/v1/namespaces/{name}");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let created = curl.send("POST", "/api/v1/namespaces", JSON, namespace.to_string().as_bytes());
    assert_eq!(created.code, 201, "{created:?}");
    let again = curl.send("POST", "/api/v1/namespaces", JSON, namespace.to_string().as_bytes());
    assert_failure(&again, 409, "AlreadyExists", &format!("namespaces \"{name}\" already exists"));

    let first = created.json();
    let mut changed = first.clone();
    changed["metadata"]["labels"] = json!({"a": "1"});
    assert_eq!(curl.send("PUT", &path, JSON, changed.to_string().as_bytes()).code, 200);
    changed["metadata"]["labels"] = json!({"a": "2"});
    let stale = curl.send("PUT", &path, JSON, changed.to_string().as_bytes());
    assert_failure(&stale, 409, "Conflict", "the object has been modified");
    assert_eq!(curl.get(&path).json()["metadata"]["labels"]["a"], "1");

    let mut renamed = first;
    renamed["metadata"]["name"] = json!("another");
    let answer = curl.send("PUT", &path, JSON, renamed.to_string().as_bytes());
    assert_failure(&answer, 400, "BadRequest", "name");
    let options = json!({"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}});
    let answer = curl.send("DELETE", &path, JSON, options.to_string().as_bytes());
    assert_failure(&answer, 409, "Conflict", "Precondition failed");
    assert_eq!(curl.send("DELETE", &path, "", b"").code, 200);
}

#[test]
fn bodies_that_are_too_large() {
    stores_nothing(|curl| {
        let body = with("/metadata/annotations", json!({"big": "x".repeat(4 << 20)}));
        let answer = curl.send("POST", PODS, JSON, body.as_bytes());
        assert_failure(&answer, 413, "RequestEntityTooLarge", "limit is");
        // Within the limit of a request, beyond that of annotations.
        let body = with("/metadata/annotations", json!({"big": "x".repeat(300 << 10)}));
        let answer = curl.send("POST", PODS, JSON, body.as_bytes());
        assert_failure(&answer, 422, "Invalid", "metadata.annotations");
    });
}

#[test]
fn queries_that_make_no_sense() {
    stores_nothing(|curl| {
        for (query, code) in [
            ("labelSelector=a%3D%3D%3Db", 400),
            ("fieldSelector=spec.colour%3Dred", 400),
            ("limit=many", 400),
            ("continue=nonsense", 400),
            ("resourceVersion=new", 400),
            ("watch=true&resourceVersion=x", 400),
            ("watch=true&timeoutSeconds=soon", 400),
        ] {
            let answer = curl.get(&format!("/api/v1/pods?{query}"));
            assert_eq!(answer.code, code, "{query}: {answer:?}");
            answer.failure();
        }
        let future = curl.get("/api/v1/pods?resourceVersion=999999999&resourceVersionMatch=Exact");
        assert!((400..=504).contains(&future.code), "{future:?}");
        future.failure();
    });
}

#[test]
fn patches_that_do_not_fit() {
    stores_nothing(|curl| {
        let path = "/api/v1/namespaces/default";
        let before = curl.get(path).json();
        for (media, body, code) in [
            ("application/json-patch+json", "{", 400),
            ("application/json-patch+json", r#"[{"op":"explode","path":"/metadata"}]"#, 400),
            (
                "application/json-patch+json",
                r#"[{"op":"replace","path":"/metadata/absent/x","value":1}]"#,
                422,
            ),
            ("application/merge-patch+json", "[]", 400),
            ("application/merge-patch+json", r#"{"metadata":{"labels":{"a b":"c"}}}"#, 422),
            ("application/strategic-merge-patch+json", r#"{"metadata":7}"#, 400),
            ("application/json", "{}", 415),
        ] {
            let answer = curl.send("PATCH", path, media, body.as_bytes());
            assert_eq!(answer.code, code, "{media} {body}: {answer:?}");
            answer.failure();
        }
        assert_eq!(curl.get(path).json(), before);
        let absent = curl.send("PATCH", &format!("{PODS}/absent"), "application/merge-patch+json", b"{}");
        assert_failure(&absent, 404, "NotFound", "pods \"absent\" not found");
    });
}

/// The pod with something else at this place, spelled.
fn with(pointer: &str, value: Value) -> String {
    let mut pod = pod();
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    pod.pointer_mut(parent).unwrap()[last] = value;
    pod.to_string()
}
