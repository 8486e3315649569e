//! Why a volume cannot be made, in the words that end up in the pod's events.

use std::io;
use std::path::{Path, PathBuf};

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
    #[error("volumes of this kind are not supported by this kubelet (it knows emptyDir and hostPath)")]
    Unsupported,
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
        "subPath {sub_path:?} must stay inside its volume: no \"..\", no absolute path, no symbolic link"
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
