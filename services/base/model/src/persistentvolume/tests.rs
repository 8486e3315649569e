use serde_json::{Value, json};

use super::*;
use crate::fixtures::{text, with};

fn mk_volume(spec: Value) -> PersistentVolume {
    let mut volume = PersistentVolume::default();
    volume.metadata.name = "disk".to_owned();
    let whole = json!({"spec": {"capacity": {"storage": "1024Mi"}, "accessModes": ["ReadWriteOnce"]}});
    let mut volume = with(&with(&volume, whole), json!({"spec": spec}));
    set_defaults(&mut volume);
    volume
}

fn mk_host(spec: Value) -> PersistentVolume {
    with(&mk_volume(json!({"hostPath": {"path": "/data"}})), json!({"spec": spec}))
}

#[test]
fn a_volume_is_kept_and_holds_files_unless_it_says_otherwise() {
    let volume = mk_volume(json!({"hostPath": {"path": "/data"}}));
    assert_eq!(volume.spec.persistent_volume_reclaim_policy, "Retain");
    assert_eq!(volume.spec.volume_mode.as_deref(), Some("Filesystem"));
    assert_eq!(volume.spec.capacity["storage"].string, "1Gi");
    assert_eq!(volume.spec.persistent_volume_source.host_path.unwrap().r#type.as_deref(), Some(""));
    assert_eq!(volume.status.phase, "Pending");
    let disk = mk_volume(json!({"rbd": {"monitors": ["m"], "image": "i"}}));
    assert_eq!(disk.spec.persistent_volume_source.rbd.unwrap().pool, "rbd");
}

#[test]
fn volumes_keep_their_rules() {
    let expected = |patch: Value| text(&validate(&mk_host(patch)));
    let table = [
        (json!({}), ""),
        (json!({"accessModes": null}), "spec.accessModes: Required value"),
        (
            json!({"accessModes": ["Sometimes"]}),
            "spec.accessModes: Unsupported value: \"Sometimes\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\"",
        ),
        (
            json!({"accessModes": ["ReadWriteOnce", "ReadWriteOncePod"]}),
            "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
        ),
        (
            json!({"capacity": {"storage": "0"}}),
            "spec.capacity[storage]: Invalid value: \"0\": must be greater than zero",
        ),
        (
            json!({"capacity": {"cpu": "1"}}),
            "spec.capacity: Unsupported value: {\"cpu\":\"1\",\"storage\":\"1Gi\"}: supported values: \"storage\"",
        ),
        (
            json!({"persistentVolumeReclaimPolicy": "Burn"}),
            "spec.persistentVolumeReclaimPolicy: Unsupported value: \"Burn\": supported values: \"Delete\", \"Recycle\", \"Retain\"",
        ),
        (
            json!({"persistentVolumeReclaimPolicy": "Recycle", "hostPath": {"path": "/."}}),
            "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
        ),
        (
            json!({"nfs": {"server": "s", "path": "/p"}}),
            "spec.nfs: Forbidden: may not specify more than 1 volume type",
        ),
        (json!({"hostPath": null}), "spec: Required value: must specify a volume type"),
        (
            json!({"hostPath": {"path": "/a/../b"}}),
            "spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
        ),
        (
            json!({"volumeMode": "Stream"}),
            "spec.volumeMode: Unsupported value: \"Stream\": supported values: \"Block\", \"Filesystem\"",
        ),
        (
            json!({"nodeAffinity": {}}),
            "spec.nodeAffinity.required: Required value: must specify required node constraints",
        ),
    ];
    for (patch, faults) in table {
        assert_eq!(expected(patch), faults);
    }
}

#[test]
fn each_source_keeps_its_own_rules() {
    let local = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}});
    let table = [
        (json!({"local": {"path": "/d"}, "nodeAffinity": local}), ""),
        (
            json!({"local": {"path": "/d"}}),
            "spec.nodeAffinity: Required value: Local volume requires node affinity",
        ),
        (
            json!({"nfs": {"server": "s", "path": "p"}}),
            "spec.nfs.path: Invalid value: \"p\": must be an absolute path",
        ),
        (json!({"rbd": {"image": "i"}}), "spec.rbd.monitors: Required value"),
        (json!({"csi": {"driver": "a.b"}}), "spec.csi.volumeHandle: Required value"),
        (
            json!({"csi": {"driver": "a.b", "volumeHandle": "1", "nodeStageSecretRef": {"name": "s"}}}),
            "spec.csi.nodeStageSecretRef.namespace: Required value",
        ),
        (
            json!({"cinder": {"volumeID": "1", "secretRef": {"namespace": "n"}}}),
            "spec.cinder.secretRef.name: Required value",
        ),
        (
            json!({"azureFile": {"secretName": "s", "shareName": "n", "secretNamespace": ""}}),
            "spec.azureFile.secretNamespace: Required value",
        ),
        (
            json!({"iscsi": {"targetPortal": "p", "iqn": "iqn.x", "lun": 1, "chapAuthSession": true}}),
            "spec.iscsi.secretRef: Required value",
        ),
    ];
    for (source, expected) in table {
        assert_eq!(text(&validate(&mk_volume(source))), expected);
    }
}

#[test]
fn what_a_volume_consists_of_stays() {
    let old = mk_host(json!({}));
    let change = |patch: Value| text(&validate_update(&with(&old, json!({"spec": patch})), &old));
    assert_eq!(change(json!({"capacity": {"storage": "2Gi"}, "claimRef": {"name": "c"}})), "");
    assert_eq!(
        change(json!({"hostPath": {"path": "/other"}})),
        "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"
    );
    assert_eq!(
        change(json!({"volumeMode": "Block"})),
        "volumeMode: Invalid value: \"Block\": field is immutable"
    );
    let csi = mk_volume(json!({"csi": {"driver": "a.b", "volumeHandle": "1"}}));
    let secret = json!({"spec": {"csi": {"controllerExpandSecretRef": {"name": "s", "namespace": "n"}}}});
    assert_eq!(text(&validate_update(&with(&csi, secret), &csi)), "");
}

#[test]
fn a_phase_says_since_when() {
    let (then, now) = (Time { seconds: 1, nanos: 0 }, Time { seconds: 9, nanos: 0 });
    let mut old = mk_host(json!({}));
    old.metadata.creation_timestamp = Some(then);
    prepare_create(&mut old);
    assert_eq!(old.status.last_phase_transition_time, Some(then));
    let mut same = old.clone();
    same.spec.storage_class_name = "x".to_owned();
    same.status.message = "m".to_owned();
    prepare_status_update(&mut same, &old, now);
    assert_eq!((same.status.last_phase_transition_time, &same.spec), (Some(then), &old.spec));
    let mut bound = old.clone();
    bound.status.phase = phase::BOUND.to_owned();
    prepare_status_update(&mut bound, &old, now);
    assert_eq!(bound.status.last_phase_transition_time, Some(now));
}
