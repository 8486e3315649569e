//! Directories in memory, which leave nothing on the disk.

use std::path::Path;
use std::sync::Once;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::VolumeError;

/// Says once that secrets are on the disk.
static MADE_DO: Once = Once::new();

/// Mounts memory at `dir`, of at most `size` bytes if that is given.
pub(super) fn mount_at(dir: &Path, size: Option<i64>) -> Result<(), VolumeError> {
    try_mount(dir, size).map_err(|source| VolumeError::Memory { path: dir.to_owned(), source })
}

/// Mounts memory at `dir`; a kubelet that may not mount makes do with the directory, which is for its own user alone.
pub(super) fn mount_or_make_do(dir: &Path) -> Result<(), VolumeError> {
    match try_mount(dir, None) {
        Err(Errno::EPERM) => {
            let root = dir.display();
            MADE_DO.call_once(|| {
                tracing::warn!(
                    "may not mount memory at {root} (CAP_SYS_ADMIN): secrets of pods are on the disk"
                );
            });
            Ok(())
        }
        mounted => mounted.map_err(|source| VolumeError::Memory { path: dir.to_owned(), source }),
    }
}

fn try_mount(dir: &Path, size: Option<i64>) -> nix::Result<()> {
    let options = size.map(|size| format!("size={size}"));
    mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, options.as_deref())
}
