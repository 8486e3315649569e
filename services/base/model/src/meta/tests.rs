use keelson_proto::meta::OwnerReference;

use super::*;
use crate::field::Path;
use crate::names;

fn mk_meta() -> ObjectMeta {
    ObjectMeta {
        name: "web".to_owned(),
        namespace: "default".to_owned(),
        uid: "u1".to_owned(),
        creation_timestamp: Some(Time { seconds: 10, nanos: 0 }),
        ..ObjectMeta::default()
    }
}

fn mk_owner(name: &str, controller: bool) -> OwnerReference {
    OwnerReference {
        api_version: "v1".to_owned(),
        kind: "ReplicationController".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        controller: Some(controller),
        ..OwnerReference::default()
    }
}

/// The faults of metadata as text, for an object in a namespace.
fn faults(change: impl FnOnce(&mut ObjectMeta)) -> String {
    let mut metadata = mk_meta();
    change(&mut metadata);
    let errors = validate(&metadata, true, names::dns_subdomain, &Path::new("metadata"));
    errors.iter().map(|error| format!("{}|{}", error.path, error.kind.reason())).collect::<Vec<_>>().join(" ")
}

#[test]
fn metadata_keeps_its_rules() {
    type Change = fn(&mut ObjectMeta);
    let table: &[(Change, &str)] = &[
        (|_| {}, ""),
        (|meta| meta.name.clear(), "metadata.name|FieldValueRequired"),
        (|meta| meta.name = "Web".to_owned(), "metadata.name|FieldValueInvalid"),
        (|meta| meta.generate_name = "web-".to_owned(), ""),
        (|meta| (meta.name, meta.generate_name) = (String::new(), "web-".to_owned()), ""),
        (|meta| meta.generate_name = "Web-".to_owned(), "metadata.generateName|FieldValueInvalid"),
        (|meta| meta.namespace.clear(), "metadata.namespace|FieldValueRequired"),
        (|meta| meta.namespace = "a.b".to_owned(), "metadata.namespace|FieldValueInvalid"),
        (|meta| meta.generation = -1, "metadata.generation|FieldValueInvalid"),
        (
            |meta| drop(meta.labels.insert("a b".to_owned(), String::new())),
            "metadata.labels|FieldValueInvalid",
        ),
        (
            |meta| drop(meta.labels.insert("a".to_owned(), "b c".to_owned())),
            "metadata.labels|FieldValueInvalid",
        ),
        (|meta| drop(meta.annotations.insert("A/B".to_owned(), "any text".to_owned())), ""),
        (
            |meta| drop(meta.annotations.insert("a b".to_owned(), String::new())),
            "metadata.annotations|FieldValueInvalid",
        ),
        (
            |meta| drop(meta.annotations.insert("a".to_owned(), "x".repeat(MAX_ANNOTATIONS_BYTES))),
            "metadata.annotations|FieldValueTooLong",
        ),
        (|meta| meta.finalizers.push("kubernetes".to_owned()), ""),
        (|meta| meta.finalizers.push("example.com/x".to_owned()), ""),
        (|meta| meta.finalizers.push("mine".to_owned()), "metadata.finalizers|FieldValueInvalid"),
        (
            |meta| meta.finalizers.extend(["orphan".to_owned(), "foregroundDeletion".to_owned()]),
            "metadata.finalizers|FieldValueInvalid",
        ),
        (|meta| meta.owner_references = vec![mk_owner("a", true), mk_owner("b", false)], ""),
        (
            |meta| meta.owner_references = vec![mk_owner("a", true), mk_owner("b", true)],
            "metadata.ownerReferences|FieldValueInvalid",
        ),
        (
            |meta| meta.owner_references = vec![OwnerReference { uid: String::new(), ..mk_owner("a", true) }],
            "metadata.ownerReferences.uid|FieldValueInvalid",
        ),
        (
            |meta| {
                meta.owner_references =
                    vec![OwnerReference { kind: "Event".to_owned(), ..mk_owner("a", true) }]
            },
            "metadata.ownerReferences|FieldValueInvalid",
        ),
    ];
    for (index, (change, expected)) in table.iter().enumerate() {
        assert_eq!(faults(change), *expected, "row {index}");
    }
}

#[test]
fn an_object_outside_namespaces_may_not_name_one() {
    let errors = validate(&mk_meta(), false, names::dns_subdomain, &Path::new("metadata"));
    assert_eq!(errors.to_string(), "metadata.namespace: Forbidden: not allowed on this type");
}

#[test]
fn what_identifies_an_object_does_not_change() {
    type Change = fn(&mut ObjectMeta);
    let table: &[(Change, &str)] = &[
        (|_| {}, ""),
        (|meta| drop(meta.labels.insert("a".to_owned(), "b".to_owned())), ""),
        (|meta| meta.name = "x".to_owned(), "metadata.name: Invalid value: \"x\": field is immutable"),
        (
            |meta| meta.namespace = "x".to_owned(),
            "metadata.namespace: Invalid value: \"x\": field is immutable",
        ),
        (|meta| meta.uid = "x".to_owned(), "metadata.uid: Invalid value: \"x\": field is immutable"),
        (
            |meta| meta.creation_timestamp = None,
            "metadata.creationTimestamp: Invalid value: null: field is immutable",
        ),
        (
            |meta| meta.deletion_timestamp = Some(Time { seconds: 0, nanos: 0 }),
            "metadata.deletionTimestamp: Invalid value: \"1970-01-01T00:00:00Z\": field is immutable",
        ),
        (
            |meta| meta.deletion_grace_period_seconds = Some(3),
            "metadata.deletionGracePeriodSeconds: Invalid value: 3: field is immutable",
        ),
        (|meta| meta.generation = -1, "metadata.generation: Invalid value: -1: must not be decremented"),
    ];
    for (change, expected) in table {
        let mut new = mk_meta();
        change(&mut new);
        let errors = validate_update(&new, &mk_meta(), &Path::new("metadata"));
        let text = if errors.is_empty() { String::new() } else { errors.to_string() };
        assert_eq!(text, *expected);
    }
}

#[test]
fn an_object_that_goes_gets_no_new_finalizers() {
    let mut old = mk_meta();
    old.deletion_timestamp = Some(Time { seconds: 20, nanos: 0 });
    old.finalizers = vec!["example.com/a".to_owned()];
    let mut new = old.clone();
    new.finalizers.clear();
    assert!(validate_update(&new, &old, &Path::new("metadata")).is_empty());
    new.finalizers = vec!["example.com/b".to_owned()];
    let errors = validate_update(&new, &old, &Path::new("metadata")).to_string();
    assert!(errors.starts_with("metadata.finalizers: Forbidden: no new finalizers"), "{errors}");
}

#[test]
fn a_client_may_leave_out_what_the_server_wrote() {
    let mut old = mk_meta();
    old.generation = 4;
    old.deletion_timestamp = Some(Time { seconds: 20, nanos: 0 });
    old.deletion_grace_period_seconds = Some(30);
    let mut new =
        ObjectMeta { name: "web".to_owned(), namespace: "default".to_owned(), ..ObjectMeta::default() };
    new.self_link = "/x".to_owned();
    prepare_update(&mut new, &old);
    assert_eq!(new, old);
    new.uid = "other".to_owned();
    prepare_update(&mut new, &old);
    assert_eq!(new.uid, "other", "a wrong uid is not corrected, but refused");
}

#[test]
fn a_new_object_gets_identity_from_the_server_only() {
    let mut metadata = mk_meta();
    metadata.resource_version = "7".to_owned();
    metadata.deletion_timestamp = Some(Time { seconds: 1, nanos: 0 });
    prepare_create(&mut metadata, "u2".to_owned(), Time { seconds: 99, nanos: 0 });
    assert_eq!(metadata.uid, "u2");
    assert_eq!(metadata.creation_timestamp, Some(Time { seconds: 99, nanos: 0 }));
    assert!(metadata.resource_version.is_empty() && metadata.deletion_timestamp.is_none());
}
