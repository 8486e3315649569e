//! What a persistent volume consists of. The sources that pods name too have the same defaults and rules there.

use keelson_proto::core::{
    AzureFilePersistentVolumeSource, AzureFileVolumeSource, CephFsVolumeSource, CinderVolumeSource,
    CsiPersistentVolumeSource, FlexVolumeSource, GlusterfsVolumeSource, IscsiVolumeSource,
    LocalObjectReference, PersistentVolumeSource, RbdVolumeSource, ScaleIoVolumeSource, SecretReference,
    StorageOsVolumeSource, VolumeSource,
};

use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, names, volume};

/// The longest name of a CSI driver, in bytes.
const DRIVER_MAX: usize = 63;

/// Fills in what may be left out of a source.
pub(super) fn set_defaults(source: &mut PersistentVolumeSource) {
    let mut shared = as_in_pods(source);
    volume::set_source_defaults(&mut shared);
    source.host_path = shared.host_path;
    source.azure_disk = shared.azure_disk;
    if let (Some(iscsi), Some(filled)) = (&mut source.iscsi, shared.iscsi) {
        iscsi.iscsi_interface = filled.iscsi_interface;
    }
    if let (Some(rbd), Some(filled)) = (&mut source.rbd, shared.rbd) {
        (rbd.pool, rbd.user, rbd.keyring) = (filled.pool, filled.user, filled.keyring);
    }
    if let (Some(scale), Some(filled)) = (&mut source.scale_io, shared.scale_io) {
        (scale.storage_mode, scale.fs_type) = (filled.storage_mode, filled.fs_type);
    }
}

/// Checks that there is one source, and that one. `path` is the spec's.
pub(super) fn validate(source: &PersistentVolumeSource, path: &Path, errors: &mut ErrorList) {
    let given = given(source);
    let Some((first, others)) = given.split_first() else {
        errors.push(FieldError::required(path, "must specify a volume type"));
        return;
    };
    let at = path.child(first);
    volume::sources::validate(&as_in_pods(source), &at, errors);
    validate_own(source, &at, errors);
    for other in others {
        errors.push(FieldError::forbidden(&path.child(other), "may not specify more than 1 volume type"));
    }
}

/// The names of the sources that are given; a valid volume has one.
fn given(source: &PersistentVolumeSource) -> Vec<&'static str> {
    let all = [
        ("hostPath", source.host_path.is_some()),
        ("gcePersistentDisk", source.gce_persistent_disk.is_some()),
        ("awsElasticBlockStore", source.aws_elastic_block_store.is_some()),
        ("glusterfs", source.glusterfs.is_some()),
        ("flocker", source.flocker.is_some()),
        ("nfs", source.nfs.is_some()),
        ("rbd", source.rbd.is_some()),
        ("quobyte", source.quobyte.is_some()),
        ("cephfs", source.cephfs.is_some()),
        ("iscsi", source.iscsi.is_some()),
        ("cinder", source.cinder.is_some()),
        ("fc", source.fc.is_some()),
        ("flexVolume", source.flex_volume.is_some()),
        ("azureFile", source.azure_file.is_some()),
        ("vsphereVolume", source.vsphere_volume.is_some()),
        ("photonPersistentDisk", source.photon_persistent_disk.is_some()),
        ("portworxVolume", source.portworx_volume.is_some()),
        ("azureDisk", source.azure_disk.is_some()),
        ("scaleIO", source.scale_io.is_some()),
        ("local", source.local.is_some()),
        ("storageos", source.storageos.is_some()),
        ("csi", source.csi.is_some()),
    ];
    all.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
}

/// The source as a pod would name it: what has rules there, with secrets of the pod's own namespace.
fn as_in_pods(source: &PersistentVolumeSource) -> VolumeSource {
    let source = source.clone();
    VolumeSource {
        host_path: source.host_path,
        gce_persistent_disk: source.gce_persistent_disk,
        aws_elastic_block_store: source.aws_elastic_block_store,
        nfs: source.nfs,
        fc: source.fc,
        flocker: source.flocker,
        vsphere_volume: source.vsphere_volume,
        quobyte: source.quobyte,
        azure_disk: source.azure_disk,
        photon_persistent_disk: source.photon_persistent_disk,
        portworx_volume: source.portworx_volume,
        glusterfs: source.glusterfs.map(|one| GlusterfsVolumeSource {
            endpoints: one.endpoints,
            path: one.path,
            ..GlusterfsVolumeSource::default()
        }),
        rbd: source.rbd.map(|one| RbdVolumeSource {
            monitors: one.monitors,
            image: one.image,
            pool: one.pool,
            user: one.user,
            keyring: one.keyring,
            ..RbdVolumeSource::default()
        }),
        iscsi: source.iscsi.map(|one| IscsiVolumeSource {
            target_portal: one.target_portal,
            iqn: one.iqn,
            lun: one.lun,
            iscsi_interface: one.iscsi_interface,
            chap_auth_discovery: one.chap_auth_discovery,
            chap_auth_session: one.chap_auth_session,
            secret_ref: one.secret_ref.map(|secret| LocalObjectReference { name: secret.name }),
            ..IscsiVolumeSource::default()
        }),
        cinder: source
            .cinder
            .map(|one| CinderVolumeSource { volume_id: one.volume_id, ..CinderVolumeSource::default() }),
        cephfs: source
            .cephfs
            .map(|one| CephFsVolumeSource { monitors: one.monitors, ..CephFsVolumeSource::default() }),
        flex_volume: source
            .flex_volume
            .map(|one| FlexVolumeSource { driver: one.driver, ..FlexVolumeSource::default() }),
        azure_file: source.azure_file.map(|one| AzureFileVolumeSource {
            secret_name: one.secret_name,
            share_name: one.share_name,
            ..AzureFileVolumeSource::default()
        }),
        scale_io: source.scale_io.map(|one| ScaleIoVolumeSource {
            gateway: one.gateway,
            system: one.system,
            storage_mode: one.storage_mode,
            volume_name: one.volume_name,
            fs_type: one.fs_type,
            ..ScaleIoVolumeSource::default()
        }),
        storageos: source.storageos.map(|one| StorageOsVolumeSource {
            volume_name: one.volume_name,
            ..StorageOsVolumeSource::default()
        }),
        ..VolumeSource::default()
    }
}

/// The rules of what only persistent volumes have.
fn validate_own(source: &PersistentVolumeSource, path: &Path, errors: &mut ErrorList) {
    if let Some(local) = &source.local {
        checks::given(&local.path, &path.child("path"), errors);
        checks::no_backsteps(&local.path, &path.child("path"), errors);
    }
    if let Some(gluster) = &source.glusterfs
        && gluster.endpoints_namespace.as_deref() == Some("")
    {
        let why = "if the endpointnamespace is set, it must be a valid namespace name";
        errors.push(FieldError::invalid(&path.child("endpointsNamespace"), "", why));
    }
    if let Some(file) = &source.azure_file {
        validate_azure_file(file, path, errors);
    }
    if let Some(csi) = &source.csi {
        validate_csi(csi, path, errors);
    }
    let secrets = [
        source.cinder.as_ref().and_then(|one| one.secret_ref.as_ref()),
        source.scale_io.as_ref().and_then(|one| one.secret_ref.as_ref()),
    ];
    for secret in secrets.into_iter().flatten() {
        validate_secret(secret, &path.child("secretRef"), errors);
    }
    if let Some(secret) = source.storageos.as_ref().and_then(|one| one.secret_ref.as_ref()) {
        let path = path.child("secretRef");
        checks::given(&secret.name, &path.child("name"), errors);
        checks::given(&secret.namespace, &path.child("namespace"), errors);
    }
}

fn validate_azure_file(file: &AzureFilePersistentVolumeSource, path: &Path, errors: &mut ErrorList) {
    if file.secret_namespace.as_deref() == Some("") {
        errors.push(FieldError::required(&path.child("secretNamespace"), ""));
    }
}

fn validate_csi(csi: &CsiPersistentVolumeSource, path: &Path, errors: &mut ErrorList) {
    let (driver, at) = (csi.driver.as_str(), path.child("driver"));
    checks::given(driver, &at, errors);
    if driver.len() > DRIVER_MAX {
        errors.push(FieldError::too_long(&at, DRIVER_MAX));
    }
    if !driver.is_empty() {
        errors.push_invalid(&at, driver, names::dns_subdomain(&driver.to_lowercase()));
    }
    checks::given(&csi.volume_handle, &path.child("volumeHandle"), errors);
    let secrets = [
        ("controllerPublishSecretRef", &csi.controller_publish_secret_ref),
        ("controllerExpandSecretRef", &csi.controller_expand_secret_ref),
        ("nodePublishSecretRef", &csi.node_publish_secret_ref),
        ("nodeExpandSecretRef", &csi.node_expand_secret_ref),
        ("nodeStageSecretRef", &csi.node_stage_secret_ref),
    ];
    for (name, secret) in secrets {
        if let Some(secret) = secret {
            validate_secret(secret, &path.child(name), errors);
        }
    }
}

/// Checks that a secret is named, and where it is.
fn validate_secret(secret: &SecretReference, path: &Path, errors: &mut ErrorList) {
    let (name, namespace) = (path.child("name"), path.child("namespace"));
    match secret.name.as_str() {
        "" => errors.push(FieldError::required(&name, "")),
        given => errors.push_invalid(&name, given, names::dns_subdomain(given)),
    }
    match secret.namespace.as_str() {
        "" => errors.push(FieldError::required(&namespace, "")),
        given => errors.push_invalid(&namespace, given, names::dns_label(given)),
    }
}
