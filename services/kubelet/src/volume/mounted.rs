//! What is mounted where, as the kernel tells it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use super::VolumeError;

const MOUNT_INFO: &str = "/proc/self/mountinfo";

/// Whether something is mounted at `path` itself.
pub(super) fn is_mount_point(path: &Path) -> Result<bool, VolumeError> {
    Ok(mount_points()?.iter().any(|point| point == path))
}

/// Unmounts everything at and below `dir`, innermost first. Fails if anything stays.
pub(super) fn unmount_below(dir: &Path) -> Result<(), VolumeError> {
    let mut points: Vec<PathBuf> =
        mount_points()?.into_iter().filter(|point| point.starts_with(dir)).collect();
    points.sort();
    for point in points.iter().rev() {
        umount2(point, MntFlags::MNT_DETACH)
            .map_err(|source| VolumeError::Unmount { path: point.clone(), source })?;
    }
    Ok(())
}

fn mount_points() -> Result<Vec<PathBuf>, VolumeError> {
    let table = fs::read(MOUNT_INFO).map_err(VolumeError::io("read", Path::new(MOUNT_INFO)))?;
    let lines = table.split(|byte| *byte == b'\n');
    // The fifth field of a line, see proc_pid_mountinfo(5).
    Ok(lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4)).map(unescape).collect())
}

/// Spaces, tabs, newlines and backslashes are written as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = tail
            .get(..3)
            .filter(|_| byte == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &tail[3..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read() {
        assert_eq!(unescape(br"/a\040b\134c"), Path::new(r"/a b\c"));
        assert_eq!(unescape(br"/a\04"), Path::new(r"/a\04"));
    }

    #[test]
    fn the_root_is_a_mount_point() {
        assert!(is_mount_point(Path::new("/")).unwrap());
        assert!(!is_mount_point(Path::new("/no/such/place")).unwrap());
    }
}
