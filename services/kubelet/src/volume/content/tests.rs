use std::sync::Arc;

use keelson_proto::core::{
    ConfigMapVolumeSource, Container, DownwardApiVolumeSource, ObjectFieldSelector, PodSecurityContext,
    ProjectedVolumeSource, ResourceFieldSelector, SecretVolumeSource, VolumeSource,
};

use super::*;

fn mk_objects() -> Objects {
    let mut map = ConfigMap::default();
    map.data.insert("a".to_owned(), "1".to_owned());
    map.data.insert("b".to_owned(), "2".to_owned());
    map.binary_data.insert("raw".to_owned(), vec![0, 255]);
    let mut secret = Secret::default();
    secret.data.insert("password".to_owned(), b"hush".to_vec());
    Objects {
        config_maps: [("m".to_owned(), Arc::new(map))].into(),
        secrets: [("s".to_owned(), Arc::new(secret))].into(),
        ..Objects::default()
    }
}

fn mk_pod() -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = "web".to_owned();
    pod.metadata.labels =
        [("app", "web"), ("tier", "front")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    pod.spec.containers = vec![Container { name: "c".to_owned(), ..Container::default() }];
    pod
}

/// Path, content and mode of each file.
fn files(pod: &Pod, source: VolumeSource) -> Result<Vec<(String, String, u32)>, String> {
    let volume = Volume { name: "v".to_owned(), volume_source: source };
    let tokens = tokens(&volume).into_iter().map(|wanted| {
        let token = format!("token for {:?} of {} s", wanted.audience, wanted.seconds);
        (wanted, token)
    });
    let tokens = tokens.collect();
    let allocatable = BTreeMap::from([("cpu".to_owned(), Quantity { string: "4".to_owned() })]);
    let from = Ingredients { pod, objects: &mk_objects(), tokens: &tokens, allocatable: &allocatable };
    let payload = payload(&volume, from).map_err(|error| error.to_string())?;
    let text = |file: &File| String::from_utf8_lossy(&file.data).into_owned();
    Ok(payload.iter().map(|(path, file)| (path.clone(), text(file), file.mode)).collect())
}

fn item(key: &str, path: &str, mode: Option<i32>) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path: path.to_owned(), mode }
}

fn config_map(name: &str, items: Vec<KeyToPath>, optional: Option<bool>) -> VolumeSource {
    let mut source =
        ConfigMapVolumeSource { items, optional, default_mode: Some(0o640), ..Default::default() };
    source.local_object_reference.name = name.to_owned();
    VolumeSource { config_map: Some(source), ..VolumeSource::default() }
}

fn names(found: Result<Vec<(String, String, u32)>, String>) -> Vec<String> {
    found.unwrap().into_iter().map(|(path, ..)| path).collect()
}

#[test]
fn a_config_map_becomes_files() {
    let pod = mk_pod();
    assert_eq!(names(files(&pod, config_map("m", Vec::new(), None))), ["a", "b", "raw"]);
    let some = config_map("m", vec![item("a", "deep/down", None), item("b", "x", Some(0o400))], None);
    let expected = [("deep/down".to_owned(), "1".to_owned(), 0o640), ("x".to_owned(), "2".to_owned(), 0o400)];
    assert_eq!(files(&pod, some).unwrap(), expected);
}

#[test]
fn what_is_missing_is_named_unless_optional() {
    let pod = mk_pod();
    let key = || vec![item("none", "x", None), item("a", "y", None)];
    assert_eq!(
        files(&pod, config_map("none", Vec::new(), None)).unwrap_err(),
        "configmap \"none\" not found"
    );
    let error = files(&pod, config_map("m", key(), None)).unwrap_err();
    assert_eq!(error, "references non-existent config key: none");
    assert!(names(files(&pod, config_map("none", Vec::new(), Some(true)))).is_empty());
    assert_eq!(names(files(&pod, config_map("m", key(), Some(true)))), ["y"]);
    let source = SecretVolumeSource { secret_name: "s".to_owned(), items: key(), ..Default::default() };
    let error = files(&pod, VolumeSource { secret: Some(source), ..VolumeSource::default() }).unwrap_err();
    assert_eq!(error, "references non-existent secret key: none");
}

#[test]
fn files_stay_inside_their_volume() {
    for path in ["../x", "/x", "a/../../x", "..data", ""] {
        let outside = config_map("m", vec![item("a", path, None)], None);
        assert!(files(&mk_pod(), outside).is_err(), "{path}");
    }
}

#[test]
fn a_pod_reads_of_itself() {
    let field = |path: &str, field: &str| DownwardApiVolumeFile {
        path: path.to_owned(),
        field_ref: Some(ObjectFieldSelector { field_path: field.to_owned(), ..Default::default() }),
        ..DownwardApiVolumeFile::default()
    };
    let cpu = DownwardApiVolumeFile {
        path: "cpu".to_owned(),
        resource_field_ref: Some(ResourceFieldSelector {
            container_name: "c".to_owned(),
            resource: "limits.cpu".to_owned(),
            ..Default::default()
        }),
        mode: Some(0o400),
        ..DownwardApiVolumeFile::default()
    };
    let of = |items| VolumeSource {
        downward_api: Some(DownwardApiVolumeSource { items, default_mode: None }),
        ..VolumeSource::default()
    };
    let found = files(&mk_pod(), of(vec![field("labels", "metadata.labels"), cpu])).unwrap();
    let expected = [
        ("cpu".to_owned(), "4".to_owned(), 0o400),
        ("labels".to_owned(), "app=\"web\"\ntier=\"front\"".to_owned(), 0o644),
    ];
    assert_eq!(found, expected);
    assert!(files(&mk_pod(), of(vec![field("x", "spec.nonsense")])).is_err());
}

#[test]
fn several_sources_share_a_directory() {
    let mut map = keelson_proto::core::ConfigMapProjection {
        items: vec![item("a", "cfg/a", None)],
        ..Default::default()
    };
    map.local_object_reference.name = "m".to_owned();
    let mut secret = keelson_proto::core::SecretProjection::default();
    secret.local_object_reference.name = "s".to_owned();
    let token = ServiceAccountTokenProjection {
        audience: "vault".to_owned(),
        expiration_seconds: None,
        path: "token".to_owned(),
    };
    let sources = vec![
        VolumeProjection { config_map: Some(map), ..Default::default() },
        VolumeProjection { secret: Some(secret), ..Default::default() },
        VolumeProjection { service_account_token: Some(token), ..Default::default() },
    ];
    let of = || VolumeSource {
        projected: Some(ProjectedVolumeSource { sources: sources.clone(), default_mode: Some(0o444) }),
        ..VolumeSource::default()
    };
    let found = files(&mk_pod(), of()).unwrap();
    let expected = [
        ("cfg/a".to_owned(), "1".to_owned(), 0o444),
        ("password".to_owned(), "hush".to_owned(), 0o444),
        ("token".to_owned(), "token for \"vault\" of 3600 s".to_owned(), 0o444),
    ];
    assert_eq!(found, expected);
    let mut pod = mk_pod();
    pod.spec.security_context =
        Some(PodSecurityContext { run_as_user: Some(1000), ..PodSecurityContext::default() });
    assert_eq!(files(&pod, of()).unwrap()[2].2, 0o600, "the token is for its user alone");
    assert_eq!(sole_user(&pod), Some(1000));
}
