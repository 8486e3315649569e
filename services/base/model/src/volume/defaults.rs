//! What a volume's author may leave out.

use keelson_proto::core::{
    DownwardApiVolumeFile, EmptyDirVolumeSource, Volume, VolumeProjection, VolumeSource,
};

use crate::container;

/// Permissions of files from the cluster: the owner writes, all read.
const FILE_MODE: i32 = 0o644;

/// Fills in what may be left out; a volume without any source is an empty directory.
pub fn set_defaults(volume: &mut Volume) {
    let source = &mut volume.volume_source;
    if super::kinds(source).is_empty() {
        source.empty_dir = Some(EmptyDirVolumeSource::default());
    }
    set_source_defaults(source);
}

/// The same, of a volume's source.
pub(crate) fn set_source_defaults(source: &mut VolumeSource) {
    set_file_defaults(source);
    if let Some(host) = &mut source.host_path {
        host.r#type.get_or_insert_default();
    }
    if let Some(iscsi) = &mut source.iscsi {
        fill(&mut iscsi.iscsi_interface, "default");
    }
    if let Some(rbd) = &mut source.rbd {
        fill(&mut rbd.pool, "rbd");
        fill(&mut rbd.user, "admin");
        fill(&mut rbd.keyring, "/etc/ceph/keyring");
    }
    if let Some(scale) = &mut source.scale_io {
        fill(&mut scale.storage_mode, "ThinProvisioned");
        fill(&mut scale.fs_type, "xfs");
    }
    if let Some(disk) = &mut source.azure_disk {
        disk.caching_mode.get_or_insert_with(|| "ReadWrite".to_owned());
        disk.kind.get_or_insert_with(|| "Shared".to_owned());
        disk.fs_type.get_or_insert_with(|| "ext4".to_owned());
        disk.read_only.get_or_insert(false);
    }
    if let Some(claim) = source.ephemeral.as_mut().and_then(|one| one.volume_claim_template.as_mut()) {
        claim.spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    }
    if let Some(image) = &mut source.image
        && image.pull_policy.is_empty()
    {
        image.pull_policy = container::default_pull_policy(&image.reference).to_owned();
    }
}

fn set_file_defaults(source: &mut VolumeSource) {
    if let Some(secret) = &mut source.secret {
        secret.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(map) = &mut source.config_map {
        map.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(facts) = &mut source.downward_api {
        facts.default_mode.get_or_insert(FILE_MODE);
        facts.items.iter_mut().for_each(set_fact_defaults);
    }
    if let Some(projected) = &mut source.projected {
        projected.default_mode.get_or_insert(FILE_MODE);
        projected.sources.iter_mut().for_each(set_projection_defaults);
    }
}

fn set_projection_defaults(projection: &mut VolumeProjection) {
    if let Some(token) = &mut projection.service_account_token {
        token.expiration_seconds.get_or_insert(3600);
    }
    if let Some(facts) = &mut projection.downward_api {
        facts.items.iter_mut().for_each(set_fact_defaults);
    }
}

fn set_fact_defaults(file: &mut DownwardApiVolumeFile) {
    if let Some(reference) = &mut file.field_ref {
        fill(&mut reference.api_version, "v1");
    }
    if let Some(reference) = &mut file.resource_field_ref {
        fill(&mut reference.divisor.string, "0");
    }
}

fn fill(field: &mut String, default: &str) {
    if field.is_empty() {
        field.push_str(default);
    }
}
