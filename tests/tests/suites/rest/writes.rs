//! create, update, patch, apply, delete: their options.

use serde_json::{Value, json};

use super::{APPLY, JSON, MERGE, config_map, in_a_namespace, names, post, refused};

#[test]
fn apply_creates_with_201_and_changes_with_200() {
    in_a_namespace(|curl, namespace| {
        let path = format!("{namespace}/configmaps/a?fieldManager=me");
        let config =
            |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {data}\n");
        let apply = |path: &str, data: &str| curl.send("PATCH", path, APPLY, config(data).as_bytes());
        let dry = apply(&format!("{path}&dryRun=All"), "{x: '1'}");
        assert_eq!((dry.code, curl.get(&format!("{namespace}/configmaps/a")).code), (201, 404), "{dry:?}");
        assert_eq!(apply(&path, "{x: '1'}").code, 201);
        assert_eq!(apply(&path, "{x: '2', y: '1'}").code, 200);
        let changed = apply(&path, "{y: '1'}").json();
        assert_eq!(changed["data"], json!({"y": "1"}));
        assert_eq!(changed["metadata"]["managedFields"][0]["fieldsV1"], json!({"f:data": {"f:y": {}}}));

        refused(
            &apply(&format!("{namespace}/configmaps/a"), "{}"),
            422,
            "fieldManager: Required value: is required for apply patch",
        );
        let conflict = apply(&format!("{namespace}/configmaps/a?fieldManager=you"), "{y: '2'}");
        refused(&conflict, 409, "Apply failed with 1 conflict: conflict with \"me\": .data.y");
        let cause = &conflict.json()["details"]["causes"][0];
        assert_eq!((&cause["reason"], &cause["field"]), (&json!("FieldManagerConflict"), &json!(".data.y")));
        let forced = apply(&format!("{namespace}/configmaps/a?fieldManager=you&force=true"), "{y: '2'}");
        assert_eq!((forced.code, &forced.json()["data"]["y"]), (200, &json!("2")));
        for (body, code, part) in [
            ("kind: [", 400, "error decoding YAML"),
            ("[]", 400, "is an object"),
            (
                "apiVersion: v1\nkind: Secret\nmetadata: {name: a}",
                400,
                "Incorrect version specified in apply patch",
            ),
            (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}",
                400,
                "does not match the name on the URL",
            ),
            (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, managedFields: []}",
                400,
                "managedFields must be nil",
            ),
            (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndatum: {}",
                400,
                ".datum: field not declared in schema",
            ),
            (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, resourceVersion: '1'}",
                409,
                "the object has been modified",
            ),
        ] {
            refused(&curl.send("PATCH", &path, APPLY, body.as_bytes()), code, part);
        }
        let force = curl.send("PATCH", &format!("{path}&force=true"), MERGE, b"{}");
        refused(&force, 422, "force: Forbidden: may not be specified for non-apply patch");
        // An update of what was applied is another owner's; to give it up, managers can be written as well.
        curl.send(
            "PATCH",
            &format!("{namespace}/configmaps/a?fieldManager=they"),
            MERGE,
            br#"{"data":{"y":"3"}}"#,
        );
        let managed =
            curl.get(&format!("{namespace}/configmaps/a")).json()["metadata"]["managedFields"].clone();
        assert_eq!(
            (&managed[0]["manager"], &managed[0]["operation"]),
            (&json!("they"), &json!("Update")),
            "{managed}"
        );
        let reset = curl.send("PATCH", &path, MERGE, br#"{"metadata":{"managedFields":[{}]}}"#).json();
        assert_eq!(reset["metadata"].get("managedFields"), None);
    });
}

#[test]
fn unknown_fields_are_treated_as_asked_by_every_verb() {
    in_a_namespace(|curl, namespace| {
        let body = json!({"metadata": {"name": "a"}, "datum": 1}).to_string();
        let create = |validation: &str| {
            let path = format!("{namespace}/configmaps?dryRun=All&fieldValidation={validation}");
            curl.send("POST", &path, JSON, body.as_bytes())
        };
        assert_eq!((create("Ignore").code, create("Warn").code), (201, 201));
        refused(&create("Strict"), 400, "strict decoding error: unknown field \"datum\"");
        refused(&create("Loud"), 400, "fieldValidation");
        config_map(curl, namespace, "a");
        let patch = |validation: &str| {
            let path = format!("{namespace}/configmaps/a?fieldValidation={validation}");
            curl.send("PATCH", &path, MERGE, br#"{"datum":1}"#)
        };
        assert_eq!((patch("Ignore").code, patch("Warn").code), (200, 200));
        refused(&patch("Strict"), 422, "strict decoding error: unknown field \"datum\"");
    });
}

#[test]
fn dry_runs_store_nothing_whatever_the_verb() {
    in_a_namespace(|curl, namespace| {
        let before = config_map(curl, namespace, "a");
        let all = format!("{namespace}/configmaps?labelSelector=of");
        let one = format!("{namespace}/configmaps/a?dryRun=All");
        let mut changed = before.clone();
        changed["data"] = json!({"b": "2"});
        for (method, path, media, body) in [
            ("PUT", &one, JSON, changed.to_string()),
            ("PATCH", &one, MERGE, json!({"data": {"c": "3"}}).to_string()),
            ("DELETE", &one, "", String::new()),
            ("DELETE", &format!("{all}&dryRun=All"), "", String::new()),
        ] {
            assert_eq!(curl.send(method, path, media, body.as_bytes()).code, 200, "{method} {path}");
            assert_eq!(curl.get(&format!("{namespace}/configmaps/a")).json(), before, "{method} {path}");
        }
        refused(
            &curl.send("DELETE", &format!("{namespace}/configmaps/a?dryRun=Some"), "", &[]),
            422,
            "dryRun",
        );
    });
}

#[test]
fn preconditions_guard_deletions() {
    in_a_namespace(|curl, namespace| {
        let made = config_map(curl, namespace, "a");
        let path = format!("{namespace}/configmaps/a");
        let delete = |preconditions: Value| {
            let options =
                json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions});
            curl.send("DELETE", &path, JSON, options.to_string().as_bytes())
        };
        refused(&delete(json!({"uid": "other"})), 409, "UID in ");
        refused(&delete(json!({"resourceVersion": "1"})), 409, "ResourceVersion in ");
        let metadata = &made["metadata"];
        let right = json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]});
        assert_eq!(delete(right).code, 200);
    });
}

#[test]
fn collections_are_deleted_by_selectors_and_names_are_generated() {
    in_a_namespace(|curl, namespace| {
        for name in ["a", "b", "c"] {
            config_map(curl, namespace, name);
        }
        let collection = format!("{namespace}/configmaps");
        let delete =
            |query: &str| curl.send("DELETE", &format!("{collection}?labelSelector=of{query}"), "", &[]);
        assert_eq!(delete("&fieldSelector=metadata.name%3Db").code, 200);
        assert_eq!(names(&curl.get(&format!("{collection}?labelSelector=of")).json()), ["a", "c"]);
        assert_eq!(delete("").code, 200);
        assert_eq!(names(&curl.get(&format!("{collection}?labelSelector=of")).json()), [""; 0]);
        let generated = post(curl, &collection, &json!({"metadata": {"generateName": "g-"}}));
        let name = generated["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("g-") && name.len() == 7, "{name}");
    });
}
