//! emptyDir: a directory that lives as long as its pod, on disk or in memory.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use keelson_base_model::quantity::Quantity;
use keelson_proto::core::EmptyDirVolumeSource;

use super::{VolumeError, create_private, memory, mounted};

/// The directory of volumes of this kind.
pub(super) const KIND: &str = "kubernetes.io~empty-dir";

/// Makes the directory, for everybody to write; with a group, files made in it belong to that group.
pub(super) fn set_up(
    dir: &Path,
    source: &EmptyDirVolumeSource,
    group: Option<u32>,
) -> Result<(), VolumeError> {
    if dir.exists() && (source.medium != "Memory" || mounted::is_mount_point(dir)?) {
        return Ok(());
    }
    create_private(dir).map_err(VolumeError::io("create", dir))?;
    if source.medium == "Memory" {
        let limit = source.size_limit.as_ref().map(|limit| Quantity::from(limit).value());
        memory::mount_at(dir, limit.filter(|size| *size > 0))?;
    }
    if let Some(group) = group {
        chown(dir, None, Some(group)).map_err(VolumeError::io("give to its group", dir))?;
    }
    // Memory carries the sticky bit, as the kernel's own default does.
    let sticky = if source.medium == "Memory" { 0o1000 } else { 0 };
    let set_group = if group.is_some() { 0o2000 } else { 0 };
    let mode = fs::Permissions::from_mode(0o777 | sticky | set_group);
    fs::set_permissions(dir, mode).map_err(VolumeError::io("open", dir))
}
