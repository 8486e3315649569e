use serde_json::{Value, json};

use super::*;
use crate::fixtures::text;

fn mk_volumes(values: Value) -> Vec<Volume> {
    let mut volumes: Vec<Volume> = values
        .as_array()
        .unwrap()
        .iter()
        .map(|value| serde_json::from_value(value.clone()).unwrap())
        .collect();
    volumes.iter_mut().for_each(set_defaults);
    volumes
}

/// The faults of one volume named `v` with this source.
fn faults(source: Value) -> String {
    let mut volume = json!({"name": "v"});
    json_patch::merge(&mut volume, &source);
    text(&validate(&mk_volumes(json!([volume])), &Path::new("volumes")))
}

#[test]
fn names_are_labels_and_unique() {
    let check = |values: Value| text(&validate(&mk_volumes(values), &Path::new("volumes")));
    assert_eq!(check(json!([{"name": "a"}, {"name": "b"}])), "");
    assert_eq!(check(json!([{}])), "volumes[0].name: Required value");
    assert_eq!(check(json!([{"name": "a"}, {"name": "a"}])), "volumes[1].name: Duplicate value: \"a\"");
    assert!(check(json!([{"name": "A"}])).starts_with("volumes[0].name: Invalid value: \"A\""));
}

#[test]
fn a_volume_without_a_source_is_an_empty_directory() {
    assert_eq!(kinds(&mk_volumes(json!([{"name": "v"}]))[0].volume_source), ["emptyDir"]);
}

#[test]
fn files_get_their_permissions() {
    let volumes = mk_volumes(json!([
        {"name": "s", "secret": {"secretName": "x"}},
        {"name": "c", "configMap": {"name": "x", "defaultMode": 256}},
        {"name": "d", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
    ]));
    let sources: Vec<_> = volumes.iter().map(|volume| &volume.volume_source).collect();
    assert_eq!(sources[0].secret.as_ref().and_then(|one| one.default_mode), Some(0o644));
    assert_eq!(sources[1].config_map.as_ref().and_then(|one| one.default_mode), Some(256));
    let facts = sources[2].downward_api.as_ref().unwrap();
    assert_eq!(facts.default_mode, Some(0o644));
    assert_eq!(facts.items[0].field_ref.as_ref().map(|one| one.api_version.as_str()), Some("v1"));
    let projected = sources[3].projected.as_ref().unwrap();
    let token = projected.sources[0].service_account_token.as_ref();
    assert_eq!(
        (projected.default_mode, token.and_then(|one| one.expiration_seconds)),
        (Some(0o644), Some(3600))
    );
}

#[test]
fn each_source_keeps_its_rules() {
    let at = "volumes[0]";
    let lun = "must be between 0 and 255, inclusive";
    let table = [
        (json!({"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}), String::new()),
        (
            json!({"emptyDir": {"medium": "Tape"}}),
            format!(
                "{at}.emptyDir.medium: Unsupported value: \"Tape\": supported values: \"\", \"HugePages\", \"Memory\""
            ),
        ),
        (
            json!({"emptyDir": {}, "hostPath": {"path": "/x"}}),
            format!("{at}.hostPath: Forbidden: may not specify more than 1 volume type"),
        ),
        (json!({"hostPath": {"path": "/x", "type": "Directory"}}), String::new()),
        (json!({"hostPath": {}}), format!("{at}.hostPath.path: Required value")),
        (
            json!({"hostPath": {"path": "/a/../b"}}),
            format!("{at}.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"),
        ),
        (json!({"gitRepo": {}}), format!("{at}.gitRepo.repository: Required value")),
        (json!({"secret": {}}), format!("{at}.secret.secretName: Required value")),
        (
            json!({"secret": {"secretName": "s", "items": [{"key": "k", "path": "/p"}]}}),
            format!("{at}.secret.items[0].path: Invalid value: \"/p\": must be a relative path"),
        ),
        (
            json!({"secret": {"secretName": "s", "defaultMode": 4096}}),
            format!(
                "{at}.secret.defaultMode: Invalid value: 4096: must be a number between 0 and 0777 (octal), both inclusive"
            ),
        ),
        (json!({"configMap": {}}), format!("{at}.configMap.name: Required value")),
        (
            json!({"nfs": {"server": "s", "path": "p"}}),
            format!("{at}.nfs.path: Invalid value: \"p\": must be an absolute path"),
        ),
        (
            json!({"iscsi": {"targetPortal": "p", "iqn": "iqn.x", "lun": 256}}),
            format!("{at}.iscsi.lun: Invalid value: 256: {lun}"),
        ),
        (
            json!({"iscsi": {"targetPortal": "p", "iqn": "x"}}),
            format!(
                "{at}.iscsi.iqn: Invalid value: \"x\": must be valid format starting with iqn, eui, or naa"
            ),
        ),
        (
            json!({"gcePersistentDisk": {"pdName": "d", "partition": 256}}),
            format!("{at}.gcePersistentDisk.partition: Invalid value: 256: {lun}"),
        ),
        (json!({"awsElasticBlockStore": {}}), format!("{at}.awsElasticBlockStore.volumeID: Required value")),
        (json!({"glusterfs": {"endpoints": "e"}}), format!("{at}.glusterfs.path: Required value")),
        (json!({"rbd": {"image": "i", "monitors": []}}), format!("{at}.rbd.monitors: Required value")),
        (
            json!({"persistentVolumeClaim": {}}),
            format!("{at}.persistentVolumeClaim.claimName: Required value"),
        ),
        (json!({"csi": {}}), format!("{at}.csi.driver: Required value")),
        (json!({"image": {}}), format!("{at}.image.reference: Required value")),
        (json!({"ephemeral": {}}), format!("{at}.ephemeral.volumeClaimTemplate: Required value")),
        (
            json!({"projected": {"sources": [{}]}}),
            format!("{at}.projected.sources[0]: Required value: must specify a projection type"),
        ),
        (
            json!({"projected": {"sources": [
                {"secret": {"name": "a", "items": [{"key": "k", "path": "p"}]}},
                {"configMap": {"name": "b", "items": [{"key": "k", "path": "p"}]}},
            ]}}),
            format!("{at}.projected.sources[1]: Invalid value: \"p\": conflicting duplicate paths"),
        ),
        (
            json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]}}),
            format!(
                "{at}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes"
            ),
        ),
        (
            json!({"downwardAPI": {"items": [{"path": "a"}]}}),
            format!("{at}.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"),
        ),
    ];
    for (source, expected) in table {
        assert_eq!(faults(source.clone()), expected, "{source}");
    }
}
