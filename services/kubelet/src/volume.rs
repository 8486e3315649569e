//! The volumes of pods on this node's disk, and how containers see them.
//!
//! ```text
//! <root>/pods/<uid>/volumes/<kind>/<volume>                    a volume, kind being kubernetes.io~empty-dir and such
//! <root>/pods/<uid>/volume-subpaths/<volume>/<container>/<n>   a place in a volume, for the n-th mount of a container
//! <root>/pods/<uid>/containers/<container>/<attempt>           a termination message
//! <root>/pods/<uid>/attached/<volume>                          what is to be undone when the pod goes
//! <root>/pods/<uid>/etc-hosts                                  the pod's /etc/hosts
//! <root>/seccomp/<path>                                        a profile that pods may ask for
//! ```
//! What is mounted here (memory, places in volumes) is mounted in the kubelet's mount namespace: the runtime must share
//! it, or receive its mounts. A pod's directory is removed only after everything mounted in it is unmounted.

mod atomic;
mod attach;
mod commands;
mod content;
mod empty_dir;
mod error;
mod git_repo;
mod host_path;
mod hosts;
mod memory;
mod mounted;
mod ownership;
mod remote;
mod source;
mod sub_path;
mod token;

pub use self::commands::{CommandError, Commands};
pub use self::error::VolumeError;
pub use self::token::Issuer;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use keelson_base_cloud::Disks;
use keelson_proto::core::{Container, Pod, Volume, VolumeMount};
use keelson_proto::resource::Quantity;

use self::attach::Reach;
use self::content::{Ingredients, Payload, Wanted};
use self::source::{Found, Source};
use self::token::Tokens;
use crate::clock::Clock;
use crate::env::expand;
use crate::objects::Objects;
use crate::runtime::{Mount, MountSource, Propagation};

/// Longest termination message that is kept, in bytes (Kubernetes' value).
const MAX_MESSAGE: u64 = 4096;

/// Where every container finds the names of its pod.
const ETC_HOSTS: &str = "/etc/hosts";

/// Where the volumes of this node's pods are. Clones are the same.
#[derive(Clone)]
pub struct Volumes {
    root: PathBuf,
    tokens: Option<Arc<Tokens>>,
    reach: Reach,
    bare: bool,
}

/// What volumes are made from, beside the pod itself.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What the pod refers to.
    pub objects: Objects,
    /// What the node can give: the limit of a container that has none.
    pub allocatable: BTreeMap<String, Quantity>,
}

/// A container that is about to start, as far as its mounts depend on it.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Its attempt number.
    pub attempt: u32,
    /// Its environment, for subPathExpr.
    pub env: Vec<(String, String)>,
    /// The pod's addresses.
    pub pod_ips: Vec<IpAddr>,
    /// The pod's host name, and its name in the cluster's DNS if it has one.
    pub names: Vec<String>,
}

// === impl Volumes ===

impl Volumes {
    /// The volumes below `root`, an absolute path. Without an issuer no volume can have a token.
    pub fn new(root: PathBuf) -> Self {
        Self { root, tokens: None, reach: Reach::new(), bare: false }
    }

    /// With tokens from `issuer`, by this clock.
    #[must_use]
    pub fn with_tokens(self, issuer: Box<dyn Issuer>, clock: Clock) -> Self {
        Self { tokens: Some(Arc::new(Tokens::new(issuer, clock))), ..self }
    }

    /// If `bare`, without the files that are made from objects of api, and without /etc/hosts.
    #[must_use]
    pub fn bare(self, bare: bool) -> Self {
        Self { bare, ..self }
    }

    /// With other programs than this host's, for volumes that are elsewhere.
    #[must_use]
    pub fn with_commands(mut self, commands: Arc<dyn Commands>) -> Self {
        self.reach.commands = commands;
        self
    }

    /// With disks from a cloud that calls this machine `node`.
    #[must_use]
    pub fn with_disks(mut self, disks: Arc<dyn Disks>, node: String) -> Self {
        self.reach.disks = Some((disks, node));
        self
    }

    /// Makes the pod's directories and volumes. What is there already stays as it is, but for the files that are made from
    /// objects of api, which become what these are now. Answers when to call this again, if what it has made will age.
    pub async fn mount(&self, pod: &Arc<Pod>, facts: &Facts) -> Result<Option<Timestamp>, VolumeError> {
        let dir = self.pod_dir(&pod.metadata.uid)?;
        blocking(move || create_private(&dir).map_err(VolumeError::io("create", &dir))).await?;
        let mut again: Option<Timestamp> = None;
        for volume in &pod.spec.volumes {
            let failed =
                |source| VolumeError::SetUp { volume: volume.name.clone(), source: Box::new(source) };
            let due = self.mount_one(pod, volume, facts).await.map_err(failed)?;
            again = [again, due].into_iter().flatten().min();
        }
        Ok(again)
    }

    /// Unmounts the pod's volumes, lets go of what they held, and removes its directories.
    pub async fn teardown(&self, uid: &str) -> Result<(), VolumeError> {
        let dir = self.pod_dir(uid)?;
        if let Some(tokens) = &self.tokens {
            tokens.forget(uid);
        }
        if !dir.exists() {
            return Ok(());
        }
        let below = dir.clone();
        blocking(move || mounted::unmount_below(&below)).await?;
        self.reach.release(&dir).await;
        blocking(move || match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(VolumeError::io("remove", &dir)(error))
            }
            _ => Ok(()),
        })
        .await
    }

    /// Uids of the pods that have a directory.
    pub fn pods(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join("pods")) else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// The mounts of one container, once the pod's volumes are there: its volumeMounts, its termination message, and
    /// the pod's /etc/hosts. Blocks on the disk.
    pub fn mounts(
        &self,
        pod: &Pod,
        container: &Container,
        start: &Start,
        objects: &Objects,
    ) -> Result<Vec<Mount>, VolumeError> {
        let mut mounts = Vec::with_capacity(container.volume_mounts.len() + 2);
        for (index, mount) in container.volume_mounts.iter().enumerate() {
            let found = self.place(pod, mount, objects)?;
            let source = self.source(pod, container, (index, mount), &found.0, &start.env)?;
            mounts.push(Mount {
                source: MountSource::Host(source),
                container_path: mount.mount_path.clone(),
                read_only: mount.read_only || found.1,
                propagation: propagation(mount),
            });
        }
        let taken = |path: &str, mounts: &[Mount]| mounts.iter().any(|mount| mount.container_path == path);
        if !container.termination_message_path.is_empty() {
            mounts.push(self.message_mount(pod, container, start.attempt)?);
        }
        if !self.bare && !taken(ETC_HOSTS, &mounts) {
            let file = self.pod_dir(&pod.metadata.uid)?.join("etc-hosts");
            hosts::write(&file, pod, &start.pod_ips, &start.names)?;
            mounts.push(writable(file, ETC_HOSTS));
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

    /// The seccomp profile that a pod asks for by its path. Blocks on the disk.
    pub fn seccomp_profile(&self, path: &str) -> Result<String, VolumeError> {
        let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return Err(VolumeError::Name { name: path.to_owned() });
        }
        let file = self.root.join("seccomp").join(path);
        fs::read_to_string(&file).map_err(VolumeError::io("read the seccomp profile", &file))
    }

    async fn mount_one(
        &self,
        pod: &Arc<Pod>,
        volume: &Volume,
        facts: &Facts,
    ) -> Result<Option<Timestamp>, VolumeError> {
        let found = Found::new(volume, &facts.objects)?;
        let group = group(pod);
        match found.source {
            Source::EmptyDir(source) => {
                let dir = self.volume_dir(&pod.metadata.uid, empty_dir::KIND, &volume.name)?;
                let source = source.clone();
                blocking(move || empty_dir::set_up(&dir, &source, group)).await.map(|()| None)
            }
            Source::HostPath(source) => {
                let source = source.into_owned();
                blocking(move || host_path::check(&source)).await.map(|()| None)
            }
            Source::Content(_) if self.bare => {
                let tokens = BTreeMap::new();
                content::payload(volume, ingredients(pod, facts, &tokens)).map(|_| None)
            }
            Source::Content(kind) => {
                let dir = self.volume_dir(&pod.metadata.uid, kind, &volume.name)?;
                let (payload, due) = self.payload(pod, volume, facts).await?;
                let memory = volume.volume_source.config_map.is_none();
                blocking(move || fill(&dir, &payload, group, memory)).await.map(|()| due)
            }
            Source::GitRepo(source) => {
                let home = self.pod_dir(&pod.metadata.uid)?;
                let dir = self.volume_dir(&pod.metadata.uid, git_repo::KIND, &volume.name)?;
                git_repo::set_up(source, &self.reach, &home, &volume.name, &dir).await?;
                blocking(move || ownership::give(&dir, group)).await.map(|()| None)
            }
            Source::Remote(remote) => {
                let home = self.pod_dir(&pod.metadata.uid)?;
                let dir = self.volume_dir(&pod.metadata.uid, remote.way.kind(), &volume.name)?;
                self.reach.mount(&remote, &home, &volume.name, &dir).await?;
                // Servers have owners of their own.
                let group = group.filter(|_| remote.way.undo().is_some() && !remote.read_only);
                blocking(move || ownership::give(&dir, group)).await.map(|()| None)
            }
        }
    }

    /// The files of a volume that is made from objects of api, and when they will be too old.
    async fn payload(
        &self,
        pod: &Pod,
        volume: &Volume,
        facts: &Facts,
    ) -> Result<(Payload, Option<Timestamp>), VolumeError> {
        let mut tokens = BTreeMap::new();
        let mut due: Option<Timestamp> = None;
        for wanted in content::tokens(volume) {
            let issuer = self.tokens.as_ref().ok_or(VolumeError::Unsupported)?;
            let token = issuer.get(pod, &wanted).await.map_err(VolumeError::Token)?;
            due = [due, Some(token.renew_at)].into_iter().flatten().min();
            tokens.insert(wanted, token.token);
        }
        let from = ingredients(pod, facts, &tokens);
        Ok((content::payload(volume, from)?, due))
    }

    /// Where the volume of a mount is, and whether it must not be written to.
    fn place(
        &self,
        pod: &Pod,
        mount: &VolumeMount,
        objects: &Objects,
    ) -> Result<(PathBuf, bool), VolumeError> {
        let volume = pod.spec.volumes.iter().find(|volume| volume.name == mount.name);
        let volume = volume.ok_or_else(|| VolumeError::Unknown { volume: mount.name.clone() })?;
        let found = Found::new(volume, objects)?;
        let path = match &found.source {
            Source::EmptyDir(_) => self.volume_dir(&pod.metadata.uid, empty_dir::KIND, &volume.name)?,
            Source::HostPath(source) => PathBuf::from(&source.path),
            Source::Content(kind) => self.volume_dir(&pod.metadata.uid, kind, &volume.name)?,
            Source::GitRepo(_) => self.volume_dir(&pod.metadata.uid, git_repo::KIND, &volume.name)?,
            Source::Remote(remote) => self.volume_dir(&pod.metadata.uid, remote.way.kind(), &volume.name)?,
        };
        // Files of api's objects are replaced by the kubelet alone.
        Ok((path, found.read_only || matches!(found.source, Source::Content(_))))
    }

    /// What the runtime is to mount: the volume at `base`, or a place in it.
    fn source(
        &self,
        pod: &Pod,
        container: &Container,
        (index, mount): (usize, &VolumeMount),
        base: &Path,
        env: &[(String, String)],
    ) -> Result<PathBuf, VolumeError> {
        let lookup = |name: &str| env.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let sub_path = match mount.sub_path_expr.as_str() {
            "" => mount.sub_path.clone(),
            expression => expand(expression, lookup),
        };
        if sub_path.is_empty() {
            return Ok(base.to_owned());
        }
        let places = self.pod_dir(&pod.metadata.uid)?.join("volume-subpaths");
        let of = places.join(component(&mount.name)?).join(component(&container.name)?);
        sub_path::bind(base, &sub_path, &of.join(index.to_string()))
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
        Ok(writable(file, &container.termination_message_path))
    }

    fn pod_dir(&self, uid: &str) -> Result<PathBuf, VolumeError> {
        Ok(self.root.join("pods").join(component(uid)?))
    }

    fn volume_dir(&self, uid: &str, kind: &str, volume: &str) -> Result<PathBuf, VolumeError> {
        Ok(self.pod_dir(uid)?.join("volumes").join(kind).join(component(volume)?))
    }

    fn message_file(&self, uid: &str, container: &str, attempt: u32) -> Result<PathBuf, VolumeError> {
        Ok(self.pod_dir(uid)?.join("containers").join(component(container)?).join(attempt.to_string()))
    }
}

impl std::fmt::Debug for Volumes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Volumes").field("root", &self.root).finish_non_exhaustive()
    }
}

fn ingredients<'a>(pod: &'a Pod, facts: &'a Facts, tokens: &'a BTreeMap<Wanted, String>) -> Ingredients<'a> {
    Ingredients { pod, objects: &facts.objects, tokens, allocatable: &facts.allocatable }
}

/// Makes a directory of files that come from api; in memory, if they may be secret.
fn fill(dir: &Path, payload: &Payload, group: Option<u32>, memory: bool) -> Result<(), VolumeError> {
    if !dir.exists() || (memory && !mounted::is_mount_point(dir)?) {
        create_private(dir).map_err(VolumeError::io("create", dir))?;
        if memory {
            memory::mount_or_make_do(dir)?;
        }
        // Who may read what is for the files to say.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(VolumeError::io("open", dir))?;
    }
    atomic::write(dir, payload, group).map(drop)
}

/// The group that the pod's volumes belong to.
fn group(pod: &Pod) -> Option<u32> {
    let context = pod.spec.security_context.as_ref();
    context.and_then(|context| context.fs_group).and_then(|group| u32::try_from(group).ok())
}

fn propagation(mount: &VolumeMount) -> Propagation {
    match mount.mount_propagation.as_deref() {
        Some("HostToContainer") => Propagation::HostToContainer,
        Some("Bidirectional") => Propagation::Bidirectional,
        _ => Propagation::None,
    }
}

fn writable(file: PathBuf, container_path: &str) -> Mount {
    Mount {
        source: MountSource::Host(file),
        container_path: container_path.to_owned(),
        read_only: false,
        propagation: Propagation::None,
    }
}

/// Runs disk work where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VolumeError> + Send + 'static,
) -> Result<T, VolumeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(VolumeError::Interrupted(error.to_string())),
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
