//! A Docker engine of a test's own, which may be killed and started again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::docker::{self, Container};
use crate::{Network, Output, eventually, processes};

/// How long an engine may take to answer.
const READY: Duration = Duration::from_secs(30);

/// How long it may take to end when it is asked to.
const STOPPED: Duration = Duration::from_secs(20);

/// How much of the log is shown when a test fails.
const TAIL: usize = 4000;

/// A Docker engine with its own data, sockets, containerd and network namespace, beside the machine's. Its mounts are in
/// a namespace of their own, so that they go with its processes.
///
/// Containers, processes and files are gone when it is dropped.
#[derive(Debug)]
pub struct Dockerd {
    child: Option<Child>,
    network: Network,
    dir: TempDir,
}

// === impl Dockerd ===

impl Dockerd {
    /// Starts one without images.
    ///
    /// # Panics
    /// With its log, if it does not answer.
    #[track_caller]
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // What the machine's own engine is told is not for this one.
        fs::write(dir.path().join("daemon.json"), "{}").expect("a file can be written");
        let mut dockerd = Self { child: None, network: Network::new(1), dir };
        dockerd.start_again();
        dockerd
    }

    /// Starts it on its data after [`Dockerd::kill`] or [`Dockerd::crash`].
    ///
    /// # Panics
    /// With its log, if it does not answer.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        // Who is called by these numbers now is somebody else, whom the daemon would take for its own.
        for file in ["pid", "exec/containerd/containerd.pid"] {
            let _ = fs::remove_file(self.dir.path().join(file));
        }
        let log = self.log_file();
        let streams = [log.try_clone().expect("a file has more than one handle"), log].map(Stdio::from);
        let [stdout, stderr] = streams;
        let mut command = self.command();
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
        self.child = Some(child.expect("Docker and util-linux are installed"));
        eventually::within(READY, || match self.docker(&["version"]) {
            output if output.success => Ok(()),
            output => Err(format!("{output}\n{}", self.tail())),
        });
    }

    /// The value of DOCKER_HOST.
    pub fn host(&self) -> String {
        format!("unix://{}", self.path("docker.sock"))
    }

    /// All containers of a cluster, those that have ended included.
    ///
    /// # Panics
    /// If it does not answer.
    #[track_caller]
    pub fn containers(&self, cluster: &str) -> Vec<Container> {
        docker::containers_at(&["--host", &self.host()], cluster)
    }

    /// The ids of all its containers, whose ever they are.
    ///
    /// # Panics
    /// If it does not answer.
    #[track_caller]
    pub fn ids(&self) -> Vec<String> {
        let ids = self.docker(&["ps", "--all", "--quiet", "--no-trunc"]).ok();
        ids.lines().map(str::to_owned).collect()
    }

    /// kill -9 of the daemon, whose containerd dies with it: containers run on, with nobody to see them.
    ///
    /// # Panics
    /// If containerd does not die.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            processes::stop(&mut child);
            let gone = || self.founders().iter().all(|(_, name)| name != "containerd");
            eventually::within(
                STOPPED,
                || if gone() { Ok(()) } else { Err("containerd lives on".to_owned()) },
            );
        }
    }

    /// kill -9 of the daemon, of everything that it has started, and of all that runs in containers: what loss of power
    /// does to a machine.
    pub fn crash(&mut self) {
        let family = self.family();
        self.kill();
        for id in family {
            // Who is gone already is not missed.
            let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
        }
        // It would be on a tmpfs.
        let _ = fs::remove_dir_all(self.dir.path().join("exec"));
    }

    /// containerd and the shims, whose arguments name the engine's directory: their ids and names.
    fn founders(&self) -> Vec<(i32, String)> {
        let ours = self.dir.path().display().to_string();
        let founder = |id: i32| {
            let line = fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
            let mut words = line.split('\0');
            let name = Path::new(words.next()?).file_name()?.to_str()?.to_owned();
            let is_ours = name.starts_with("containerd") && words.any(|word| word.starts_with(&ours));
            is_ours.then_some((id, name))
        };
        everybody().filter_map(founder).collect()
    }

    /// containerd, the shims, and all that runs below them.
    fn family(&self) -> BTreeSet<i32> {
        let parents: BTreeMap<i32, i32> = everybody().filter_map(|id| Some((id, parent(id)?))).collect();
        let mut family: BTreeSet<i32> = self.founders().into_iter().map(|(id, _)| id).collect();
        loop {
            let children = parents.iter().filter(|(_, parent)| family.contains(parent)).map(|(id, _)| *id);
            let more: Vec<i32> = children.filter(|id| !family.contains(id)).collect();
            if more.is_empty() {
                return family;
            }
            family.extend(more);
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        // Each replaces the process that it is started as, so that its id is the daemon's.
        command.arg(format!("--net={}", self.network.path(1).display()));
        command.args(["--", "unshare", "--mount", "--propagation", "slave", "--", "dockerd"]);
        let namespace = self.dir.path().file_name().unwrap_or_default().to_string_lossy().replace('.', "kt");
        let flags = [
            ("--config-file", self.path("daemon.json")),
            ("--data-root", self.path("data")),
            ("--exec-root", self.path("exec")),
            ("--pidfile", self.path("pid")),
            ("--host", self.host()),
            // A machine that has a containerd of its own has it serve all engines.
            ("--containerd-plugins-namespace", format!("{namespace}-plugins")),
            ("--containerd-namespace", namespace),
            // Mounts nothing, and runs wherever files can be written.
            ("--storage-driver", "vfs".to_owned()),
        ];
        for (flag, value) in flags {
            command.args([flag.to_owned(), value]);
        }
        command.args(["--iptables=false", "--ip6tables=false", "--ip-masq=false"]);
        command
    }

    fn docker(&self, words: &[&str]) -> Output {
        Output::of(Command::new("docker").args(["--host", &self.host()]).args(words), "")
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn log(&self) -> PathBuf {
        Path::new(self.dir.path()).join("log")
    }

    fn log_file(&self) -> File {
        OpenOptions::new().create(true).append(true).open(self.log()).expect("a log can be opened")
    }

    fn tail(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let from = log.char_indices().rev().nth(TAIL).map_or(0, |(at, _)| at);
        log[from..].to_owned()
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the log of the engine ends with\n{}", self.tail());
        }
        if let Some(mut child) = self.child.take() {
            let ids = self.docker(&["ps", "--all", "--quiet"]).stdout;
            let words: Vec<&str> = ["rm", "--force", "--volumes"].into_iter().chain(ids.lines()).collect();
            if words.len() > 3 {
                let _ = self.docker(&words);
            }
            processes::signal(&child, Signal::SIGTERM);
            if processes::wait(&mut child, STOPPED).is_none() {
                processes::stop(&mut child);
            }
        }
        self.crash();
    }
}

/// The ids of all processes.
fn everybody() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The process that a process was started by, or was left to.
fn parent(id: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // A program's name, in brackets, may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
