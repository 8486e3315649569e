//! Disks that a cloud gives to machines, and the local provider's: directories.

use std::path::{Path, PathBuf};

use crate::{Answer, CloudError};

/// What a cloud does with disks. Each call may be made again: what is done already is a success.
pub trait Disks: Send + Sync + 'static {
    /// Makes the disk `disk` usable on the machine of the node `node`; answers with what has appeared there.
    fn attach<'a>(&'a self, disk: &'a str, node: &'a str, read_only: bool) -> Answer<'a, Attached>;

    /// Takes the disk from the machine, where nothing of it is mounted any more.
    fn detach<'a>(&'a self, disk: &'a str, node: &'a str) -> Answer<'a, ()>;
}

/// What an attached disk is on its machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attached {
    /// A device, which may be blank.
    Device(PathBuf),
    /// A directory: the provider has mounted it.
    Directory(PathBuf),
}

/// The disks of a cluster on one machine: each is a directory, made when it is first attached.
#[derive(Clone, Debug)]
pub struct LocalDisks {
    dir: PathBuf,
}

// === impl LocalDisks ===

impl LocalDisks {
    /// The disks in `dir`, which need not exist.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn make(&self, disk: &str) -> Result<Attached, CloudError> {
        // AWS names a volume as aws://zone/id.
        let name = disk.rsplit('/').next().unwrap_or(disk);
        let path = self.dir.join(name);
        let failed = |source| CloudError { provider: "local".to_owned(), operation: "attach a disk", source };
        if matches!(name, "" | "." | "..") || path.parent() != Some(Path::new(&self.dir)) {
            return Err(failed(format!("{disk:?} cannot be the name of a disk").into()));
        }
        std::fs::create_dir_all(&path).map_err(|error| failed(Box::new(error)))?;
        Ok(Attached::Directory(path))
    }
}

impl Disks for LocalDisks {
    fn attach<'a>(&'a self, disk: &'a str, _node: &'a str, _read_only: bool) -> Answer<'a, Attached> {
        Box::pin(std::future::ready(self.make(disk)))
    }

    fn detach<'a>(&'a self, _disk: &'a str, _node: &'a str) -> Answer<'a, ()> {
        // A directory needs nothing to be let go.
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_is_a_directory_of_its_own() {
        let dir = std::env::temp_dir().join(format!("keelson-disks-{}", std::process::id()));
        let disks = LocalDisks::new(dir.clone());
        for (disk, at) in [("data", "data"), ("aws://zone-a/vol-1", "vol-1")] {
            let attached = disks.attach(disk, "n1", false).await.unwrap();
            assert_eq!(attached, Attached::Directory(dir.join(at)));
            assert!(dir.join(at).is_dir());
        }
        disks.detach("data", "n1").await.unwrap();
        assert!(dir.join("data").is_dir(), "a disk outlives its use");
        for bad in ["", "..", "a/..", "a/"] {
            assert!(disks.attach(bad, "n1", false).await.is_err(), "{bad:?}");
        }
        std::fs::remove_dir_all(dir).unwrap();
    }
}
