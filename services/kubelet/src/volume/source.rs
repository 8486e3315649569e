//! What a volume is, once claims are followed to what they were given. Pure.

use std::borrow::Cow;

use keelson_proto::core::{
    EmptyDirVolumeSource, GitRepoVolumeSource, HostPathVolumeSource, PersistentVolume,
    PersistentVolumeClaimVolumeSource, Volume, VolumeSource,
};

use super::VolumeError;
use super::remote::{Remote, Way};
use crate::objects::Objects;

/// A volume of a pod.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// What it is.
    pub(super) source: Source<'a>,
    /// Whether no container may write to it.
    pub(super) read_only: bool,
}

/// The kinds of volumes that this kubelet can make.
#[derive(Debug)]
pub(super) enum Source<'a> {
    /// A directory of the pod's own.
    EmptyDir(&'a EmptyDirVolumeSource),
    /// Something on this host.
    HostPath(Cow<'a, HostPathVolumeSource>),
    /// Files that are made from objects of api; the kind's directory.
    Content(&'static str),
    /// A clone.
    GitRepo(&'a GitRepoVolumeSource),
    /// Something elsewhere.
    Remote(Remote),
}

/// The directories of disks.
const GCE: &str = "kubernetes.io~gce-pd";
const AWS: &str = "kubernetes.io~aws-ebs";

// === impl Found ===

impl<'a> Found<'a> {
    /// Looks through a volume's definition, and through the claim that it may name.
    pub(super) fn new(volume: &'a Volume, objects: &'a Objects) -> Result<Self, VolumeError> {
        let source = &volume.volume_source;
        if let Some(claim) = &source.persistent_volume_claim {
            return Self::claimed(claim, objects);
        }
        let found = if let Some(source) = &source.empty_dir {
            Source::EmptyDir(source)
        } else if let Some(source) = &source.host_path {
            Source::HostPath(Cow::Borrowed(source))
        } else if source.config_map.is_some() {
            Source::Content("kubernetes.io~configmap")
        } else if source.secret.is_some() {
            Source::Content("kubernetes.io~secret")
        } else if source.downward_api.is_some() {
            Source::Content("kubernetes.io~downward-api")
        } else if source.projected.is_some() {
            Source::Content("kubernetes.io~projected")
        } else if let Some(source) = &source.git_repo {
            Source::GitRepo(source)
        } else {
            let (way, read_only) = elsewhere(source, objects)?;
            Source::Remote(Remote { way, read_only, options: Vec::new() })
        };
        let read_only = matches!(&found, Source::Remote(remote) if remote.read_only);
        Ok(Self { source: found, read_only })
    }

    fn claimed(
        claim: &'a PersistentVolumeClaimVolumeSource,
        objects: &'a Objects,
    ) -> Result<Self, VolumeError> {
        let name = &claim.claim_name;
        let missing = || VolumeError::NotFound { kind: "persistentvolumeclaim", name: name.clone() };
        let found = objects.claims.get(name).ok_or_else(missing)?;
        if found.spec.volume_name.is_empty() || found.status.phase != "Bound" {
            return Err(VolumeError::Unbound { claim: name.clone() });
        }
        let name = &found.spec.volume_name;
        let missing = || VolumeError::NotFound { kind: "persistentvolume", name: name.clone() };
        let volume = objects.volumes.get(name).ok_or_else(missing)?;
        let owner = volume.spec.claim_ref.as_ref().map_or("", |owner| owner.uid.as_str());
        if owner != found.metadata.uid {
            return Err(VolumeError::Foreign { volume: name.clone() });
        }
        let source = given(volume)?;
        let read_only = matches!(&source, Source::Remote(remote) if remote.read_only);
        Ok(Self { source, read_only: read_only || claim.read_only })
    }
}

/// What a persistent volume is.
fn given(volume: &PersistentVolume) -> Result<Source<'_>, VolumeError> {
    if volume.spec.volume_mode.as_deref() == Some("Block") {
        return Err(VolumeError::Block);
    }
    let source = &volume.spec.persistent_volume_source;
    if let Some(source) = &source.host_path {
        return Ok(Source::HostPath(Cow::Borrowed(source)));
    }
    if let Some(local) = &source.local {
        let r#type = Some("Directory".to_owned());
        return Ok(Source::HostPath(Cow::Owned(HostPathVolumeSource { path: local.path.clone(), r#type })));
    }
    let (way, read_only) = if let Some(source) = &source.nfs {
        (Way::nfs(source), source.read_only)
    } else if let Some(source) = &source.rbd {
        (Way::given_rbd(source)?, source.read_only)
    } else if let Some(source) = &source.iscsi {
        (Way::given_iscsi(source)?, source.read_only)
    } else if let Some(source) = &source.gce_persistent_disk {
        (Way::disk(GCE, &source.pd_name, source.partition, &source.fs_type), source.read_only)
    } else if let Some(source) = &source.aws_elastic_block_store {
        (Way::disk(AWS, &source.volume_id, source.partition, &source.fs_type), source.read_only)
    } else {
        return Err(VolumeError::Unsupported);
    };
    Ok(Source::Remote(Remote { way, read_only, options: volume.spec.mount_options.clone() }))
}

/// A volume of the pod's own definition that is elsewhere, and whether it is read-only.
fn elsewhere(source: &VolumeSource, objects: &Objects) -> Result<(Way, bool), VolumeError> {
    if let Some(source) = &source.nfs {
        Ok((Way::nfs(source), source.read_only))
    } else if let Some(source) = &source.glusterfs {
        let servers = objects.endpoints.get(&source.endpoints);
        Ok((Way::glusterfs(source, servers.map(|servers| &**servers))?, source.read_only))
    } else if let Some(source) = &source.rbd {
        let secret = source.secret_ref.as_ref().map(|secret| objects.secret(&secret.name, None));
        Ok((Way::rbd(source, secret.transpose()?.flatten()), source.read_only))
    } else if let Some(source) = &source.iscsi {
        Ok((Way::iscsi(source)?, source.read_only))
    } else if let Some(source) = &source.gce_persistent_disk {
        Ok((Way::disk(GCE, &source.pd_name, source.partition, &source.fs_type), source.read_only))
    } else if let Some(source) = &source.aws_elastic_block_store {
        Ok((Way::disk(AWS, &source.volume_id, source.partition, &source.fs_type), source.read_only))
    } else {
        Err(VolumeError::Unsupported)
    }
}
