use serde_json::json;

use super::*;
use crate::fixtures::{mk_pod, mk_rc, text, with};

#[test]
fn selector_and_labels_are_the_templates_unless_given() {
    let rc = mk_rc();
    assert_eq!(rc.spec.selector["app"], "web");
    assert_eq!(rc.metadata.labels["app"], "web");
    let mut one = with(&rc, json!({"spec": {"replicas": null, "selector": {"app": null, "x": "y"}}}));
    set_defaults(&mut one);
    assert_eq!((one.spec.replicas, one.spec.selector.contains_key("app")), (Some(1), false));
    let mut none = with(&rc, json!({"spec": {"replicas": 0}}));
    set_defaults(&mut none);
    assert_eq!(none.spec.replicas, Some(0));
}

#[test]
fn controllers_keep_their_rules() {
    let pods = |spec: serde_json::Value| json!({"spec": {"template": {"spec": spec}}});
    let disk = |read_only: bool| {
        pods(json!({"volumes": [{"name": "v", "gcePersistentDisk": {"pdName": "d", "readOnly": read_only}}]}))
    };
    let table = [
        (json!({}), ""),
        (
            json!({"spec": {"replicas": -1}}),
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            json!({"spec": {"minReadySeconds": -1}}),
            "spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0",
        ),
        (json!({"spec": {"selector": null}}), "spec.selector: Required value"),
        (json!({"spec": {"template": null}}), "spec.template: Required value"),
        (
            json!({"spec": {"selector": {"app": "db"}}}),
            "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`",
        ),
        (
            pods(json!({"restartPolicy": "Never"})),
            "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
        ),
        (
            pods(json!({"activeDeadlineSeconds": 5})),
            "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicationController is not Supported",
        ),
        (pods(json!({"containers": []})), "spec.template.spec.containers: Required value"),
        (disk(true), ""),
        (
            disk(false),
            "spec.template.spec.volumes[0].gcePersistentDisk.readOnly: Invalid value: false: must be true for replicated pods > 1; GCE PD can only be mounted on multiple machines if it is read-only",
        ),
    ];
    for (patch, expected) in table {
        assert_eq!(text(&validate(&with(&mk_rc(), patch.clone()))), expected, "{patch}");
    }
}

#[test]
fn a_status_does_not_contradict_itself() {
    let status = |status: serde_json::Value| with(&mk_rc(), json!({"status": status}));
    let table = [
        (json!({"replicas": 3, "readyReplicas": 2, "availableReplicas": 1, "fullyLabeledReplicas": 3}), ""),
        (json!({"replicas": -1}), "status.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (
            json!({"replicas": 1, "readyReplicas": 2}),
            "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
        ),
        (
            json!({"replicas": 3, "readyReplicas": 1, "availableReplicas": 2}),
            "status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas",
        ),
    ];
    for (new, expected) in table {
        let found = validate_status_update(&status(new.clone()), &mk_rc());
        // A negative number of replicas is also less than all others.
        assert!(text(&found).contains(expected) && found.is_empty() == expected.is_empty(), "{new}: {found}");
    }
}

#[test]
fn a_changed_spec_is_a_new_generation() {
    let mut old = mk_rc();
    prepare_create(&mut old);
    assert_eq!(old.metadata.generation, 1);
    let mut same = with(&old, json!({"metadata": {"labels": {"a": "b"}}, "status": {"replicas": 9}}));
    prepare_update(&mut same, &old);
    assert_eq!((same.metadata.generation, same.status.replicas), (1, 0));
    let mut more = with(&old, json!({"spec": {"replicas": 9}}));
    prepare_update(&mut more, &old);
    assert_eq!(more.metadata.generation, 2);
    let mut status = with(&old, json!({"spec": {"replicas": 9}, "status": {"replicas": 2}}));
    prepare_status_update(&mut status, &old);
    assert_eq!((status.spec.replicas, status.status.replicas, status.metadata.generation), (Some(3), 2, 1));
}

#[test]
fn a_pod_is_made_as_the_template_says() {
    let rc = mk_rc();
    let pod = pod_from_template(&rc).unwrap();
    assert_eq!((pod.metadata.generate_name.as_str(), pod.metadata.namespace.as_str()), ("web-", "default"));
    assert_eq!(pod.metadata.annotations["note"], "x");
    assert_eq!(pod.spec, rc.spec.template.clone().unwrap().spec);
    assert!(selects(&rc, &pod));
    assert_eq!(owner_of(&pod).map(|owner| owner.uid.as_str()), Some("u2"));
    let mut bare = rc;
    bare.spec.template = None;
    assert_eq!(pod_from_template(&bare), None);
}

#[test]
fn selection_stays_in_the_namespace() {
    let rc = mk_rc();
    assert!(selects(&rc, &mk_pod()));
    assert!(!selects(&rc, &with(&mk_pod(), json!({"metadata": {"namespace": "other"}}))));
    assert!(!selects(&rc, &with(&mk_pod(), json!({"metadata": {"labels": null}}))));
    assert!(
        !selects(&with(&rc, json!({"spec": {"selector": null}})), &mk_pod()),
        "an empty selector selects nothing"
    );
    assert_eq!(owner_of(&mk_pod()), None);
}

#[test]
fn controllers_are_selected_by_replicas() {
    let rc = with(&mk_rc(), json!({"status": {"replicas": 2}}));
    assert_eq!(fields(&rc, "status.replicas").as_deref(), Some("2"));
    assert!(FIELDS.iter().all(|field| fields(&rc, field).is_some()));
    assert_eq!(fields(&rc, "spec.replicas"), None);
}
