//! One process of a stack.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::{eventually, processes};

/// How long a process may take to get ready, while others start too.
const READY: Duration = Duration::from_secs(60);

/// How long a process may take to end when it is asked to.
const STOPPED: Duration = Duration::from_secs(30);

/// How long an answer to a probe may take.
const PROBE: Duration = Duration::from_secs(2);

/// How much of a log is shown when a test fails.
const TAIL: usize = 4000;

/// How a process is started, again and again on the same ports and data.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Where it answers in plain HTTP.
    pub(super) admin: SocketAddr,
    /// Path that answers 200 there when it is ready.
    pub(super) ready: &'static str,
}

/// One process of a stack. Killed when dropped.
#[derive(Debug)]
pub struct Part {
    recipe: Recipe,
    log: PathBuf,
    child: Option<Child>,
}

// === impl Part ===

impl Part {
    pub(super) fn new(recipe: Recipe, logs: &Path) -> Self {
        let log = logs.join(format!("{}.log", recipe.name));
        Self { recipe, log, child: None }
    }

    /// Its name in the stack.
    pub fn name(&self) -> &str {
        &self.recipe.name
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.recipe.address
    }

    /// Where it tells its health and metrics in plain HTTP.
    pub fn admin(&self) -> SocketAddr {
        self.recipe.admin
    }

    /// Its process id.
    ///
    /// # Panics
    /// If it is not running.
    #[track_caller]
    pub fn id(&self) -> u32 {
        self.running().id()
    }

    /// Whether it runs, or is paused.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Further arguments at its next start.
    pub fn add_args(&mut self, args: &[&str]) {
        self.recipe.args.extend(args.iter().map(|arg| (*arg).to_owned()));
    }

    /// A variable of its environment from its next start on.
    pub fn add_env(&mut self, name: &str, value: &str) {
        self.recipe.env.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it without waiting for anything.
    ///
    /// # Panics
    /// If it runs already, or cannot be started.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(!self.is_running(), "{} runs already", self.name());
        let mut command = Command::new(&self.recipe.program);
        command.args(&self.recipe.args);
        // What belongs to whoever runs the tests is not to be found by accident.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KEELSON_"))
        {
            command.env_remove(name);
        }
        command.envs(self.recipe.env.iter().map(|(name, value)| (name, value)));
        let mut log = self.open_log();
        writeln!(log, "--- {:?}", command).expect("a log can be written");
        let streams = [log.try_clone().expect("a file has more than one handle"), log];
        let [stdout, stderr] = streams.map(Stdio::from);
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("{} does not start: {error}", self.name())));
    }

    /// Waits until it says that it is ready.
    ///
    /// # Panics
    /// With its log, if it ends or does not get ready.
    #[track_caller]
    pub fn wait_ready(&mut self) {
        eventually::within(READY, || {
            assert!(self.is_running(), "{} ended; its log:\n{}", self.name(), self.tail());
            match self.get(self.recipe.ready) {
                Some((200, _)) => Ok(()),
                answer => Err(format!("{} is not ready: {answer:?}; its log:\n{}", self.name(), self.tail())),
            }
        });
    }

    /// Whether it says that it is ready.
    pub fn is_ready(&self) -> bool {
        matches!(self.get(self.recipe.ready), Some((200, _)))
    }

    /// The answer of its admin port to GET: the status and the body; `None` if there is none.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        get(self.recipe.admin, path).ok()
    }

    /// kill -9; returns when it is gone. Nothing if it does not run.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            processes::stop(&mut child);
        }
    }

    /// SIGTERM; waits until it has ended.
    ///
    /// # Panics
    /// If it does not run, or does not end.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait_ended()
    }

    /// Waits until it has ended by itself or by a signal.
    ///
    /// # Panics
    /// If it was not started, or does not end.
    #[track_caller]
    pub fn wait_ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap_or_else(|| panic!("{} was not started", self.name()));
        let ended = processes::wait(&mut child, STOPPED);
        if ended.is_none() {
            processes::stop(&mut child);
        }
        ended.unwrap_or_else(|| panic!("{} did not end; its log:\n{}", self.name(), self.tail()))
    }

    /// SIGSTOP: it keeps its connections and answers nobody, until [`Part::resume`].
    #[track_caller]
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    #[track_caller]
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If it does not run.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        processes::signal(self.running(), signal);
    }

    /// Kills it if it runs, starts it, and waits until it is ready.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        self.start();
        self.wait_ready();
    }

    /// All that it has printed, in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of its log.
    pub(super) fn tail(&self) -> String {
        let log = self.log();
        let from = log.char_indices().rev().nth(TAIL).map_or(0, |(at, _)| at);
        log[from..].to_owned()
    }

    #[track_caller]
    fn running(&self) -> &Child {
        self.child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name()))
    }

    fn open_log(&self) -> File {
        OpenOptions::new().create(true).append(true).open(&self.log).expect("a log can be opened")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.kill();
    }
}

/// GET over plain HTTP/1.1.
fn get(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PROBE)?;
    stream.set_read_timeout(Some(PROBE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other("no HTTP"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| std::io::Error::other("no status"))?, body.to_owned()))
}
