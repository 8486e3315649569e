use keelson_proto::{Object, core};
use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

fn pod_schema() -> Schema {
    Schema::of_kind(core::Pod::KIND)
}

fn strategic(original: &Value, patch: &Value) -> Result<Value, ApiError> {
    apply(Form::Strategic, pod_schema(), original, patch.to_string().as_bytes())
}

/// Each row: an original, a patch, what they make. The whole is the spec of a pod.
fn check(table: &[(Value, Value, Value)]) {
    for (original, patch, expected) in table {
        let merged = strategic(&json!({"spec": original}), &json!({"spec": patch})).unwrap();
        assert_eq!(merged, json!({"spec": expected}), "{original} {patch}");
    }
}

#[test]
fn the_media_type_says_the_form() {
    for form in Form::ALL {
        assert_eq!(Form::from_content_type(form.content_type()), Some(form));
    }
    let parameters = "application/merge-patch+json; charset=utf-8";
    assert_eq!(Form::from_content_type(parameters), Some(Form::Merge));
    for other in ["application/json", "application/apply-patch+yaml", ""] {
        assert_eq!(Form::from_content_type(other), None, "{other}");
    }
}

#[test]
fn objects_merge_field_by_field() {
    check(&[
        (json!({"nodeName": "a"}), json!({"hostname": "h"}), json!({"nodeName": "a", "hostname": "h"})),
        (json!({"nodeName": "a"}), json!({"nodeName": null}), json!({})),
        (json!({}), json!({"nodeName": null}), json!({})),
        (
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"b": "2"}}),
            json!({"nodeSelector": {"a": "1", "b": "2"}}),
        ),
        (
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"a": null}}),
            json!({"nodeSelector": {}}),
        ),
        (json!({}), json!({"nodeSelector": {"a": null, "b": "2"}}), json!({"nodeSelector": {"b": "2"}})),
        (
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"$patch": "replace", "b": "2"}}),
            json!({"nodeSelector": {"b": "2"}}),
        ),
        (
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"$patch": "delete"}}),
            json!({"nodeSelector": {}}),
        ),
        (
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"$patch": "merge", "b": "2"}}),
            json!({"nodeSelector": {"a": "1", "b": "2"}}),
        ),
    ]);
}

#[test]
fn items_merge_by_their_key() {
    let one = json!({"name": "a", "image": "1", "args": ["x"]});
    check(&[
        (
            json!({"containers": [one, {"name": "b", "image": "1"}]}),
            json!({"containers": [{"name": "b", "image": "2"}]}),
            json!({"containers": [one, {"name": "b", "image": "2"}]}),
        ),
        (
            json!({"containers": [one]}),
            json!({"containers": [{"name": "new", "image": "1"}]}),
            json!({"containers": [{"name": "new", "image": "1"}, one]}),
        ),
        (
            json!({"containers": [one, {"name": "b"}]}),
            json!({"containers": [{"name": "b", "$patch": "delete"}]}),
            json!({"containers": [one]}),
        ),
        (
            json!({"containers": [one]}),
            json!({"containers": [{"$patch": "replace"}, {"name": "c", "image": "3"}]}),
            json!({"containers": [{"name": "c", "image": "3"}]}),
        ),
        (
            json!({"containers": [one]}),
            json!({"containers": [{"name": "a", "args": ["y"]}]}),
            json!({"containers": [{"name": "a", "image": "1", "args": ["y"]}]}),
        ),
        (
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}]}]}),
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "http"}], "env": [{"name": "B", "value": "2"}]}]}),
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "http"}], "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}]}),
        ),
        (
            json!({}),
            json!({"containers": [{"name": "a", "image": null}]}),
            json!({"containers": [{"name": "a"}]}),
        ),
        (json!({"containers": [one]}), json!({"containers": null}), json!({})),
        (
            json!({"tolerations": [{"key": "a"}]}),
            json!({"tolerations": [{"key": "b"}]}),
            json!({"tolerations": [{"key": "b"}]}),
        ),
    ]);
}

#[test]
fn the_order_can_be_given() {
    let names = |list: &[&str]| list.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
    check(&[
        (
            json!({"containers": names(&["a", "b", "c"])}),
            json!({"$setElementOrder/containers": names(&["c", "a"])}),
            json!({"containers": names(&["b", "c", "a"])}),
        ),
        (
            json!({"containers": names(&["a", "b"])}),
            json!({"$setElementOrder/containers": names(&["b", "new", "a"]), "containers": names(&["new"])}),
            json!({"containers": names(&["b", "new", "a"])}),
        ),
        (
            json!({"containers": names(&["a", "mine", "b"])}),
            json!({"$setElementOrder/containers": names(&["a", "b"]), "containers": [{"name": "b", "image": "2"}]}),
            json!({"containers": [{"name": "a"}, {"name": "mine"}, {"name": "b", "image": "2"}]}),
        ),
        (
            json!({"containers": names(&["a", "b"])}),
            json!({"$setElementOrder/containers": names(&["b"]), "containers": [{"name": "a", "$patch": "delete"}]}),
            json!({"containers": names(&["b"])}),
        ),
    ]);
}

#[test]
fn lists_of_scalars_unite() {
    let finalizers = |list: &[&str]| json!({"metadata": {"finalizers": list}});
    let table = [
        (json!({"metadata": {"finalizers": ["b/x"]}}), finalizers(&["b/x", "c/x"])),
        (json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"]}}), finalizers(&["c/x"])),
        (json!({"metadata": {"$setElementOrder/finalizers": ["c/x", "a/x"]}}), finalizers(&["c/x", "a/x"])),
    ];
    let originals = [finalizers(&["c/x"]), finalizers(&["a/x", "c/x"]), finalizers(&["a/x", "c/x"])];
    for (original, (patch, expected)) in originals.iter().zip(table) {
        assert_eq!(strategic(original, &patch).unwrap(), expected, "{original} {patch}");
    }
}

#[test]
fn only_the_kept_keys_stay() {
    check(&[
        (
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}),
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}),
        ),
        (
            json!({"dnsConfig": {"nameservers": ["a"], "searches": ["b"]}}),
            json!({"dnsConfig": {"$retainKeys": ["searches"]}}),
            json!({"dnsConfig": {"searches": ["b"]}}),
        ),
    ]);
}

#[test]
fn a_broken_patch_is_a_bad_request_that_says_where() {
    let original = json!({"spec": {"containers": [{"name": "a"}]}});
    let table = [
        (
            json!({"spec": {"containers": [{"image": "x"}]}}),
            "spec.containers[0]: the item lacks the merge key name",
        ),
        (json!({"spec": {"containers": ["x"]}}), "spec.containers[0]: the items of this list are objects"),
        (json!({"spec": {"containers": [{"$patch": "delete"}]}}), "spec.containers[0]: the item lacks"),
        (json!({"spec": {"$patch": "explode"}}), "spec: $patch is merge, replace or delete"),
        (json!({"spec": {"$retainKeys": ["a"], "b": 1}}), "spec.$retainKeys: the patch sets \"b\""),
        (json!({"spec": {"$retainKeys": "a"}}), "spec.$retainKeys: expected a list"),
        (
            json!({"metadata": {"finalizers": [{}]}}),
            "metadata.finalizers: the items of this list are scalars",
        ),
        (
            json!({"spec": {"containers": [{"name": "b"}], "$setElementOrder/containers": [{"name": "a"}]}}),
            "spec.containers: the patch sets \"b\", which $setElementOrder does not name",
        ),
        (json!([]), "a merge patch is a JSON object"),
    ];
    for (patch, expected) in table {
        let error = strategic(&original, &patch).unwrap_err();
        assert_eq!(error.reason(), crate::status::Reason::BadRequest);
        assert!(error.message().contains(expected), "{patch}: {error}");
    }
    let error = apply(Form::Merge, Schema::FREE, &original, b"{").unwrap_err();
    assert_eq!(error.code(), 400);
}

#[test]
fn merge_patch_follows_rfc_7396() {
    // The examples of the RFC's appendix, as far as they are about objects.
    let table = [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ];
    for (original, patch, expected) in table {
        let merged = apply(Form::Merge, Schema::FREE, &original, patch.to_string().as_bytes()).unwrap();
        assert_eq!(merged, expected);
    }
}

fn json_patch_of(original: &Value, operations: &Value) -> Result<Value, ApiError> {
    apply(Form::Json, Schema::FREE, original, operations.to_string().as_bytes())
}

#[test]
fn json_patch_applies_all_or_nothing() {
    let original = json!({"a": [1, 2], "b": {"c": "d"}});
    let good = json!([
        {"op": "test", "path": "/b/c", "value": "d"},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "remove", "path": "/a/0"},
        {"op": "copy", "from": "/b", "path": "/e"},
        {"op": "move", "from": "/b/c", "path": "/f~1g"},
        {"op": "replace", "path": "/e/c", "value": null},
    ]);
    let expected = json!({"a": [2, 3], "b": {}, "e": {"c": null}, "f/g": "d"});
    assert_eq!(json_patch_of(&original, &good).unwrap(), expected);

    let table = [
        (json!([{"op": "test", "path": "/b/c", "value": "x"}]), 422, "operation 0"),
        (
            json!([{"op": "add", "path": "/x", "value": 1}, {"op": "remove", "path": "/none"}]),
            422,
            "operation 1",
        ),
        (json!([{"op": "replace", "path": "/a/9", "value": 1}]), 422, "/a/9"),
        (json!([{"op": "turn", "path": "/a"}]), 400, "error decoding patch"),
        (json!({"op": "remove", "path": "/a"}), 400, "error decoding patch"),
    ];
    for (operations, code, words) in table {
        let error = json_patch_of(&original, &operations).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
}

#[test]
fn json_patch_finds_null_where_nothing_is() {
    let original = json!({"a": [1], "b": {"c": null, "d": 1}});
    for (path, found) in [
        ("/b/absent", true),
        ("/absent", true),
        ("/b/c", true),
        ("/b/d", false),
        ("/absent/deeper", false),
        ("/a/7", false),
    ] {
        let operations = json!([{"op": "test", "path": path, "value": null}]);
        assert_eq!(json_patch_of(&original, &operations).is_ok(), found, "{path}");
    }
    let absent = json!([{"op": "test", "path": "/absent", "value": 1}]);
    assert_eq!(json_patch_of(&original, &absent).unwrap_err().code(), 422);
}

#[test]
fn a_small_patch_cannot_make_a_large_object() {
    let many = Value::Array(vec![json!({"op": "test", "path": "", "value": {}}); MAX_OPERATIONS + 1]);
    assert_eq!(json_patch_of(&json!({}), &many).unwrap_err().code(), 413);
    let most = Value::Array(vec![json!({"op": "test", "path": "", "value": {}}); MAX_OPERATIONS]);
    assert!(json_patch_of(&json!({}), &most).is_ok());

    // Each copy doubles the object.
    let doubling: Vec<_> =
        (0..40).map(|index| json!({"op": "copy", "from": "/a", "path": format!("/a/{index}")})).collect();
    let error = json_patch_of(&json!({"a": {"x": "y".repeat(100)}}), &json!(doubling)).unwrap_err();
    assert_eq!(error.code(), 413, "{error}");

    // Each move wraps the object once more.
    let mut wrapping = Vec::new();
    for _ in 0..200 {
        wrapping.push(json!({"op": "add", "path": "/b", "value": {}}));
        wrapping.push(json!({"op": "move", "from": "/a", "path": "/b/a"}));
        wrapping.push(json!({"op": "move", "from": "/b", "path": "/a"}));
    }
    let error = json_patch_of(&json!({"a": 1}), &json!(wrapping)).unwrap_err();
    assert!(error.message().contains("nest"), "{error}");

    // Each step moves the whole object.
    let mut shuffling = Vec::new();
    for _ in 0..MAX_OPERATIONS / 2 {
        shuffling.push(json!({"op": "move", "from": "/a", "path": "/b"}));
        shuffling.push(json!({"op": "move", "from": "/b", "path": "/a"}));
    }
    let wide = json!({"a": vec![0; 2000]});
    assert_eq!(json_patch_of(&wide, &json!(shuffling)).unwrap_err().code(), 413);
    assert!(json_patch_of(&json!({"a": vec![0; 900]}), &json!(shuffling)).is_ok());

    let large = json!({"a": "x".repeat(MAX_BYTES)});
    let error = apply(Form::Merge, Schema::FREE, &json!({}), large.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.code(), 413);
}

#[test]
fn a_failed_merge_leaves_the_original() {
    let mut original = json!({"spec": {"nodeName": "a", "containers": []}});
    let before = original.clone();
    let patch = json!({"spec": {"nodeName": "b", "containers": [{}]}});
    assert!(strategic_merge(&mut original, &patch, pod_schema()).is_err());
    assert_eq!(original, before);
}

/// The merge patch that makes `to` of `from`; both objects without nulls.
fn diff(from: &Map<String, Value>, to: &Map<String, Value>) -> Map<String, Value> {
    let gone = from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let mut patch: Map<_, _> = gone.collect();
    for (key, new) in to {
        match (from.get(key), new) {
            (Some(old), new) if old == new => {}
            (Some(Value::Object(old)), Value::Object(new)) => {
                patch.insert(key.clone(), Value::Object(diff(old, new)));
            }
            _ => {
                patch.insert(key.clone(), new.clone());
            }
        }
    }
    patch
}

fn any_object() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-d]", value, 0..5).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn the_difference_of_two_objects_makes_one_of_the_other(from in any_object(), to in any_object()) {
        let patch = Value::Object(diff(&from, &to)).to_string();
        let (from, to) = (Value::Object(from), Value::Object(to));
        prop_assert_eq!(&apply(Form::Merge, Schema::FREE, &from, patch.as_bytes()).unwrap(), &to);
        // Without a schema a strategic merge is a merge patch.
        prop_assert_eq!(&apply(Form::Strategic, Schema::FREE, &from, patch.as_bytes()).unwrap(), &to);
    }

    #[test]
    fn any_merge_patch_applies_twice_as_once(object in any_object(), patch in any_object()) {
        let (object, patch) = (Value::Object(object), Value::Object(patch).to_string());
        let once = strategic(&object, &serde_json::from_str(&patch).unwrap());
        if let Ok(once) = once {
            prop_assert_eq!(strategic(&once, &serde_json::from_str(&patch).unwrap()).unwrap(), once);
        }
    }
}
