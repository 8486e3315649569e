//! The volumes of a pod: their defaults and rules.

mod defaults;
mod files;
pub(crate) mod sources;

use std::collections::HashSet;

use keelson_proto::core::{Volume, VolumeSource};

pub use self::defaults::set_defaults;
pub(crate) use self::defaults::set_source_defaults;
use crate::field::{ErrorList, FieldError, Path};
use crate::names;

/// Checks all volumes of a pod: names that are unique, one source each.
pub fn validate(volumes: &[Volume], path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let mut seen = HashSet::new();
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        let name = path.child("name");
        match volume.name.as_str() {
            "" => errors.push(FieldError::required(&name, "")),
            given => {
                errors.push_invalid(&name, given, names::dns_label(given));
                if !seen.insert(given) {
                    errors.push(FieldError::duplicate(&name, given));
                }
            }
        }
        validate_source(&volume.volume_source, &path, &mut errors);
    }
    errors
}

fn validate_source(source: &VolumeSource, path: &Path, errors: &mut ErrorList) {
    let kinds = kinds(source);
    let Some((first, others)) = kinds.split_first() else {
        errors.push(FieldError::required(path, "must specify a volume type"));
        return;
    };
    sources::validate(source, &path.child(first), errors);
    for other in others {
        errors.push(FieldError::forbidden(&path.child(other), "may not specify more than 1 volume type"));
    }
}

/// The names of the sources that are given; a valid volume has one.
pub fn kinds(source: &VolumeSource) -> Vec<&'static str> {
    let given = [
        ("emptyDir", source.empty_dir.is_some()),
        ("hostPath", source.host_path.is_some()),
        ("gitRepo", source.git_repo.is_some()),
        ("gcePersistentDisk", source.gce_persistent_disk.is_some()),
        ("awsElasticBlockStore", source.aws_elastic_block_store.is_some()),
        ("secret", source.secret.is_some()),
        ("nfs", source.nfs.is_some()),
        ("iscsi", source.iscsi.is_some()),
        ("glusterfs", source.glusterfs.is_some()),
        ("flocker", source.flocker.is_some()),
        ("persistentVolumeClaim", source.persistent_volume_claim.is_some()),
        ("rbd", source.rbd.is_some()),
        ("cinder", source.cinder.is_some()),
        ("cephfs", source.cephfs.is_some()),
        ("quobyte", source.quobyte.is_some()),
        ("downwardAPI", source.downward_api.is_some()),
        ("fc", source.fc.is_some()),
        ("flexVolume", source.flex_volume.is_some()),
        ("configMap", source.config_map.is_some()),
        ("azureFile", source.azure_file.is_some()),
        ("vsphereVolume", source.vsphere_volume.is_some()),
        ("photonPersistentDisk", source.photon_persistent_disk.is_some()),
        ("portworxVolume", source.portworx_volume.is_some()),
        ("azureDisk", source.azure_disk.is_some()),
        ("storageos", source.storageos.is_some()),
        ("projected", source.projected.is_some()),
        ("scaleIO", source.scale_io.is_some()),
        ("csi", source.csi.is_some()),
        ("ephemeral", source.ephemeral.is_some()),
        ("image", source.image.is_some()),
    ];
    given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
}

/// Whether the volume can reach a container as a device instead of a directory.
pub(crate) fn can_be_block_device(volume: &Volume) -> bool {
    volume.volume_source.persistent_volume_claim.is_some() || volume.volume_source.ephemeral.is_some()
}

#[cfg(test)]
mod tests;
