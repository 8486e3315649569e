//! Changing all files of a directory at once, so that whoever reads them sees either the old ones or the new ones.
//!
//! ```text
//! ..2026_11_22_17_10_08.123456789/   the files
//! ..data -> ..2026_11_22_17_10_08.123456789
//! color  -> ..data/color             what users open
//! ```
//! The one step that counts is a rename of `..data`. The layout is Kubernetes'; programs watch for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::VolumeError;
use super::content::{File, Payload};

const DATA: &str = "..data";
const NEXT_DATA: &str = "..data_tmp";

/// Makes the directory `dir` hold `payload` and nothing else; with a `group`, for that group to read. Says whether
/// anything changed. Blocks on the disk.
pub(super) fn write(dir: &Path, payload: &Payload, group: Option<u32>) -> Result<bool, VolumeError> {
    let payload: Payload = payload.iter().map(|(path, file)| (path.clone(), shared(file, group))).collect();
    let current = fs::read_link(dir.join(DATA)).ok();
    if current.as_ref().is_some_and(|current| holds(&dir.join(current), &payload)) {
        return Ok(false);
    }
    let fresh = fill(dir, &payload, group)?;
    let failed = VolumeError::io("write", dir);
    publish(dir, &fresh, &payload).map_err(failed)?;
    Ok(true)
}

/// With a group, files are for it to read.
fn shared(file: &File, group: Option<u32>) -> File {
    let more = if group.is_some() { 0o440 } else { 0 };
    File { mode: file.mode | more, ..file.clone() }
}

/// Whether `dir` has just these files.
fn holds(dir: &Path, payload: &Payload) -> bool {
    let mut found = BTreeMap::new();
    let same = |file: &File, at: &Path| -> io::Result<bool> {
        let metadata = fs::metadata(at)?;
        let mode = metadata.permissions().mode() & 0o7777;
        let user = file.user.unwrap_or_else(|| nix::unistd::geteuid().as_raw());
        Ok(mode == file.mode && metadata.uid() == user && fs::read(at)? == file.data)
    };
    collect(dir, dir, &mut found).is_ok()
        && found.keys().eq(payload.keys())
        && payload.iter().all(|(path, file)| same(file, &found[path]).unwrap_or(false))
}

/// The regular files below `dir`, by their paths in `root`.
fn collect(root: &Path, dir: &Path, found: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, found)?;
        } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            found.insert(name.to_owned(), path.clone());
        }
    }
    Ok(())
}

/// Writes the files into a directory of their own; its name.
fn fill(dir: &Path, payload: &Payload, group: Option<u32>) -> Result<OsString, VolumeError> {
    let name = OsString::from(Timestamp::now().strftime("..%Y_%m_%d_%H_%M_%S.%9f").to_string());
    let fresh = dir.join(&name);
    make_dir(&fresh, group).map_err(VolumeError::io("create", &fresh))?;
    for (path, file) in payload {
        let at = fresh.join(path);
        let failed = VolumeError::io("write", &at);
        put(&fresh, &at, file, group).map_err(failed)?;
    }
    Ok(name)
}

fn put(root: &Path, at: &Path, file: &File, group: Option<u32>) -> io::Result<()> {
    let parents = at.ancestors().skip(1).take_while(|parent| *parent != root);
    for parent in parents.collect::<Vec<_>>().into_iter().rev() {
        make_dir(parent, group)?;
    }
    fs::write(at, &file.data)?;
    chown(at, file.user, group)?;
    // Whatever the mask of this process.
    fs::set_permissions(at, fs::Permissions::from_mode(file.mode))
}

fn make_dir(dir: &Path, group: Option<u32>) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    chown(dir, None, group)?;
    let set_group = if group.is_some() { 0o2000 } else { 0 };
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755 | set_group))
}

/// Lets everybody see the files in `fresh`, and removes what is of no use any more, leftovers of killed kubelets included.
fn publish(dir: &Path, fresh: &OsString, payload: &Payload) -> io::Result<()> {
    let next = dir.join(NEXT_DATA);
    remove(&next)?;
    symlink(fresh, &next)?;
    fs::rename(&next, dir.join(DATA))?;
    let tops: BTreeSet<&str> = payload.keys().filter_map(|path| path.split('/').next()).collect();
    for top in &tops {
        let (link, target) = (dir.join(top), Path::new(DATA).join(top));
        if fs::read_link(&link).ok() != Some(target.clone()) {
            remove(&link)?;
            symlink(target, link)?;
        }
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let wanted = name == DATA || name == *fresh || name.to_str().is_some_and(|name| tops.contains(name));
        if !wanted {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn mk_payload(files: &[(&str, &str)]) -> Payload {
        let file = |data: &str| File { data: data.as_bytes().to_vec(), mode: 0o640, user: None };
        files.iter().map(|(path, data)| ((*path).to_owned(), file(data))).collect()
    }

    /// Names in a directory, sorted, without the one that is a time.
    fn names(dir: &Path) -> Vec<String> {
        let entries =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = entries.filter(|name| !name.starts_with("..2")).collect();
        names.sort();
        names
    }

    #[test]
    fn files_change_together_and_keep_their_names() {
        let dir = TempDir::new().unwrap();
        let dir = dir.path();
        assert!(write(dir, &mk_payload(&[("a", "1"), ("deep/b", "2")]), None).unwrap());
        let before = fs::read_link(dir.join(DATA)).unwrap();
        assert_eq!(names(dir), ["..data", "a", "deep"]);
        assert_eq!(fs::read_to_string(dir.join("deep/b")).unwrap(), "2");
        assert_eq!(fs::metadata(dir.join("a")).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_link(dir.join("a")).unwrap(), Path::new("..data/a"));

        assert!(!write(dir, &mk_payload(&[("a", "1"), ("deep/b", "2")]), None).unwrap(), "nothing is new");
        assert_eq!(fs::read_link(dir.join(DATA)).unwrap(), before);

        assert!(write(dir, &mk_payload(&[("a", "one"), ("c", "3")]), None).unwrap());
        assert_eq!(names(dir), ["..data", "a", "c"], "what is gone is gone");
        assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "one");
        assert!(!dir.join(before).exists(), "the old files are removed");
    }

    #[test]
    fn a_reader_that_holds_the_old_directory_sees_no_mixture() {
        let dir = TempDir::new().unwrap();
        write(dir.path(), &mk_payload(&[("a", "1"), ("b", "1")]), None).unwrap();
        let real = fs::canonicalize(dir.path().join(DATA)).unwrap();
        let file = fs::File::open(real.join("a")).unwrap();
        write(dir.path(), &mk_payload(&[("a", "2"), ("b", "2")]), None).unwrap();
        assert_eq!(io::read_to_string(file).unwrap(), "1");
        assert_eq!(fs::read_to_string(dir.path().join("b")).unwrap(), "2");
    }

    #[test]
    fn leftovers_of_a_killed_kubelet_are_no_hindrance() {
        let dir = TempDir::new().unwrap();
        let dir = dir.path();
        fs::create_dir(dir.join("..2020_01_01_00_00_00.000000000")).unwrap();
        symlink("..2020_01_01_00_00_00.000000000", dir.join(NEXT_DATA)).unwrap();
        symlink("nowhere", dir.join("a")).unwrap();
        write(dir, &mk_payload(&[("a", "1")]), None).unwrap();
        assert_eq!(names(dir), ["..data", "a"]);
        assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "1");
        assert_eq!(fs::read_dir(dir).unwrap().count(), 3);
    }

    #[test]
    fn an_empty_payload_is_an_empty_directory() {
        let dir = TempDir::new().unwrap();
        write(dir.path(), &mk_payload(&[("a", "1")]), None).unwrap();
        assert!(write(dir.path(), &Payload::new(), None).unwrap());
        assert_eq!(names(dir.path()), ["..data"]);
        assert!(!write(dir.path(), &Payload::new(), None).unwrap());
    }
}
