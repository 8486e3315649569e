//! Reaching volumes that are elsewhere, and letting go of them.
//!
//! What is to be undone is written down before it is done, in the pod's own directory: a kubelet that was killed in
//! between undoes it when the pod goes. A device that two pods of this node use is let go by the last one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keelson_base_cloud::{Attached, Disks};
use nix::mount::{MsFlags, mount};
use tokio::sync::Semaphore;

use super::commands::{CommandError, Commands, Host};
use super::remote::{self, Remote, Undo, Way, words};
use super::{VolumeError, blocking, create_private, mounted};

/// How long the device of a new session may take to appear, and how often it is looked for: the kernel tells udev only.
const APPEARS: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(100);

/// The exit status of blkid that means: nothing is on the device.
const BLANK: i32 = 2;

/// The directory of what is to be undone, in a pod's directory.
const ATTACHED: &str = "attached";

/// What reaches volumes that are elsewhere.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) commands: Arc<dyn Commands>,
    /// Who gives disks, and this machine's name for them.
    pub(super) disks: Option<(Arc<dyn Disks>, String)>,
    /// One attaches or lets go at a time: what one needs another may be about to let go.
    turn: Arc<Semaphore>,
}

// === impl Reach ===

impl Reach {
    pub(super) fn new() -> Self {
        Self { commands: Arc::new(Host), disks: None, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Mounts `remote` at `dir`, for the volume `name` of the pod whose directory is `pod`.
    pub(super) async fn mount(
        &self,
        remote: &Remote,
        pod: &Path,
        name: &str,
        dir: &Path,
    ) -> Result<(), VolumeError> {
        let at = dir.to_owned();
        if blocking(move || mounted::is_mount_point(&at)).await? {
            return Ok(());
        }
        create_private(dir).map_err(VolumeError::io("create", dir))?;
        if let Some(undo) = remote.way.undo() {
            note(&pod.join(ATTACHED), name, &undo).map_err(VolumeError::io("write in", pod))?;
        }
        // The semaphore is never closed.
        let _turn = self.turn.acquire().await;
        let mut options: Vec<String> = remote.read_only.then(|| "ro".to_owned()).into_iter().collect();
        match &remote.way {
            Way::Share { fs, from, options: own } => {
                options.extend(own.iter().chain(&remote.options).cloned());
                self.run("mount", &remote::mount(fs, from, &options, &text(dir)?)).await.map(drop)
            }
            Way::Rbd { pool, image, monitors, user, key, fs } => {
                let args = remote::rbd_map(pool, image, monitors, user, key, remote.read_only);
                let said = self.run("rbd", &args).await.map_err(|error| hide(error, &args))?;
                self.mount_device(said.trim(), fs, remote, dir).await
            }
            Way::Iscsi { portal, iqn, lun, interface, fs } => {
                for args in remote::iscsi_login(portal, iqn, interface) {
                    self.run("iscsiadm", &args).await?;
                }
                let device = remote::iscsi_device(portal, iqn, *lun);
                self.appeared(&device).await?;
                self.mount_device(&device, fs, remote, dir).await
            }
            Way::Disk { name, partition, fs, .. } => match self.attach(name, remote.read_only).await? {
                Attached::Directory(from) => bind(&from, dir),
                Attached::Device(device) => {
                    let device = text(&device)?;
                    let device = if *partition > 0 { format!("{device}{partition}") } else { device };
                    self.mount_device(&device, fs, remote, dir).await
                }
            },
        }
    }

    /// Lets go of what the pod's volumes held, once nothing of it is mounted. What fails is told in the log only: a pod
    /// must not stay for a server that is gone.
    pub(super) async fn release(&self, pod: &Path) {
        let Ok(entries) = fs::read_dir(pod.join(ATTACHED)) else { return };
        for entry in entries.flatten() {
            let _turn = self.turn.acquire().await;
            let file = entry.path();
            let Some(undo) = fs::read_to_string(&file).ok().and_then(|text| Undo::read(&text)) else {
                continue;
            };
            if !shared(pod, &undo)
                && let Err(error) = self.undo(&undo).await
            {
                tracing::warn!(?undo, %error, "cannot let go of what a volume held");
            }
            let _ = fs::remove_file(file);
        }
    }

    async fn undo(&self, undo: &Undo) -> Result<(), VolumeError> {
        match undo {
            Undo::Iscsi { portal, iqn } => {
                let args = words(&["-m", "node", "-p", portal, "-T", iqn, "--logout"]);
                self.run("iscsiadm", &args).await.map(drop)
            }
            Undo::Rbd { pool, image } => {
                self.run("rbd", &words(&["unmap", &format!("{pool}/{image}")])).await.map(drop)
            }
            Undo::Disk { name } => match &self.disks {
                Some((disks, node)) => disks.detach(name, node).await.map_err(VolumeError::Disk),
                None => Ok(()),
            },
        }
    }

    async fn attach(&self, name: &str, read_only: bool) -> Result<Attached, VolumeError> {
        let (disks, node) = self.disks.as_ref().ok_or(VolumeError::NoDisks)?;
        disks.attach(name, node, read_only).await.map_err(VolumeError::Disk)
    }

    /// Makes a file system on a device that has none, and mounts it.
    async fn mount_device(
        &self,
        device: &str,
        fs: &str,
        remote: &Remote,
        dir: &Path,
    ) -> Result<(), VolumeError> {
        let mut options = words(&[if remote.read_only { "ro" } else { "defaults" }]);
        options.extend(remote.options.iter().cloned());
        let probe = words(&["-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "export", device]);
        match self.commands.run("blkid", &probe).await {
            Ok(_) if remote.read_only => {}
            Ok(_) => self.check(device).await,
            Err(CommandError::Failed { code: Some(BLANK), .. }) if !remote.read_only => {
                let (program, args) = remote::make_fs(fs, device);
                self.run(&program, &args).await?;
            }
            Err(error) => return Err(VolumeError::Command(error)),
        }
        self.run("mount", &remote::mount(fs, device, &options, &text(dir)?)).await.map(drop)
    }

    /// Repairs what can be repaired without asking; whatever it says, mounting says whether the file system is whole.
    async fn check(&self, device: &str) {
        if let Err(error) = self.commands.run("fsck", &words(&["-a", device])).await {
            tracing::warn!(device, %error, "fsck found faults");
        }
    }

    async fn appeared(&self, device: &str) -> Result<(), VolumeError> {
        let look = async {
            while !Path::new(device).exists() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let missing = |_| VolumeError::NoDevice { device: device.to_owned() };
        tokio::time::timeout(APPEARS, look).await.map_err(missing)
    }

    pub(super) async fn run(&self, program: &str, args: &[String]) -> Result<String, VolumeError> {
        self.commands.run(program, args).await.map_err(VolumeError::Command)
    }
}

/// Without the key that was on the command line.
fn hide(error: VolumeError, args: &[String]) -> VolumeError {
    match (error, args.iter().find_map(|arg| arg.strip_prefix("--key="))) {
        (VolumeError::Command(CommandError::Failed { command, code, output }), Some(key)) => {
            let (command, output) = (command.replace(key, "***"), output.replace(key, "***"));
            VolumeError::Command(CommandError::Failed { command, code, output })
        }
        (VolumeError::Command(CommandError::Late { command }), Some(key)) => {
            VolumeError::Command(CommandError::Late { command: command.replace(key, "***") })
        }
        (error, _) => error,
    }
}

/// Shows a directory of this host at `dir`.
fn bind(from: &Path, dir: &Path) -> Result<(), VolumeError> {
    mount(Some(from), dir, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|errno| VolumeError::io("mount a disk at", dir)(errno.into()))
}

/// Writes down what is to be undone.
fn note(dir: &Path, name: &str, undo: &Undo) -> io::Result<()> {
    create_private(dir)?;
    fs::write(dir.join(name), undo.write())
}

/// Whether another pod of this node holds the same.
fn shared(pod: &Path, undo: &Undo) -> bool {
    let pods = pod.parent().and_then(|pods| fs::read_dir(pods).ok()).into_iter().flatten().flatten();
    let others = pods.map(|other| other.path()).filter(|other| other != pod);
    let mut notes = others.filter_map(|other| fs::read_dir(other.join(ATTACHED)).ok()).flatten().flatten();
    notes.any(|note| {
        fs::read_to_string(note.path()).is_ok_and(|text| Undo::read(&text).as_ref() == Some(undo))
    })
}

fn text(path: &Path) -> Result<String, VolumeError> {
    let name = || VolumeError::Name { name: path.display().to_string() };
    path.to_str().map(str::to_owned).ok_or_else(name)
}

/// The path of a pod's marker of something done; for what is done once in a pod's life.
pub(super) fn done(pod: &Path, name: &str) -> PathBuf {
    pod.join("done").join(name)
}
