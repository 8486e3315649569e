//! The data directory: everything a cluster keeps on this machine.
//!
//! ```text
//! lock            held by the running process
//! cluster-id      names the cluster's containers, rules and bridge
//! kubeconfig      the administrator's way in
//! pki/            the authority and all identities
//! store/          the embedded store
//! nodes/<name>/   each kubelet's root directory
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// A data directory that this process holds.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    cluster_id: String,
    _lock: Flock<File>,
}

/// A data directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process runs on it.
    #[error("another keelson is running on {}; stop it, or choose another directory with --data-dir", .0.display())]
    InUse(PathBuf),
    /// It cannot be written.
    #[error("cannot {operation} in the data directory {}: {source}; choose one that is writable with --data-dir", .path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

// === impl DataDir ===

impl DataDir {
    /// Makes the directory if it is missing, and takes its lock.
    ///
    /// # Errors
    /// If another process holds it, or it cannot be written.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let fail = |operation| {
            let path = path.to_path_buf();
            move |source| DataDirError::Io { operation, path, source }
        };
        fs::create_dir_all(path).map_err(fail("create files"))?;
        let path = path.canonicalize().map_err(fail("look around"))?;
        let lock = File::options()
            .create(true)
            .append(true)
            .open(path.join("lock"))
            .map_err(fail("create files"))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
            nix::errno::Errno::EWOULDBLOCK => DataDirError::InUse(path.clone()),
            error => {
                DataDirError::Io { operation: "take the lock", path: path.clone(), source: error.into() }
            }
        })?;
        let cluster_id = cluster_id(&path.join("cluster-id")).map_err(fail("keep the cluster's id"))?;
        Ok(Self { path, cluster_id, _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Eight letters and digits that name the cluster, the same at every start.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Where the authority and the identities are.
    pub fn pki(&self) -> PathBuf {
        self.path.join("pki")
    }

    /// Where the embedded store is.
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Where all kubelets keep their pods.
    pub fn nodes(&self) -> PathBuf {
        self.path.join("nodes")
    }

    /// Where a kubelet keeps its pods.
    pub fn node(&self, name: &str) -> PathBuf {
        self.nodes().join(name)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }
}

/// The id that a file keeps; if there is none, a new one, which is written there.
///
/// # Errors
/// Those of the file system.
pub(crate) fn cluster_id(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let id: String =
        std::iter::repeat_with(fastrand::alphanumeric).map(|c| c.to_ascii_lowercase()).take(8).collect();
    let draft = path.with_extension("new");
    fs::write(&draft, &id)?;
    fs::rename(draft, path)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_by_one_and_keeps_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        assert!(matches!(DataDir::open(dir.path()), Err(DataDirError::InUse(_))));
        let id = first.cluster_id().to_owned();
        assert_eq!(id.len(), 8);
        drop(first);
        assert_eq!(DataDir::open(dir.path()).unwrap().cluster_id(), id);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let error = DataDir::open(Path::new("/proc/keelson")).unwrap_err();
        assert!(error.to_string().contains("/proc/keelson"), "{error}");
        assert!(error.to_string().contains("--data-dir"), "{error}");
    }
}
