//! The rules for the sources of volumes.

use keelson_proto::core::{
    EmptyDirVolumeSource, EphemeralVolumeSource, HostPathVolumeSource, IscsiVolumeSource, NfsVolumeSource,
    VolumeSource,
};

use super::files::{validate_facts, validate_items, validate_mode, validate_projected, validate_reference};
use crate::container::PULL_POLICIES;
use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, resources};

const HOST_PATH_TYPES: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// Checks the one source at `path`.
pub(crate) fn validate(source: &VolumeSource, path: &Path, errors: &mut ErrorList) {
    validate_plain(source, path, errors);
    validate_files(source, path, errors);
    validate_remote(source, path, errors);
    validate_drivers(source, path, errors);
}

fn validate_plain(source: &VolumeSource, path: &Path, errors: &mut ErrorList) {
    if let Some(directory) = &source.empty_dir {
        validate_empty_dir(directory, path, errors);
    }
    if let Some(host) = &source.host_path {
        validate_host_path(host, path, errors);
    }
    if let Some(git) = &source.git_repo {
        checks::given(&git.repository, &path.child("repository"), errors);
        checks::descending_path(&git.directory, &path.child("directory"), errors);
    }
    if let Some(claim) = &source.persistent_volume_claim {
        checks::given(&claim.claim_name, &path.child("claimName"), errors);
    }
    if let Some(ephemeral) = &source.ephemeral {
        validate_ephemeral(ephemeral, &path.child("volumeClaimTemplate"), errors);
    }
    if let Some(image) = &source.image {
        checks::given(&image.reference, &path.child("reference"), errors);
        checks::one_of(&image.pull_policy, PULL_POLICIES, &path.child("pullPolicy"), errors);
    }
}

fn validate_ephemeral(source: &EphemeralVolumeSource, path: &Path, errors: &mut ErrorList) {
    let Some(claim) = &source.volume_claim_template else {
        errors.push(FieldError::required(path, ""));
        return;
    };
    let path = path.child("spec");
    if claim.spec.access_modes.is_empty() {
        let why = "at least 1 access mode is required";
        errors.push(FieldError::required(&path.child("accessModes"), why));
    }
    if !claim.spec.resources.requests.contains_key("storage") {
        errors.push(FieldError::required(&path.child("resources").key("storage"), ""));
    }
}

fn validate_files(source: &VolumeSource, path: &Path, errors: &mut ErrorList) {
    if let Some(secret) = &source.secret {
        checks::given(&secret.secret_name, &path.child("secretName"), errors);
        validate_mode(secret.default_mode, &path.child("defaultMode"), errors);
        validate_items(&secret.items, &path.child("items"), errors);
    }
    if let Some(map) = &source.config_map {
        checks::given(&map.local_object_reference.name, &path.child("name"), errors);
        validate_mode(map.default_mode, &path.child("defaultMode"), errors);
        validate_items(&map.items, &path.child("items"), errors);
    }
    if let Some(facts) = &source.downward_api {
        validate_mode(facts.default_mode, &path.child("defaultMode"), errors);
        validate_facts(&facts.items, path, errors);
    }
    if let Some(projected) = &source.projected {
        validate_projected(projected, path, errors);
    }
}

fn validate_remote(source: &VolumeSource, path: &Path, errors: &mut ErrorList) {
    if let Some(nfs) = &source.nfs {
        validate_nfs(nfs, path, errors);
    }
    if let Some(iscsi) = &source.iscsi {
        validate_iscsi(iscsi, path, errors);
    }
    if let Some(disk) = &source.gce_persistent_disk {
        checks::given(&disk.pd_name, &path.child("pdName"), errors);
        checks::within(disk.partition, (0, 255), &path.child("partition"), errors);
    }
    if let Some(disk) = &source.aws_elastic_block_store {
        checks::given(&disk.volume_id, &path.child("volumeID"), errors);
        checks::within(disk.partition, (0, 255), &path.child("partition"), errors);
    }
    if let Some(gluster) = &source.glusterfs {
        checks::given(&gluster.endpoints, &path.child("endpoints"), errors);
        checks::given(&gluster.path, &path.child("path"), errors);
        checks::no_backsteps(&gluster.path, &path.child("path"), errors);
    }
    if let Some(rbd) = &source.rbd {
        monitors(&rbd.monitors, path, errors);
        checks::given(&rbd.image, &path.child("image"), errors);
    }
    if let Some(ceph) = &source.cephfs {
        monitors(&ceph.monitors, path, errors);
    }
    if let Some(fc) = &source.fc {
        let ids = [fc.target_wwns.is_empty(), fc.wwids.is_empty()];
        if ids == [true, true] {
            let why = "must specify either targetWWNs or wwids, but not both";
            errors.push(FieldError::required(&path.child("targetWWNs"), why));
        }
        if let Some(lun) = fc.lun {
            checks::within(lun, (0, 255), &path.child("lun"), errors);
        }
    }
}

fn validate_drivers(source: &VolumeSource, path: &Path, errors: &mut ErrorList) {
    let mut given = |value: Option<&String>, name: &str| {
        if let Some(value) = value {
            checks::given(value, &path.child(name), errors);
        }
    };
    given(source.cinder.as_ref().map(|one| &one.volume_id), "volumeID");
    given(source.flex_volume.as_ref().map(|one| &one.driver), "driver");
    given(source.azure_file.as_ref().map(|one| &one.secret_name), "secretName");
    given(source.azure_file.as_ref().map(|one| &one.share_name), "shareName");
    given(source.azure_disk.as_ref().map(|one| &one.disk_name), "diskName");
    given(source.azure_disk.as_ref().map(|one| &one.disk_uri), "diskURI");
    given(source.vsphere_volume.as_ref().map(|one| &one.volume_path), "volumePath");
    given(source.photon_persistent_disk.as_ref().map(|one| &one.pd_id), "pdID");
    given(source.portworx_volume.as_ref().map(|one| &one.volume_id), "volumeID");
    given(source.quobyte.as_ref().map(|one| &one.registry), "registry");
    given(source.quobyte.as_ref().map(|one| &one.volume), "volume");
    given(source.scale_io.as_ref().map(|one| &one.gateway), "gateway");
    given(source.scale_io.as_ref().map(|one| &one.system), "system");
    given(source.scale_io.as_ref().map(|one| &one.volume_name), "volumeName");
    given(source.storageos.as_ref().map(|one| &one.volume_name), "volumeName");
    given(source.csi.as_ref().map(|one| &one.driver), "driver");
    if let Some(secret) = source.csi.as_ref().and_then(|csi| csi.node_publish_secret_ref.as_ref()) {
        validate_reference(&secret.name, &path.child("nodePublishSecretRef").child("name"), errors);
    }
    if let Some(flocker) = &source.flocker
        && flocker.dataset_name.is_empty() == flocker.dataset_uuid.is_empty()
    {
        errors.push(FieldError::required(path, "one of datasetName and datasetUUID is required"));
    }
}

fn validate_empty_dir(directory: &EmptyDirVolumeSource, path: &Path, errors: &mut ErrorList) {
    if let Some(limit) = &directory.size_limit {
        resources::validate_amount(resources::EPHEMERAL_STORAGE, limit, &path.child("sizeLimit"), errors);
    }
    let medium = directory.medium.as_str();
    if !matches!(medium, "" | "Memory" | "HugePages") && !medium.starts_with("HugePages-") {
        errors.push(FieldError::not_supported(&path.child("medium"), medium, &["", "HugePages", "Memory"]));
    }
}

fn validate_host_path(host: &HostPathVolumeSource, path: &Path, errors: &mut ErrorList) {
    match host.path.as_str() {
        "" => errors.push(FieldError::required(&path.child("path"), "")),
        given => checks::no_backsteps(given, &path.child("path"), errors),
    }
    checks::none_or_one_of(host.r#type.as_deref(), HOST_PATH_TYPES, &path.child("type"), errors);
}

fn validate_nfs(nfs: &NfsVolumeSource, path: &Path, errors: &mut ErrorList) {
    checks::given(&nfs.server, &path.child("server"), errors);
    checks::given(&nfs.path, &path.child("path"), errors);
    if !nfs.path.starts_with('/') {
        errors.push(FieldError::invalid(&path.child("path"), nfs.path.as_str(), "must be an absolute path"));
    }
}

fn validate_iscsi(iscsi: &IscsiVolumeSource, path: &Path, errors: &mut ErrorList) {
    checks::given(&iscsi.target_portal, &path.child("targetPortal"), errors);
    match iscsi.iqn.as_str() {
        "" => errors.push(FieldError::required(&path.child("iqn"), "")),
        iqn if !["iqn", "eui", "naa"].iter().any(|form| iqn.starts_with(form)) => {
            errors.push(FieldError::invalid(
                &path.child("iqn"),
                iqn,
                "must be valid format starting with iqn, eui, or naa",
            ));
        }
        _ => {}
    }
    checks::within(iscsi.lun, (0, 255), &path.child("lun"), errors);
    if (iscsi.chap_auth_discovery || iscsi.chap_auth_session) && iscsi.secret_ref.is_none() {
        errors.push(FieldError::required(&path.child("secretRef"), ""));
    }
}

fn monitors(list: &[String], path: &Path, errors: &mut ErrorList) {
    if list.is_empty() {
        errors.push(FieldError::required(&path.child("monitors"), ""));
    }
}
