//! Why a volume cannot be made, in the words that end up in the pod's events.

use std::io;
use std::path::{Path, PathBuf};

use keelson_base_client::ApiError;
use keelson_base_cloud::CloudError;

use super::commands::CommandError;
use crate::objects::NotFound;

/// A volume, or a place in one, is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// One volume of the pod failed.
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : {source}")]
    SetUp {
        /// The volume.
        volume: String,
        /// What failed.
        source: Box<VolumeError>,
    },
    /// The volume is of a kind that this kubelet does not know.
    #[error("volumes of this kind are not supported by this kubelet")]
    Unsupported,
    /// A config map or secret is missing.
    #[error(transparent)]
    Missing(#[from] NotFound),
    /// Another object is missing.
    #[error("{kind} \"{name}\" not found")]
    NotFound {
        /// `persistentvolumeclaim` and such.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// An entry of a config map or secret is missing.
    #[error("references non-existent {kind} key: {key}")]
    Key {
        /// `config` or `secret`.
        kind: &'static str,
        /// The entry.
        key: String,
    },
    /// A pod asks something of itself that nobody knows.
    #[error("the value of the file {path:?} is none that a pod can know of itself")]
    Fact {
        /// The file.
        path: String,
    },
    /// Api gave no token.
    #[error("failed to fetch token: {0}")]
    Token(#[source] ApiError),
    /// A claim has no volume yet.
    #[error("PersistentVolumeClaim is not bound: {claim:?}")]
    Unbound {
        /// The claim.
        claim: String,
    },
    /// A volume was given to another claim than the one that names it.
    #[error("persistentvolume {volume:?} is bound to another claim")]
    Foreign {
        /// The volume.
        volume: String,
    },
    /// The volume would need a secret that this node may not read.
    #[error("credentials of this kind of volume are not supported by this kubelet")]
    Secret,
    /// A program of the host failed.
    #[error(transparent)]
    Command(CommandError),
    /// The cloud does not give a disk.
    #[error("cannot attach the disk: {0}: {source}", source = .0.source)]
    Disk(CloudError),
    /// Nobody gives disks.
    #[error("this kubelet has no cloud provider that gives disks")]
    NoDisks,
    /// A device did not appear.
    #[error("the device {device} did not appear")]
    NoDevice {
        /// Where it should be.
        device: String,
    },
    /// A claim is for a device.
    #[error("volumeMode Block is not supported by this kubelet")]
    Block,
    /// A container mounts a volume that its pod does not have.
    #[error("the pod has no volume {volume:?}")]
    Unknown {
        /// The volume.
        volume: String,
    },
    /// A name cannot be part of a path.
    #[error("{name:?} cannot be the name of a directory")]
    Name {
        /// The name.
        name: String,
    },
    /// A host path is not what it should be.
    #[error("hostPath type check failed: {path} is not {expected}")]
    HostPath {
        /// The path.
        path: String,
        /// What it should be, with its article.
        expected: &'static str,
    },
    /// The type of a host path is unknown.
    #[error("hostPath type {0:?} is unknown")]
    HostPathType(String),
    /// A subPath leaves its volume.
    #[error(
        "subPath {sub_path:?} must stay inside its volume: no \"..\", no absolute path, no symbolic link that leads out"
    )]
    SubPath {
        /// The subPath.
        sub_path: String,
    },
    /// A memory-backed volume cannot be mounted.
    #[error(
        "cannot mount memory at {path}: {source}; the kubelet needs the right to mount (CAP_SYS_ADMIN) for emptyDir with medium Memory"
    )]
    Memory {
        /// Where.
        path: PathBuf,
        /// The kernel's answer.
        source: nix::Error,
    },
    /// Something in the pod's directory cannot be unmounted, so the directory stays.
    #[error("cannot unmount {path}: {source}")]
    Unmount {
        /// Where.
        path: PathBuf,
        /// The kernel's answer.
        source: nix::Error,
    },
    /// The thread that did the work is gone.
    #[error("volume work was interrupted: {0}")]
    Interrupted(String),
    /// The disk failed.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// With what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

// === impl VolumeError ===

impl VolumeError {
    /// For `map_err`.
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }
}
