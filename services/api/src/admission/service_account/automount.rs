//! The volume by which a pod can talk to the API: a token, who to trust, and in which namespace it is.

use keelson_base_model::names::generate_name;
use keelson_proto::core::{
    ConfigMapProjection, DownwardApiProjection, DownwardApiVolumeFile, KeyToPath, LocalObjectReference,
    ObjectFieldSelector, PodSpec, ProjectedVolumeSource, ServiceAccountTokenProjection, Volume, VolumeMount,
    VolumeProjection, VolumeSource,
};

/// Where containers find it.
const DIRECTORY: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What the volume's name begins with.
const PREFIX: &str = "kube-api-access-";

/// The config map of each namespace that holds the cluster's authority.
const ROOT_CA: &str = "kube-root-ca.crt";

/// Seconds that a token is good for. Somewhat above an hour, so that it is told apart from tokens that were asked for.
const EXPIRES: i64 = 3607;

/// Readable for everybody in the pod.
const MODE: i32 = 0o644;

/// Mounts the volume in every container that has nothing else at its place.
pub(super) fn mount(spec: &mut PodSpec) {
    let known = spec.volumes.iter().find(|volume| volume.name.starts_with(PREFIX));
    let name = known.map_or_else(|| generate_name(PREFIX), |volume| volume.name.clone());
    let mut is_used = false;
    for container in spec.init_containers.iter_mut().chain(&mut spec.containers) {
        if container.volume_mounts.iter().any(|mount| mount.mount_path == DIRECTORY) {
            continue;
        }
        is_used = true;
        container.volume_mounts.push(VolumeMount {
            name: name.clone(),
            read_only: true,
            mount_path: DIRECTORY.to_owned(),
            ..VolumeMount::default()
        });
    }
    if is_used && spec.volumes.iter().all(|volume| volume.name != name) {
        spec.volumes.push(volume(name));
    }
}

fn volume(name: String) -> Volume {
    let token = ServiceAccountTokenProjection {
        expiration_seconds: Some(EXPIRES),
        path: "token".to_owned(),
        ..ServiceAccountTokenProjection::default()
    };
    let authority = ConfigMapProjection {
        local_object_reference: LocalObjectReference { name: ROOT_CA.to_owned() },
        items: vec![KeyToPath { key: "ca.crt".to_owned(), path: "ca.crt".to_owned(), mode: None }],
        optional: None,
    };
    let field =
        ObjectFieldSelector { api_version: "v1".to_owned(), field_path: "metadata.namespace".to_owned() };
    let namespace = DownwardApiProjection {
        items: vec![DownwardApiVolumeFile {
            path: "namespace".to_owned(),
            field_ref: Some(field),
            ..DownwardApiVolumeFile::default()
        }],
    };
    let sources = vec![
        VolumeProjection { service_account_token: Some(token), ..VolumeProjection::default() },
        VolumeProjection { config_map: Some(authority), ..VolumeProjection::default() },
        VolumeProjection { downward_api: Some(namespace), ..VolumeProjection::default() },
    ];
    let projected = ProjectedVolumeSource { sources, default_mode: Some(MODE) };
    Volume { name, volume_source: VolumeSource { projected: Some(projected), ..VolumeSource::default() } }
}
