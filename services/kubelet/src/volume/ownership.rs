//! Giving a volume to its pod's group.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::Path;

use super::VolumeError;

/// Lets `group` read and write all that is in `dir`, and what will be made in it; nothing without a group. What has it
/// already is not gone through again. Blocks on the disk.
pub(super) fn give(dir: &Path, group: Option<u32>) -> Result<(), VolumeError> {
    let Some(group) = group else { return Ok(()) };
    let there = fs::metadata(dir).map_err(VolumeError::io("look at", dir))?;
    if there.gid() == group && there.permissions().mode() & 0o2070 == 0o2070 {
        return Ok(());
    }
    // The directory itself last: it says that the rest is done.
    give_tree(dir, group).map_err(VolumeError::io("give to its group", dir))
}

fn give_tree(path: &Path, group: u32) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            give_tree(&entry?.path(), group)?;
        }
    }
    lchown(path, None, Some(group))?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let more = if metadata.is_dir() { 0o2770 } else { 0o660 };
    fs::set_permissions(path, fs::Permissions::from_mode(metadata.permissions().mode() | more))
}
