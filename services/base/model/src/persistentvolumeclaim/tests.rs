use serde_json::{Value, json};

use super::*;
use crate::fixtures::{text, with};

fn mk_claim(spec: Value) -> PersistentVolumeClaim {
    let mut claim = PersistentVolumeClaim::default();
    claim.metadata.name = "data".to_owned();
    claim.metadata.namespace = "default".to_owned();
    let whole =
        json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}});
    let mut claim = with(&with(&claim, whole), json!({"spec": spec}));
    set_defaults(&mut claim);
    claim
}

const IMMUTABLE_SPEC: &str = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

#[test]
fn claims_keep_their_rules() {
    let kind = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    let table = [
        (json!({}), String::new()),
        (
            json!({"accessModes": null}),
            "spec.accessModes: Required value: at least 1 access mode is required".to_owned(),
        ),
        (json!({"resources": null}), "spec.resources[storage]: Required value".to_owned()),
        (
            json!({"resources": {"requests": {"storage": "-1"}}}),
            "spec.resources[storage]: Invalid value: \"-1\": must be greater than zero".to_owned(),
        ),
        (json!({"dataSource": {"kind": "PersistentVolumeClaim", "name": "a"}}), String::new()),
        (
            json!({"dataSource": {"kind": "Cake", "name": "a"}}),
            format!("spec.dataSource: Invalid value: \"Cake\": {kind}"),
        ),
        (
            json!({"dataSource": {"kind": "K", "name": "a", "apiGroup": "g"}, "dataSourceRef": {"kind": "K", "name": "b", "apiGroup": "g"}}),
            "spec: Invalid value: \"spec.dataSource\": must match dataSourceRef".to_owned(),
        ),
        (json!({"storageClassName": ""}), String::new()),
        (
            json!({"volumeMode": "Stream"}),
            "spec.volumeMode: Unsupported value: \"Stream\": supported values: \"Block\", \"Filesystem\""
                .to_owned(),
        ),
    ];
    for (patch, expected) in table {
        assert_eq!(text(&validate(&mk_claim(patch))), expected);
    }
    let bad = validate(&mk_claim(json!({"storageClassName": "Fast_Disk"})));
    assert!(
        bad.to_string()
            .starts_with("spec.storageClassName: Invalid value: \"Fast_Disk\": a lowercase RFC 1123")
    );
}

#[test]
fn a_claim_gets_its_volume_and_class_once() {
    let old = mk_claim(json!({}));
    let change = |old: &PersistentVolumeClaim, spec: Value| {
        let mut new = with(old, json!({"spec": spec}));
        prepare_update(&mut new, old);
        text(&validate_update(&new, old))
    };
    assert_eq!(change(&old, json!({"volumeName": "disk", "storageClassName": "fast"})), "");
    assert_eq!(change(&old, json!({"accessModes": ["ReadOnlyMany"]})), IMMUTABLE_SPEC);
    assert_eq!(change(&old, json!({"resources": {"requests": {"storage": "2Gi"}}})), IMMUTABLE_SPEC);
    let given = mk_claim(json!({"volumeName": "disk", "storageClassName": "fast"}));
    assert_eq!(change(&given, json!({"volumeName": "other"})), IMMUTABLE_SPEC);
    assert_eq!(change(&given, json!({"storageClassName": "slow"})), IMMUTABLE_SPEC);
}

#[test]
fn a_bound_claim_may_grow() {
    let mut old = mk_claim(json!({"volumeName": "disk", "volumeAttributesClassName": "gold"}));
    old.status.phase = phase::BOUND.to_owned();
    old.status.capacity.clone_from(&old.spec.resources.requests);
    let change = |spec: Value| text(&validate_update(&with(&old, json!({"spec": spec})), &old));
    assert_eq!(change(json!({"resources": {"requests": {"storage": "2Gi"}}})), "");
    assert_eq!(
        change(json!({"resources": {"requests": {"storage": "1Mi"}}})),
        "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
    );
    assert_eq!(change(json!({"volumeAttributesClassName": "silver"})), "");
    assert_eq!(
        change(json!({"volumeAttributesClassName": null})),
        "spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"
    );
}

#[test]
fn the_older_class_moves_into_its_field() {
    let mut old = mk_claim(json!({}));
    old.metadata.annotations.insert("volume.beta.kubernetes.io/storage-class".to_owned(), "fast".to_owned());
    let moved = with(&old, json!({"spec": {"storageClassName": "fast"}, "metadata": {"annotations": null}}));
    assert_eq!(text(&validate_update(&moved, &old)), "");
    let lost = with(&old, json!({"metadata": {"annotations": null}}));
    assert_eq!(validate_update(&lost, &old).len(), 1);
    let other = with(&old, json!({"spec": {"storageClassName": "slow"}}));
    assert_eq!(text(&validate_update(&other, &old)), IMMUTABLE_SPEC);
}

#[test]
fn both_names_of_a_source_say_the_same() {
    let source = json!({"kind": "PersistentVolumeClaim", "name": "a"});
    for field in ["dataSource", "dataSourceRef"] {
        let mut claim = mk_claim(json!({field: source}));
        prepare_create(&mut claim);
        assert_eq!(claim.spec.data_source.as_ref().unwrap().name, "a", "{field}");
        assert_eq!(claim.spec.data_source_ref.as_ref().unwrap().name, "a", "{field}");
        assert_eq!(text(&validate(&claim)), "");
    }
    let mut elsewhere =
        mk_claim(json!({"dataSourceRef": {"kind": "K", "name": "a", "apiGroup": "g", "namespace": "n"}}));
    prepare_create(&mut elsewhere);
    assert!(elsewhere.spec.data_source.is_none());
}

#[test]
fn a_status_names_resources_and_states() {
    let old = mk_claim(json!({}));
    let write = |status: Value| text(&validate_status_update(&with(&old, json!({"status": status})), &old));
    assert_eq!(write(json!({"phase": "Bound", "capacity": {"storage": "1Gi"}})), "");
    assert_eq!(write(json!({"allocatedResourceStatuses": {"storage": "NodeResizePending"}})), "");
    assert_eq!(
        write(json!({"allocatedResources": {"cpu": "1"}})),
        "status.allocatedResources: Unsupported value: \"cpu\": supported values: \"storage\""
    );
    assert!(
        write(json!({"allocatedResourceStatuses": {"storage": "Stuck"}}))
            .contains("Unsupported value: \"Stuck\"")
    );
}
