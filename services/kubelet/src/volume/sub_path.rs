//! A place inside a volume.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::VolumeError;

/// The path of `sub_path` in the volume at `base`; made as a directory if it is not there.
///
/// Refuses everything that could lead out of the volume, symbolic links included. The runtime mounts by path, so a
/// container that already runs could still put a link there in between; who does not trust a pod's containers with each
/// other's volumes gives them separate volumes.
pub(super) fn resolve(base: &Path, sub_path: &str) -> Result<PathBuf, VolumeError> {
    if sub_path.is_empty() {
        return Ok(base.to_owned());
    }
    let refused = || VolumeError::SubPath { sub_path: sub_path.to_owned() };
    let mut path = base.to_owned();
    for component in Path::new(sub_path).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => continue,
            _ => return Err(refused()),
        }
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => return Err(refused()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&path).map_err(VolumeError::io("create", &path))?;
            }
            Err(error) => return Err(VolumeError::io("look at", &path)(error)),
        }
    }
    Ok(path)
}
