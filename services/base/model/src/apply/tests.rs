use keelson_proto::Object as _;
use keelson_proto::core::{Pod, ReplicationController, Service};
use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::status::Reason;

fn at(second: i64) -> Time {
    Time { seconds: 1_700_000_000 + second, ..Time::default() }
}

fn writer(manager: &str, second: i64) -> Writer<'_> {
    Writer { manager, subresource: "", api_version: "v1", now: at(second) }
}

fn rc() -> Schema {
    Schema::of_kind(ReplicationController::KIND)
}

fn pod() -> Schema {
    Schema::of_kind(Pod::KIND)
}

/// What each manager owns, in short: `name/Operation` and its fields.
fn owners(managed: &[ManagedFieldsEntry]) -> Vec<(String, Value)> {
    let fields =
        |entry: &ManagedFieldsEntry| serde_json::from_slice(&entry.fields_v1.as_ref().unwrap().raw).unwrap();
    managed.iter().map(|entry| (format!("{}/{}", entry.manager, entry.operation), fields(entry))).collect()
}

fn controller(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "web"}, "spec": spec})
}

#[test]
fn who_applies_first_owns_what_the_configuration_gives() {
    let config = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}, "finalizers": ["a/b"]},
        "spec": {
            "nodeSelector": {"disk": "ssd"},
            "containers": [{
                "name": "c", "image": "i", "args": ["x"], "resources": {},
                "ports": [{"containerPort": 80}],
                "env": [{"name": "E", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            }],
        },
    });
    let applied = apply(pod(), None, &[], &config, writer("kubectl", 1), false).unwrap();
    assert_eq!(applied.object, config);
    assert_eq!(
        owners(&applied.managed),
        [(
            "kubectl/Apply".to_owned(),
            json!({
                "f:metadata": {"f:labels": {"f:app": {}}, "f:finalizers": {"v:\"a/b\"": {}}},
                "f:spec": {
                    "f:nodeSelector": {},
                    "f:containers": {"k:{\"name\":\"c\"}": {
                        ".": {}, "f:name": {}, "f:image": {}, "f:args": {}, "f:resources": {},
                        "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
                        "f:env": {"k:{\"name\":\"E\"}": {
                            ".": {}, "f:name": {}, "f:valueFrom": {"f:fieldRef": {}},
                        }},
                    }},
                },
            })
        )]
    );
    let entry = &applied.managed[0];
    assert_eq!((entry.api_version.as_str(), entry.fields_type.as_str()), ("v1", "FieldsV1"));
    assert_eq!(entry.time, Some(at(1)));
}

#[test]
fn what_is_not_applied_any_more_goes_unless_somebody_else_owns_it() {
    let first = controller(json!({"replicas": 1, "selector": {"a": "b"}, "minReadySeconds": 3}));
    let one = apply(rc(), None, &[], &first, writer("one", 1), false).unwrap();
    // The second manager applies the same value: both own it.
    let same = controller(json!({"replicas": 1}));
    let two = apply(rc(), Some(&one.object), &one.managed, &same, writer("two", 2), false).unwrap();
    assert_eq!(two.object, one.object);
    let less = controller(json!({"selector": {"a": "b"}}));
    let three = apply(rc(), Some(&two.object), &two.managed, &less, writer("one", 3), false).unwrap();
    assert_eq!(three.object["spec"], json!({"replicas": 1, "selector": {"a": "b"}}));
    let none = controller(json!({"minReadySeconds": 1}));
    let four = apply(rc(), Some(&three.object), &three.managed, &none, writer("two", 4), false).unwrap();
    assert_eq!(four.object["spec"], json!({"selector": {"a": "b"}, "minReadySeconds": 1}));
    assert_eq!(
        owners(&four.managed),
        [
            ("one/Apply".to_owned(), json!({"f:spec": {"f:selector": {}}})),
            ("two/Apply".to_owned(), json!({"f:spec": {"f:minReadySeconds": {}}})),
        ]
    );
}

#[test]
fn items_of_lists_go_one_by_one() {
    let config = |containers: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": containers}});
    let mine = config(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]));
    let one = apply(pod(), None, &[], &mine, writer("one", 1), false).unwrap();
    let theirs = config(json!([{"name": "c", "image": "1"}]));
    let two = apply(pod(), Some(&one.object), &one.managed, &theirs, writer("two", 2), false).unwrap();
    // What the server defaulted is nobody's, and goes with what it stands in.
    let mut live = two.object;
    live["spec"]["containers"][0]["imagePullPolicy"] = "Always".into();
    let order = config(json!([{"name": "b", "image": "2"}]));
    let three = apply(pod(), Some(&live), &two.managed, &order, writer("one", 3), false).unwrap();
    assert_eq!(
        three.object["spec"]["containers"],
        json!([{"name": "b", "image": "2"}, {"name": "c", "image": "1"}])
    );
    let swapped = config(json!([{"name": "c", "image": "1"}, {"name": "b", "image": "2"}]));
    let four = apply(pod(), Some(&three.object), &three.managed, &swapped, writer("one", 4), false).unwrap();
    assert_eq!(
        four.object["spec"]["containers"],
        json!([{"name": "c", "image": "1"}, {"name": "b", "image": "2"}])
    );
}

#[test]
fn a_conflict_names_the_owner_and_the_field_in_kubernetes_words() {
    let first = controller(json!({"replicas": 1, "minReadySeconds": 1}));
    let one = apply(rc(), None, &[], &first, writer("one", 1), false).unwrap();
    let other = controller(json!({"replicas": 2}));
    let error = apply(rc(), Some(&one.object), &one.managed, &other, writer("two", 2), false).unwrap_err();
    assert_eq!((error.code(), error.reason()), (409, Reason::Conflict));
    assert_eq!(error.message(), "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas");
    let causes = &error.status().details.as_ref().unwrap().causes;
    assert_eq!(
        (causes[0].reason.as_str(), causes[0].message.as_str(), causes[0].field.as_str()),
        ("FieldManagerConflict", "conflict with \"one\"", ".spec.replicas")
    );
    let both = controller(json!({"replicas": 2, "minReadySeconds": 2}));
    let error = apply(rc(), Some(&one.object), &one.managed, &both, writer("two", 2), false).unwrap_err();
    assert_eq!(
        error.message(),
        "Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.minReadySeconds\n- .spec.replicas"
    );
    let forced = apply(rc(), Some(&one.object), &one.managed, &both, writer("two", 2), true).unwrap();
    assert_eq!(forced.object["spec"], json!({"replicas": 2, "minReadySeconds": 2}));
    assert_eq!(owners(&forced.managed).len(), 1, "the first owner has nothing left");
}

#[test]
fn what_stood_there_before_has_an_owner_too() {
    let live = controller(json!({"replicas": 1, "selector": {"a": "b"}}));
    let config = controller(json!({"replicas": 2}));
    let error = apply(rc(), Some(&live), &[], &config, writer("me", 2), false).unwrap_err();
    assert_eq!(
        error.message(),
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .spec.replicas"
    );
    let same = controller(json!({"replicas": 1}));
    let applied = apply(rc(), Some(&live), &[], &same, writer("me", 2), false).unwrap();
    assert_eq!(
        owners(&applied.managed),
        [
            ("me/Apply".to_owned(), json!({"f:spec": {"f:replicas": {}}})),
            (
                "before-first-apply/Update".to_owned(),
                json!({"f:spec": {".": {}, "f:replicas": {}, "f:selector": {}}})
            ),
        ]
    );
}

#[test]
fn kubectl_goes_on_from_what_it_applied_on_the_client() {
    let mut live = controller(json!({"replicas": 1, "minReadySeconds": 0}));
    let applied = controller(json!({"replicas": 1})).to_string();
    live["metadata"]["annotations"] = json!({LAST_APPLIED: applied});
    let config = controller(json!({"replicas": 3}));
    let words =
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1: .spec.replicas";
    let other = apply(rc(), Some(&live), &[], &config, writer("argo", 2), false).unwrap_err();
    assert_eq!(other.message(), words);
    let upgraded = apply(rc(), Some(&live), &[], &config, writer("kubectl", 2), false).unwrap();
    assert_eq!(upgraded.object["spec"]["replicas"], 3);
    // Somebody scaled it since: that is a conflict even for kubectl.
    live["spec"]["replicas"] = 2.into();
    let scaled = apply(rc(), Some(&live), &[], &config, writer("kubectl", 2), false).unwrap_err();
    assert_eq!(scaled.message(), words);
}

#[test]
fn updates_take_over_what_they_change() {
    let config = controller(json!({"replicas": 1, "minReadySeconds": 1}));
    let one = apply(rc(), None, &[], &config, writer("one", 1), false).unwrap();
    let mut scaled = one.object.clone();
    scaled["spec"]["replicas"] = 5.into();
    let managed = track(rc(), &one.object, &scaled, &one.managed, writer("scaler", 2));
    assert_eq!(
        owners(&managed),
        [
            ("one/Apply".to_owned(), json!({"f:spec": {"f:minReadySeconds": {}}})),
            ("scaler/Update".to_owned(), json!({"f:spec": {"f:replicas": {}}})),
        ]
    );
    let error = apply(rc(), Some(&scaled), &managed, &config, writer("one", 3), false).unwrap_err();
    assert_eq!(
        error.message(),
        "Apply failed with 1 conflict: conflict with \"scaler\" using v1 at 2023-11-14T22:13:22Z: .spec.replicas"
    );
    assert_eq!(track(rc(), &one.object, &scaled, &[], writer("scaler", 2)), [], "nobody has applied it");
    assert_eq!(track(rc(), &scaled, &scaled, &managed, writer("scaler", 9)), managed, "nothing changed");
}

#[test]
fn many_updaters_become_one() {
    let config = controller(json!({"minReadySeconds": 1}));
    let mut managed = apply(rc(), None, &[], &config, writer("one", 0), false).unwrap().managed;
    let mut live = config;
    for index in 0..14 {
        let mut new = live.clone();
        new["metadata"]["labels"][format!("l{index}")] = "x".into();
        managed = track(rc(), &live, &new, &managed, writer(&format!("m{index}"), index));
        live = new;
    }
    let names: Vec<String> = owners(&managed).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 11, "{names:?}");
    assert!(names.contains(&"ancient-changes/Update".to_owned()) && names.contains(&"m13/Update".to_owned()));
}

#[test]
fn a_configuration_must_fit_its_schema() {
    for (config, words) in [
        (json!({"spec": {"replica": 1}}), ".spec.replica: field not declared in schema"),
        (json!({"spec": 5}), ".spec: expected map, got 5"),
        (
            json!({"spec": {"template": {"spec": {"containers": [{"image": "i"}]}}}}),
            ".spec.template.spec.containers: element 0: associative list with keys has an element that omits key field \"name\"",
        ),
        (
            json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}}}),
            "duplicate entries for key [name=\"a\"]",
        ),
        (json!({"spec": {"template": {"spec": {"containers": {}}}}}), "expected list, got map"),
    ] {
        let error = apply(rc(), None, &[], &config, writer("me", 1), false).unwrap_err();
        assert_eq!(error.code(), 400);
        assert!(error.message().contains(words), "{error}");
    }
}

#[test]
fn ports_of_one_number_are_told_apart_by_protocol() {
    let schema = Schema::of_kind(Service::KIND);
    let config = |ports: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "dns"}, "spec": {"ports": ports}});
    let udp = config(json!([{"port": 53, "protocol": "UDP"}]));
    let one = apply(schema, None, &[], &udp, writer("one", 1), false).unwrap();
    let tcp = config(json!([{"port": 53}]));
    let two = apply(schema, Some(&one.object), &one.managed, &tcp, writer("two", 1), false).unwrap();
    assert_eq!(two.object["spec"]["ports"], json!([{"port": 53, "protocol": "UDP"}, {"port": 53}]));
}

#[test]
fn unreadable_managers_count_as_none() {
    let entry = ManagedFieldsEntry::default();
    assert!(!is_readable(std::slice::from_ref(&entry)));
    let torn = ManagedFieldsEntry {
        operation: "Apply".into(),
        fields_type: "FieldsV1".into(),
        fields_v1: Some(keelson_proto::meta::FieldsV1 { raw: b"{\"x:y\":{}}".to_vec() }),
        ..entry
    };
    assert!(!is_readable(&[torn]));
}

/// Objects with the shape of a pod's parts: maps, lists by key, sets and lists that are owned whole.
fn any_config() -> impl Strategy<Value = Value> {
    let labels = prop::collection::btree_map("[a-c]", "[x-z]", 0..3);
    let finalizers = prop::collection::btree_set("[a-c]/f", 0..3);
    let env = prop::collection::btree_map("[A-C]", "[x-z]", 0..3);
    let container = (prop::option::of("[i-k]"), env, prop::collection::vec("[a-c]", 0..3));
    let containers = prop::collection::btree_map("[a-d]", container, 0..4);
    (labels, finalizers, containers, prop::option::of(0..3_i64)).prop_map(
        |(labels, finalizers, containers, grace)| {
            let mut metadata = Map::from_iter([("name".to_owned(), json!("web"))]);
            if !labels.is_empty() {
                metadata.insert("labels".to_owned(), json!(labels));
            }
            if !finalizers.is_empty() {
                metadata.insert("finalizers".to_owned(), json!(finalizers));
            }
            let mut spec = Map::new();
            if let Some(grace) = grace {
                spec.insert("terminationGracePeriodSeconds".to_owned(), grace.into());
            }
            let containers: Vec<Value> = containers
                .into_iter()
                .map(|(name, (image, env, args))| {
                    let mut container = json!({"name": name});
                    if let Some(image) = image {
                        container["image"] = image.into();
                    }
                    if !env.is_empty() {
                        let env = env.into_iter().map(|(name, value)| json!({"name": name, "value": value}));
                        container["env"] = env.collect();
                    }
                    if !args.is_empty() {
                        container["args"] = json!(args);
                    }
                    container
                })
                .collect();
            if !containers.is_empty() {
                spec.insert("containers".to_owned(), containers.into());
            }
            let mut config = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata});
            if !spec.is_empty() {
                config["spec"] = spec.into();
            }
            config
        },
    )
}

fn fields() -> Structure {
    Structure::Fields(pod())
}

fn set_of(config: &Value) -> Set {
    Set::of_config(config, fields()).unwrap()
}

proptest! {
    #[test]
    fn a_set_survives_being_written(config in any_config()) {
        let set = set_of(&config);
        prop_assert_eq!(Set::decode(&set.encode()).unwrap(), set);
    }

    #[test]
    fn sets_obey_the_laws_of_sets(a in any_config(), b in any_config()) {
        let (a, b) = (set_of(&a), set_of(&b));
        prop_assert_eq!(a.union(&b).ways(), b.union(&a).ways());
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)).ways(), a.ways());
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert!(a.ways().iter().all(|way| a.union(&b).contains(way)));
    }

    #[test]
    fn who_alone_applies_has_what_was_applied_last(first in any_config(), second in any_config()) {
        let one = apply(pod(), None, &[], &first, writer("me", 1), false).unwrap();
        let two = apply(pod(), Some(&one.object), &one.managed, &second, writer("me", 2), false).unwrap();
        let change = Difference::between(&two.object, &second, fields());
        prop_assert_eq!(change, Difference::default(), "{} {}", two.object, second);
        let again = apply(pod(), Some(&two.object), &two.managed, &second, writer("me", 3), false).unwrap();
        prop_assert_eq!(again, two);
    }

    #[test]
    fn a_forced_apply_always_gives_what_it_asks_for(mine in any_config(), theirs in any_config(), next in any_config()) {
        let one = apply(pod(), None, &[], &mine, writer("me", 1), false).unwrap();
        let two = apply(pod(), Some(&one.object), &one.managed, &theirs, writer("they", 2), true).unwrap();
        let three = apply(pod(), Some(&two.object), &two.managed, &next, writer("me", 3), true).unwrap();
        let missing = Difference::between(&three.object, &next, fields()).written();
        prop_assert!(missing.is_empty(), "{} lacks {:?}", three.object, missing.ways());
        // What they own and I did not change is still there.
        let owned = Managers::read(&three.managed).fields(&Manager::new("they", Operation::Apply, ""));
        let has = Set::of(&three.object, fields()).with_ancestors();
        prop_assert!(owned.ways().iter().all(|way| has.contains(way)), "{} {:?}", three.object, owned.ways());
    }

    #[test]
    fn two_who_agree_never_conflict(config in any_config()) {
        let one = apply(pod(), None, &[], &config, writer("one", 1), false).unwrap();
        let two = apply(pod(), Some(&one.object), &one.managed, &config, writer("two", 2), false).unwrap();
        prop_assert_eq!(&two.object, &one.object);
        let nothing = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}});
        let three = apply(pod(), Some(&two.object), &two.managed, &nothing, writer("one", 3), false).unwrap();
        prop_assert_eq!(Difference::between(&three.object, &config, fields()), Difference::default());
    }
}
