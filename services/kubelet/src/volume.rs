//! The volumes of pods on this node's disk, and how containers see them.
//!
//! ```text
//! <root>/pods/<uid>/volumes/kubernetes.io~empty-dir/<volume>   an emptyDir
//! <root>/pods/<uid>/containers/<container>/<attempt>           a termination message
//! ```
//! Memory-backed emptyDirs are mounted here, in the kubelet's mount namespace: the runtime must share it, or receive
//! its mounts. A pod's directory is removed only after everything mounted in it is unmounted.

mod empty_dir;
mod error;
mod host_path;
mod mounted;
mod sub_path;

pub use self::error::VolumeError;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use keelson_proto::core::{Container, EmptyDirVolumeSource, HostPathVolumeSource, Pod, Volume, VolumeMount};

use crate::env::expand;
use crate::runtime::{Mount, MountSource};

/// Longest termination message that is kept, in bytes (Kubernetes' value).
const MAX_MESSAGE: u64 = 4096;

/// Where the volumes of this node's pods are.
#[derive(Clone, Debug)]
pub struct Volumes {
    root: PathBuf,
}

/// A volume that this kubelet can make.
enum Kind<'a> {
    EmptyDir(&'a EmptyDirVolumeSource),
    HostPath(&'a HostPathVolumeSource),
}

// === impl Volumes ===

impl Volumes {
    /// The volumes below `root`, an absolute path.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Makes the pod's directories and volumes; what is there already stays as it is. Blocks on the disk.
    pub fn mount(&self, pod: &Pod) -> Result<(), VolumeError> {
        let dir = self.pod_dir(&pod.metadata.uid)?;
        create_private(&dir).map_err(VolumeError::io("create", &dir))?;
        for volume in &pod.spec.volumes {
            let failed =
                |source| VolumeError::SetUp { volume: volume.name.clone(), source: Box::new(source) };
            self.mount_one(pod, volume).map_err(failed)?;
        }
        Ok(())
    }

    /// Unmounts the pod's volumes and removes its directories. Blocks on the disk.
    pub fn teardown(&self, uid: &str) -> Result<(), VolumeError> {
        let dir = self.pod_dir(uid)?;
        if !dir.exists() {
            return Ok(());
        }
        mounted::unmount_below(&dir)?;
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(VolumeError::io("remove", &dir)(error))
            }
            _ => Ok(()),
        }
    }

    /// Uids of the pods that have a directory.
    pub fn pods(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join("pods")) else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// The mounts of one container, once the pod's volumes are there: its volumeMounts and its termination message.
    /// `env` is for subPathExpr. Blocks on the disk.
    pub fn mounts(
        &self,
        pod: &Pod,
        container: &Container,
        attempt: u32,
        env: &[(String, String)],
    ) -> Result<Vec<Mount>, VolumeError> {
        let one = |mount: &VolumeMount| self.mount_of(pod, mount, env);
        let mut mounts = container.volume_mounts.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        if !container.termination_message_path.is_empty() {
            mounts.push(self.message_mount(pod, container, attempt)?);
        }
        Ok(mounts)
    }

    /// The last words of a container; empty if it left none. Blocks on the disk.
    pub fn message(&self, uid: &str, container: &str, attempt: u32) -> String {
        use std::io::Read as _;
        let read = || -> Option<String> {
            let file = fs::File::open(self.message_file(uid, container, attempt).ok()?).ok()?;
            let mut bytes = Vec::new();
            file.take(MAX_MESSAGE).read_to_end(&mut bytes).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }

    fn mount_one(&self, pod: &Pod, volume: &Volume) -> Result<(), VolumeError> {
        match kind(volume)? {
            Kind::EmptyDir(source) => {
                let dir = self.empty_dir(&pod.metadata.uid, &volume.name)?;
                let group = pod.spec.security_context.as_ref().and_then(|context| context.fs_group);
                empty_dir::set_up(&dir, source, group)
            }
            Kind::HostPath(source) => host_path::check(source),
        }
    }

    fn mount_of(
        &self,
        pod: &Pod,
        mount: &VolumeMount,
        env: &[(String, String)],
    ) -> Result<Mount, VolumeError> {
        let volume = pod.spec.volumes.iter().find(|volume| volume.name == mount.name);
        let volume = volume.ok_or_else(|| VolumeError::Unknown { volume: mount.name.clone() })?;
        let path = match kind(volume)? {
            Kind::EmptyDir(_) => self.empty_dir(&pod.metadata.uid, &volume.name)?,
            Kind::HostPath(source) => PathBuf::from(&source.path),
        };
        let lookup = |name: &str| env.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let sub_path = match mount.sub_path_expr.as_str() {
            "" => mount.sub_path.clone(),
            expression => expand(expression, lookup),
        };
        Ok(Mount {
            source: MountSource::Host(sub_path::resolve(&path, &sub_path)?),
            container_path: mount.mount_path.clone(),
            read_only: mount.read_only,
        })
    }

    fn message_mount(&self, pod: &Pod, container: &Container, attempt: u32) -> Result<Mount, VolumeError> {
        let file = self.message_file(&pod.metadata.uid, &container.name, attempt)?;
        let failed = || VolumeError::io("create", &file);
        if let Some(dir) = file.parent() {
            create_private(dir).map_err(failed())?;
        }
        fs::File::create(&file).map_err(failed())?;
        // The container's user is anybody's guess.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).map_err(failed())?;
        Ok(Mount {
            source: MountSource::Host(file),
            container_path: container.termination_message_path.clone(),
            read_only: false,
        })
    }

    fn pod_dir(&self, uid: &str) -> Result<PathBuf, VolumeError> {
        Ok(self.root.join("pods").join(component(uid)?))
    }

    fn empty_dir(&self, uid: &str, volume: &str) -> Result<PathBuf, VolumeError> {
        Ok(self.pod_dir(uid)?.join("volumes/kubernetes.io~empty-dir").join(component(volume)?))
    }

    fn message_file(&self, uid: &str, container: &str, attempt: u32) -> Result<PathBuf, VolumeError> {
        Ok(self.pod_dir(uid)?.join("containers").join(component(container)?).join(attempt.to_string()))
    }
}

fn kind(volume: &Volume) -> Result<Kind<'_>, VolumeError> {
    let source = &volume.volume_source;
    match (&source.empty_dir, &source.host_path) {
        (Some(source), _) => Ok(Kind::EmptyDir(source)),
        (_, Some(source)) => Ok(Kind::HostPath(source)),
        _ => Err(VolumeError::Unsupported),
    }
}

/// A name that is one component of a path. Api lets in no other; a kubelet that removes directories checks for itself.
fn component(name: &str) -> Result<&str, VolumeError> {
    let safe = !name.is_empty() && !name.contains(['/', '\0']) && !matches!(name, "." | "..");
    if safe { Ok(name) } else { Err(VolumeError::Name { name: name.to_owned() }) }
}

/// Makes a directory that only its owner can look into, and its parents.
fn create_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o750).create(dir)
}

#[cfg(test)]
mod tests;
