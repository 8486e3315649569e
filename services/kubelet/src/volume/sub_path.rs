//! A place inside a volume, mounted so that nobody can lead it out.
//!
//! A container that runs may change the volume at any time, so a path that was looked at means nothing a moment later. The
//! place is therefore opened once, by the kernel's own rule that no step may leave the volume, and what was opened is
//! mounted at a path of the kubelet's: that path is what the runtime gets.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, mkdirat};

use super::{VolumeError, create_private, mounted};

/// Mounts the place `sub_path` of the volume at `base` at `target`, and makes it a directory if it is not there. Symbolic
/// links are followed as long as they stay in the volume. Answers with the path for the runtime: `target`, or, for a
/// kubelet that may not mount, the place itself.
pub(super) fn bind(base: &Path, sub_path: &str, target: &Path) -> Result<PathBuf, VolumeError> {
    let refused = || VolumeError::SubPath { sub_path: sub_path.to_owned() };
    let wanted = inside(sub_path).ok_or_else(refused)?;
    if wanted.as_os_str().is_empty() {
        return Ok(base.to_owned());
    }
    let failed = |errno: Errno| match errno {
        // It leads out, or through what the kernel itself keeps.
        Errno::EXDEV | Errno::ELOOP => refused(),
        other => VolumeError::io("open", &base.join(&wanted))(other.into()),
    };
    let root = open(base, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
    let root = root.map_err(|errno| VolumeError::io("open", base)(errno.into()))?;
    let place = open_or_make(&root, &wanted).map_err(failed)?;
    expose(&place, target)
}

/// The path, if it goes downward only.
fn inside(sub_path: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for component in Path::new(sub_path).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(path)
}

fn open_or_make(root: &OwnedFd, path: &Path) -> nix::Result<OwnedFd> {
    match open_beneath(root, path) {
        Err(Errno::ENOENT) => make_beneath(root, path),
        opened => opened,
    }
}

/// Opens a path that must not leave `root`, by links or otherwise.
fn open_beneath(root: impl AsFd, path: &Path) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(root, path, how)
}

/// Makes the missing directories of a path, each in what was opened before it, with the permissions of the volume.
fn make_beneath(root: &OwnedFd, path: &Path) -> nix::Result<OwnedFd> {
    let mode = Mode::from_bits_truncate(fstat(root)?.st_mode);
    let mut at = root.try_clone().map_err(|_| Errno::EMFILE)?;
    let mut done = PathBuf::new();
    for component in path.components() {
        done.push(component);
        at = match open_beneath(root, &done) {
            Err(Errno::ENOENT) => {
                match mkdirat(&at, component.as_os_str(), mode) {
                    Ok(()) => unmask(&at, Path::new(&component), mode)?,
                    Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(errno),
                }
                open_beneath(root, &done)?
            }
            opened => opened?,
        };
    }
    Ok(at)
}

/// Gives a new directory its permissions, whatever the mask of this process.
fn unmask(parent: &OwnedFd, name: &Path, mode: Mode) -> nix::Result<()> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    fchmod(openat2(parent, name, how)?, mode)
}

/// Mounts what was opened at `target`.
fn expose(place: &OwnedFd, target: &Path) -> Result<PathBuf, VolumeError> {
    let fd = PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd()));
    let stat = fstat(place).map_err(|errno| VolumeError::io("look at", &fd)(errno.into()))?;
    if mounted::is_mount_point(target)? {
        let there = fs::metadata(target).map_err(VolumeError::io("look at", target))?;
        if (there.dev(), there.ino()) == (stat.st_dev, stat.st_ino) {
            return Ok(target.to_owned());
        }
        umount2(target, MntFlags::MNT_DETACH)
            .map_err(|source| VolumeError::Unmount { path: target.to_owned(), source })?;
    }
    let is_dir = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFDIR;
    prepare(target, is_dir).map_err(VolumeError::io("create", target))?;
    match mount(Some(&fd), target, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>) {
        Ok(()) => Ok(target.to_owned()),
        Err(Errno::EPERM) => fs::read_link(&fd).map_err(VolumeError::io("look at", &fd)),
        Err(errno) => Err(VolumeError::io("mount a subPath at", target)(errno.into())),
    }
}

/// A directory, or a file, to mount over.
fn prepare(target: &Path, is_dir: bool) -> io::Result<()> {
    let parent = target.parent().unwrap_or(target);
    create_private(parent)?;
    match fs::symlink_metadata(target) {
        Ok(there) if there.is_dir() == is_dir => return Ok(()),
        Ok(there) if there.is_dir() => fs::remove_dir(target)?,
        Ok(_) => fs::remove_file(target)?,
        Err(_) => {}
    }
    if is_dir { fs::create_dir(target) } else { fs::File::create(target).map(drop) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    use tempfile::TempDir;

    use super::*;

    /// A volume with a way out, and something outside.
    struct Lab {
        dir: TempDir,
    }

    impl Lab {
        fn new() -> Self {
            let dir = TempDir::new().unwrap();
            let lab = Self { dir };
            fs::create_dir_all(lab.base().join("real/deep")).unwrap();
            fs::create_dir(lab.dir.path().join("outside")).unwrap();
            fs::write(lab.dir.path().join("outside/secret"), "hush").unwrap();
            fs::write(lab.base().join("real/file"), "mine").unwrap();
            symlink("../outside", lab.base().join("up")).unwrap();
            symlink("/etc", lab.base().join("away")).unwrap();
            symlink("real", lab.base().join("within")).unwrap();
            symlink("/proc/self/root", lab.base().join("magic")).unwrap();
            lab
        }

        fn base(&self) -> PathBuf {
            self.dir.path().join("volume")
        }

        fn target(&self) -> PathBuf {
            self.dir.path().join("targets/v/c/0")
        }

        fn bind(&self, sub_path: &str) -> Result<PathBuf, VolumeError> {
            bind(&self.base(), sub_path, &self.target())
        }
    }

    impl Drop for Lab {
        fn drop(&mut self) {
            mounted::unmount_below(self.dir.path()).unwrap();
        }
    }

    #[test]
    fn a_place_is_what_it_says() {
        let lab = Lab::new();
        assert_eq!(fs::read_to_string(lab.bind("real/file").unwrap()).unwrap(), "mine");
        assert_eq!(
            fs::read_to_string(lab.bind("within/file").unwrap()).unwrap(),
            "mine",
            "links may stay inside"
        );
        assert!(lab.bind("./real/deep").unwrap().is_dir());
        assert_eq!(lab.bind("real/file").unwrap(), lab.bind("real/file").unwrap(), "again is the same");
    }

    #[test]
    fn what_is_not_there_is_made() {
        let lab = Lab::new();
        fs::set_permissions(lab.base(), fs::Permissions::from_mode(0o2777)).unwrap();
        lab.bind("new/er").unwrap();
        let made = fs::metadata(lab.base().join("new/er")).unwrap();
        assert!(made.is_dir());
        assert_eq!(made.permissions().mode() & 0o7777, 0o2777, "as open as the volume");
        lab.bind("within/new").unwrap();
        assert!(lab.base().join("real/new").is_dir());
    }

    #[test]
    fn nothing_leads_out() {
        let lab = Lab::new();
        let ways = [
            "..",
            "real/../../outside",
            "/etc",
            "up",
            "up/secret",
            "up/new",
            "away",
            "away/new",
            "magic/etc",
        ];
        for outside in ways {
            let refused = lab.bind(outside);
            assert!(matches!(refused, Err(VolumeError::SubPath { .. })), "{outside}: {refused:?}");
        }
        assert!(!lab.dir.path().join("outside/new").exists());
    }

    #[test]
    fn a_container_that_swaps_links_while_another_starts_gains_nothing() {
        let lab = Lab::new();
        fs::create_dir(lab.base().join("prize")).unwrap();
        fs::write(lab.base().join("prize/secret"), "mine").unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (base, stop) = (lab.base(), over.clone());
        symlink("../outside", base.join("link")).unwrap();
        let attacker = std::thread::spawn(move || {
            let (prize, link) = (base.join("prize"), base.join("link"));
            while !stop.load(Ordering::Relaxed) {
                // In one step: the name always leads somewhere.
                renameat2(AT_FDCWD, &prize, AT_FDCWD, &link, RenameFlags::RENAME_EXCHANGE).unwrap();
            }
        });
        let (mut won, mut refused) = (0, 0);
        for _ in 0..20_000 {
            match lab.bind("prize/secret") {
                Ok(path) => {
                    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
                    won += 1;
                }
                Err(_) => refused += 1,
            }
            if won > 20 && refused > 20 {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
        attacker.join().unwrap();
        assert!(won > 0 && refused > 0, "{won} {refused}: both were tried");
    }
}
