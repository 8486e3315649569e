//! Lists and watches: pages, revisions, selectors, shapes.

use keelson_tests::{Curl, Subject};
use serde_json::{Value, json};

use super::{config_map, in_a_namespace, names, refused};

#[test]
fn pages_are_of_one_state() {
    in_a_namespace(|curl, namespace| {
        for name in ["a", "b", "c", "d"] {
            config_map(curl, namespace, name);
        }
        let path = format!("{namespace}/configmaps?labelSelector=of");
        let first = curl.get(&format!("{path}&limit=2")).json();
        assert_eq!(names(&first), ["a", "b"]);
        curl.send("DELETE", &format!("{namespace}/configmaps/c"), "", &[]);
        let token = first["metadata"]["continue"].as_str().unwrap();
        let second = curl.get(&format!("{path}&limit=2&continue={token}")).json();
        assert_eq!(names(&second), ["c", "d"]);
        assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
        assert_eq!(second["metadata"].get("continue"), None);
        let revision = first["metadata"]["resourceVersion"].as_str().unwrap();
        for (query, expected) in [
            (format!("resourceVersion={revision}&resourceVersionMatch=Exact"), vec!["a", "b", "c", "d"]),
            (format!("resourceVersion={revision}&resourceVersionMatch=NotOlderThan"), vec!["a", "b", "d"]),
            (format!("resourceVersion={revision}"), vec!["a", "b", "d"]),
            (format!("resourceVersion={revision}&limit=10"), vec!["a", "b", "c", "d"]),
            (String::new(), vec!["a", "b", "d"]),
        ] {
            assert_eq!(names(&curl.get(&format!("{path}&{query}")).json()), expected, "{query}");
        }
    });
}

#[test]
fn parameters_that_do_not_fit_together_are_refused() {
    let subject = Subject::start();
    let curl = Curl::new(&subject);
    for (query, code, part) in [
        (
            "resourceVersionMatch=Exact",
            422,
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            "resourceVersion=0&resourceVersionMatch=Exact",
            422,
            "\"exact\" is forbidden for resourceVersion \"0\"",
        ),
        ("resourceVersion=1&resourceVersionMatch=Newer", 422, "Unsupported value: \"Newer\""),
        ("sendInitialEvents=true", 422, "sendInitialEvents is forbidden for list"),
        (
            "watch=1&sendInitialEvents=true",
            422,
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            "watch=1&resourceVersion=1&resourceVersionMatch=NotOlderThan",
            422,
            "forbidden for watch unless sendInitialEvents is provided",
        ),
        ("limit=-1", 400, "limit"),
        ("labelSelector=a%20in%20", 400, "unable to parse requirement"),
        ("fieldSelector=spec.image%3Dx", 400, "field label not supported"),
    ] {
        refused(&curl.get(&format!("/api/v1/configmaps?{query}")), code, part);
    }
}

#[test]
fn every_kind_is_selected_by_name_and_namespace() {
    let subject = Subject::start();
    let curl = Curl::new(&subject);
    let groups = curl.get("/apis").json();
    let groups = groups["groups"].as_array().unwrap().iter();
    let versions =
        groups.map(|group| format!("/apis/{}", group["preferredVersion"]["groupVersion"].as_str().unwrap()));
    for version in std::iter::once("/api/v1".to_owned()).chain(versions) {
        for resource in curl.get(&version).json()["resources"].as_array().into_iter().flatten() {
            let listed = resource["verbs"].as_array().unwrap().contains(&json!("list"));
            let name = resource["name"].as_str().unwrap();
            if !listed || name.contains('/') {
                continue;
            }
            let selectors = match resource["namespaced"] == true {
                true => "metadata.name%21%3Dx,metadata.namespace%21%3Dx",
                false => "metadata.name%21%3Dx",
            };
            let answer = curl.get(&format!("{version}/{name}?fieldSelector={selectors}&limit=1"));
            assert_eq!(answer.code, 200, "{name}: {answer:?}");
        }
    }
}

#[test]
fn lists_come_in_the_shape_that_is_asked_for() {
    in_a_namespace(|curl, namespace| {
        config_map(curl, namespace, "a");
        let path = format!("{namespace}/configmaps?labelSelector=of,%21absent");
        let shaped = |accept: &str, query: &str| -> Value {
            Curl::clone(curl).header(&format!("Accept: {accept}")).get(&format!("{path}{query}")).json()
        };
        let partial = shaped("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "");
        assert_eq!(partial["kind"], "PartialObjectMetadataList");
        assert_eq!(
            (&partial["items"][0]["kind"], partial["items"][0].get("data")),
            (&json!("PartialObjectMetadata"), None)
        );
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        for (query, kind) in [
            ("", json!("PartialObjectMetadata")),
            ("&includeObject=Metadata", json!("PartialObjectMetadata")),
            ("&includeObject=Object", json!("ConfigMap")),
            ("&includeObject=None", Value::Null),
        ] {
            assert_eq!(shaped(table, query)["rows"][0]["object"]["kind"], kind, "{query}");
        }
        let initial = curl.get(&format!(
            "{path}&watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1"
        ));
        let lines: Vec<Value> =
            initial.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            (&lines[0]["type"], &lines[1]["type"]),
            (&json!("ADDED"), &json!("BOOKMARK")),
            "{lines:?}"
        );
        assert_eq!(lines[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    });
}
