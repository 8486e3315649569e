//! `keelson up`, in a process of its own, as a user starts it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::in_process::any_service_network;
use crate::{Output, Target, docker, eventually, output, processes};

/// How long a start may take, the first one included: it makes an authority and loads images.
const READY: Duration = Duration::from_secs(60);

/// How long a stop may take.
const STOPPED: Duration = Duration::from_secs(60);

/// A way to start `keelson up`, again and again on the same data: its flags and its directory. What is left in
/// Docker and in the kernel is removed when it is dropped.
#[derive(Debug)]
pub struct Up {
    dir: TempDir,
    data_dir: PathBuf,
    flags: Vec<String>,
}

/// A `keelson up` that is ready. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
    target: Target,
}

// === impl Up ===

impl Up {
    /// On the hollow runtime, with no rules in the kernel.
    pub fn hollow() -> Self {
        Self::with(&["--runtime", "hollow", "--no-proxy"])
    }

    /// On Docker, with a network of its own for services.
    pub fn docker() -> Self {
        Self::with(&["--service-cluster-ip-range", &any_service_network().to_string()])
    }

    fn with(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data_dir = dir.path().join("data");
        let ports =
            ["--gateway-port", "0", "--grpc-port", "0", "--kubelet-port", "0", "--node-name", "node-1"];
        let flags = ports.into_iter().chain(flags.iter().copied()).map(str::to_owned).collect();
        Self { dir, data_dir, flags }
    }

    /// With further flags; the last one of a kind counts.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// With the data elsewhere.
    #[must_use]
    pub fn on(mut self, data_dir: &Path) -> Self {
        self.data_dir = data_dir.to_path_buf();
        self
    }

    /// Where the data is.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A directory that goes with it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The cluster's id, once it has started.
    ///
    /// # Panics
    /// If it has not.
    #[track_caller]
    pub fn cluster_id(&self) -> String {
        std::fs::read_to_string(self.data_dir.join("cluster-id")).expect("it has started once")
    }

    /// Starts it, and waits until it is ready and has said what to type next.
    ///
    /// # Panics
    /// With what it said, if it does not get ready.
    #[track_caller]
    pub fn start(&self) -> Running {
        self.start_with(&[])
    }

    /// The same with further flags, this time.
    ///
    /// # Panics
    /// With what it said, if it does not get ready.
    #[track_caller]
    pub fn start_with(&self, flags: &[&str]) -> Running {
        let mut command = self.command(flags);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("keelson starts");
        let said = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().expect("a pipe"), said.clone());
        collect(child.stderr.take().expect("a pipe"), said.clone());
        eventually::within(READY, || {
            let text = said.lock().expect("no reader panics").clone();
            let ended = child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "{} ended with {ended:?}:\n{text}", output::spell(&command));
            if text.contains("Ctrl-C stops it") { Ok(()) } else { Err(format!("not ready; it said\n{text}")) }
        });
        let text = said.lock().expect("no reader panics").clone();
        let target = Target::new(&self.data_dir.join("kubeconfig"), grpc(&text), kubelets(&text));
        Running { child, said, target }
    }

    /// Runs it until it ends by itself.
    #[track_caller]
    pub fn run(&self, flags: &[&str]) -> Output {
        Output::of(&mut self.command(flags), "")
    }

    fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(binary());
        // What belongs to whoever runs the tests is not to be found by accident.
        command.env("HOME", self.dir.path()).env_remove("KEELSON_DATA_DIR").env_remove("KEELSON_STORE");
        command.arg("up").arg("--data-dir").arg(&self.data_dir).args(self.merged(flags));
        command.stdin(Stdio::null());
        command
    }
}

impl Up {
    /// Its flags and these; of two that have the same name the later one.
    fn merged(&self, flags: &[&str]) -> Vec<String> {
        let mut merged: Vec<String> = Vec::new();
        for word in self.flags.iter().map(String::as_str).chain(flags.iter().copied()) {
            if word.starts_with("--")
                && let Some(at) = merged.iter().position(|earlier| earlier == word)
            {
                let end = merged[at + 1..].iter().position(|word| word.starts_with("--"));
                merged.drain(at..end.map_or(merged.len(), |end| at + 1 + end));
            }
            merged.push(word.to_owned());
        }
        merged
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let on_docker = !self.flags.iter().any(|flag| flag == "hollow");
        if on_docker && self.data_dir.join("cluster-id").exists() {
            docker::remove_cluster(&self.cluster_id());
            unmount_below(&self.data_dir);
        }
    }
}

/// Unmounts the volumes of pods that a killed kubelet has left, so that the directory can go.
fn unmount_below(dir: &Path) {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let mut points: Vec<&str> = points.filter(|point| Path::new(point).starts_with(dir)).collect();
    points.sort_unstable();
    for point in points.iter().rev() {
        let _ = Output::of(Command::new("umount").arg(point), "");
    }
}

// === impl Running ===

impl Running {
    /// The administrator's way into it.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// All that it has printed.
    ///
    /// # Panics
    /// Never, as no reader panics.
    pub fn said(&self) -> String {
        self.said.lock().expect("no reader panics").clone()
    }

    /// Ctrl-C; waits until it has ended.
    ///
    /// # Panics
    /// With what it said, if it does not end.
    #[track_caller]
    pub fn interrupt(mut self) -> ExitStatus {
        processes::signal(&self.child, Signal::SIGINT);
        let ended = processes::wait(&mut self.child, STOPPED);
        ended.unwrap_or_else(|| panic!("it did not stop; it said\n{}", self.said()))
    }

    /// kill -9; waits until it is gone.
    pub fn kill(mut self) {
        processes::stop(&mut self.child);
    }

    /// kill -9, while others are talking to it; it is gone for sure when this is dropped.
    pub fn kill_now(&self) {
        processes::signal(&self.child, Signal::SIGKILL);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- keelson up said\n{}", self.said());
        }
        processes::stop(&mut self.child);
    }
}

/// Copies lines to where they can be looked at.
fn collect(from: impl Read + Send + 'static, to: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut text = to.lock().expect("no reader panics");
            text.push_str(&line);
            text.push('\n');
        }
    });
}

/// The binary: `KEELSON_BIN`, or what was built together with this test.
#[track_caller]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("KEELSON_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a running program has a path");
    let path = test.ancestors().nth(2).expect("tests are in target/<profile>/deps").join("keelson");
    assert!(
        path.exists(),
        "{} is missing; build it with `cargo build --workspace --bins --tests`",
        path.display()
    );
    path
}

/// Where the gRPC services listen, as the hint says.
fn grpc(said: &str) -> Option<String> {
    address(said, |line| line.contains(" list"))
}

/// Where the kubelets listen, as the hint says.
fn kubelets(said: &str) -> Vec<String> {
    let lines = said.lines().filter(|line| line.contains("keelson.v1.Kubelet/Pods"));
    lines.filter_map(|line| address(line, |_| true)).collect()
}

/// The `host:port` in the first line that begins like a call of grpcurl and for which this holds.
fn address(said: &str, holds: impl Fn(&str) -> bool) -> Option<String> {
    let mut lines = said.lines().filter(|line| line.trim_start().starts_with("grpcurl") && holds(line));
    let is_address = |word: &&str| word.parse::<std::net::SocketAddr>().is_ok();
    lines.next()?.split_whitespace().find(is_address).map(str::to_owned)
}
