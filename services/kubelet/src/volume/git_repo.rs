//! gitRepo: a clone, made once in a pod's life.

use std::fs;
use std::path::Path;

use keelson_proto::core::GitRepoVolumeSource;

use super::VolumeError;
use super::attach::{self, Reach};
use super::create_private;
use super::remote::words;

/// The directory of volumes of this kind.
pub(super) const KIND: &str = "kubernetes.io~git-repo";

/// Clones into `dir`, for the volume `name` of the pod whose directory is `pod`.
pub(super) async fn set_up(
    source: &GitRepoVolumeSource,
    reach: &Reach,
    pod: &Path,
    name: &str,
    dir: &Path,
) -> Result<(), VolumeError> {
    let marker = attach::done(pod, name);
    if marker.exists() {
        return Ok(());
    }
    let target = inside(&source.directory)?;
    // Git would take these for options.
    for word in [&source.repository, &source.revision] {
        if word.starts_with('-') {
            return Err(VolumeError::Name { name: word.clone() });
        }
    }
    // An earlier try may have left half a clone.
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(VolumeError::io("remove", dir))?;
    }
    create_private(dir).map_err(VolumeError::io("create", dir))?;
    let at = dir.to_str().ok_or_else(|| VolumeError::Name { name: dir.display().to_string() })?;
    let mut clone = words(&["-C", at, "clone", "--", &source.repository]);
    clone.extend(target.map(str::to_owned));
    reach.run("git", &clone).await?;
    if !source.revision.is_empty() {
        let tree = match target {
            Some(target) => dir.join(target),
            None => only_entry(dir)?,
        };
        let tree = tree.display().to_string();
        reach.run("git", &words(&["-C", &tree, "checkout", &source.revision])).await?;
        reach.run("git", &words(&["-C", &tree, "reset", "--hard"])).await?;
    }
    let ready = || {
        create_private(marker.parent().unwrap_or(pod))?;
        fs::File::create(&marker).map(drop)
    };
    ready().map_err(VolumeError::io("write", &marker))
}

/// The directory of the clone, if it is said: one that stays in the volume.
fn inside(directory: &str) -> Result<Option<&str>, VolumeError> {
    let out = Path::new(directory).is_absolute() || directory.split('/').any(|part| part == "..");
    match directory {
        _ if out || directory.starts_with('-') => Err(VolumeError::Name { name: directory.to_owned() }),
        "" => Ok(None),
        inside => Ok(Some(inside)),
    }
}

fn only_entry(dir: &Path) -> Result<std::path::PathBuf, VolumeError> {
    let failed = || VolumeError::io("read", dir);
    let mut entries = fs::read_dir(dir).map_err(failed())?;
    let first = entries.next().ok_or_else(|| failed()(std::io::ErrorKind::NotFound.into()))?;
    Ok(first.map_err(failed())?.path())
}
