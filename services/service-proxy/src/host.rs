//! The host's network, or one namespace of it: its programs, its switches, its sockets.
//!
//! Everything the proxy does to the outside goes through here, so that "which namespace" is said once.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::process::Command;

/// How long a program may take; `nft` takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many connections wait to be accepted.
const BACKLOG: u32 = 1024;

/// What `nsenter` and shells end with if the program cannot be found.
const NOT_FOUND: i32 = 127;

/// The network of this process, or of a namespace.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    netns: Option<PathBuf>,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It is not installed.
    #[error("{0} is not installed")]
    Missing(String),
    /// This process may not do that.
    #[error("{program} needs root (CAP_NET_ADMIN): {message}")]
    Denied {
        /// Its name.
        program: String,
        /// What it said.
        message: String,
    },
    /// It refused.
    #[error("{program} failed: {message}")]
    Refused {
        /// Its name.
        program: String,
        /// What it said.
        message: String,
    },
    /// It did not end.
    #[error("{0} did not end within {PATIENCE:?}")]
    Stuck(String),
    /// It could not be run.
    #[error("running {program}")]
    Run {
        /// Its name.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

// === impl Host ===

impl Host {
    pub(crate) fn new(netns: Option<PathBuf>) -> Self {
        Self { netns }
    }

    /// Runs a program, hands it `input`, and returns what it wrote.
    pub(crate) async fn run(
        &self,
        program: &str,
        args: &[&str],
        input: &str,
    ) -> Result<String, CommandError> {
        let run = async {
            let mut child = self.command(program, args).spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                // A program that ends before it has read all says why in its exit.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            child.wait_with_output().await
        };
        let output = match tokio::time::timeout(PATIENCE, run).await {
            Err(_) => return Err(CommandError::Stuck(program.to_owned())),
            Ok(Err(error)) => return Err(CommandError::from_io(program, error)),
            Ok(Ok(output)) => output,
        };
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(CommandError::from_exit(program, output.status.code(), said.trim()))
    }

    /// Reads a switch such as `net/ipv4/ip_forward`.
    pub(crate) async fn switch(&self, name: &str) -> Result<String, CommandError> {
        let path = format!("/proc/sys/{name}");
        Ok(self.run("cat", &[&path], "").await?.trim().to_owned())
    }

    /// Sets a switch.
    pub(crate) async fn set_switch(&self, name: &str, value: &str) -> Result<(), CommandError> {
        let path = format!("/proc/sys/{name}");
        self.run("tee", &[&path], value).await.map(drop)
    }

    /// Listens there.
    pub(crate) fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.inside(|| {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        })?
    }

    /// A socket to connect with.
    pub(crate) fn socket(&self) -> io::Result<TcpSocket> {
        self.inside(TcpSocket::new_v4)?
    }

    /// A socket to connect to `address` with.
    pub(crate) fn socket_to(&self, address: SocketAddr) -> io::Result<TcpSocket> {
        match address {
            SocketAddr::V4(_) => self.socket(),
            SocketAddr::V6(_) => self.inside(TcpSocket::new_v6)?,
        }
    }

    /// A socket for datagrams at `address`.
    pub(crate) fn udp_at(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        self.inside(|| {
            let socket = std::net::UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)
        })?
    }

    /// A socket for datagrams to `address` and from there, at a port of its own.
    pub(crate) fn udp_to(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        self.inside(|| {
            let socket = std::net::UdpSocket::bind(any)?;
            socket.connect(address)?;
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)
        })?
    }

    /// Runs `work` in the namespace; what it opens stays there. Must be called from a runtime.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        let Some(netns) = &self.netns else {
            return Ok(work());
        };
        let runtime = tokio::runtime::Handle::current();
        // The namespace is the thread's, so the thread must not be one that goes on to other work.
        let enter = || {
            setns(File::open(netns)?, CloneFlags::CLONE_NEWNET)?;
            let _runtime = runtime.enter();
            Ok(work())
        };
        let died = |_| Err(io::Error::other("the thread in the namespace panicked"));
        std::thread::scope(|scope| scope.spawn(enter).join().unwrap_or_else(died))
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = match &self.netns {
            None => Command::new(program),
            Some(netns) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net={}", netns.display())).arg(program);
                command
            }
        };
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(args)
            // Where the programs are, but not everybody looks.
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            // Their messages are told apart below.
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

// === impl CommandError ===

impl CommandError {
    fn from_io(program: &str, source: io::Error) -> Self {
        let program = program.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            Self::Missing(program)
        } else {
            Self::Run { program, source }
        }
    }

    fn from_exit(program: &str, code: Option<i32>, said: &str) -> Self {
        let denied = ["Operation not permitted", "Permission denied", "must be root", "you need to be root"];
        let program = program.to_owned();
        let message = said.lines().take(3).collect::<Vec<_>>().join("; ");
        if code == Some(NOT_FOUND) {
            Self::Missing(program)
        } else if denied.iter().any(|sign| said.contains(sign)) {
            Self::Denied { program, message }
        } else {
            Self::Refused { program, message }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_gets_its_input_and_its_failure_is_told() {
        let host = Host::new(None);
        assert_eq!(host.run("cat", &[], "hello").await.unwrap(), "hello");
        let missing = host.run("no-such-program-anywhere", &[], "").await.unwrap_err();
        assert!(matches!(missing, CommandError::Missing(_)), "{missing}");
        let refused = host.run("cat", &["/no/such/file"], "").await.unwrap_err();
        assert!(refused.to_string().contains("/no/such/file"), "{refused}");
    }

    #[test]
    fn failures_are_told_apart() {
        let denied = CommandError::from_exit("nft", Some(1), "netlink: Error: Operation not permitted");
        assert!(matches!(denied, CommandError::Denied { .. }));
        let missing = CommandError::from_exit("nft", Some(127), "nsenter: failed to execute nft");
        assert!(matches!(missing, CommandError::Missing(_)));
    }
}
