//! Streams into containers: commands that are run in them, their own standard streams, their ports.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncWrite};

use super::RuntimeError;

/// A runtime's streams into containers.
pub trait Streams: Send + Sync + 'static {
    /// Starts a command in a running container. Its environment, user and directory are the container's.
    fn exec<'a>(
        &'a self,
        id: &'a str,
        command: &'a [String],
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<Session, RuntimeError>>;

    /// Attaches to the main program of a running container. `wanted.tty` must be as the container was made.
    fn attach<'a>(&'a self, id: &'a str, wanted: Wanted) -> BoxFuture<'a, Result<Session, RuntimeError>>;

    /// A TCP connection to a port of a running infra container's network, made inside it: programs that listen on the
    /// pod's loopback are reached, too.
    fn connect<'a>(
        &'a self,
        id: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, RuntimeError>>;
}

/// Which streams of a program are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its standard input.
    pub stdin: bool,
    /// Its standard output.
    pub stdout: bool,
    /// Its standard error; with a terminal there is none.
    pub stderr: bool,
    /// Give it a terminal.
    pub tty: bool,
}

/// A program whose streams are held. Dropping it ends the reading; the program goes on, unless it minds.
pub struct Session {
    /// To the program's standard input; shutting it down ends that. Absent if it was not wanted.
    pub stdin: Option<Pin<Box<dyn AsyncWrite + Send>>>,
    /// From the program, as fast as it is read. Ends when the program has closed its outputs.
    pub output: BoxStream<'static, Result<Output, RuntimeError>>,
    /// What else can be done with it.
    pub control: Box<dyn Control>,
}

/// What a program has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To standard output, or to its terminal.
    Stdout(Bytes),
    /// To standard error.
    Stderr(Bytes),
}

/// A handle on a program whose streams are held.
pub trait Control: Send + Sync {
    /// Gives the program's terminal another size, in characters. Without a terminal nothing happens.
    fn resize(&self, width: u16, height: u16) -> BoxFuture<'_, Result<(), RuntimeError>>;

    /// The exit code of a command that has ended; none if it has not, or if it is not a command but a container.
    fn exit_code(&self) -> BoxFuture<'_, Result<Option<i32>, RuntimeError>>;

    /// Kills a command, if the runtime can; a container that was attached to is left alone.
    fn kill(&self) -> BoxFuture<'_, Result<(), RuntimeError>>;
}

/// Both directions of a connection.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

/// What came of a command that was run to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Exit code; 128 + n after signal n.
    pub code: i32,
    /// Its standard output, as much as was asked for.
    pub stdout: Vec<u8>,
    /// Its standard error, as much as was asked for.
    pub stderr: Vec<u8>,
    /// Some of the output was left out.
    pub truncated: bool,
}

/// A command did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// It took too long, and was killed if the runtime can do that.
    #[error("command {command:?} timed out after {limit:?}")]
    TimedOut {
        /// The program and its arguments.
        command: Vec<String>,
        /// How long it had.
        limit: Duration,
    },
    /// It could not be run or watched. A program that is not there is [`RuntimeError::Refused`].
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

/// Runs a command in a container to its end, without standard input; keeps at most `most` bytes of each output and reads
/// the rest away. For probes and hooks.
///
/// # Errors
///
/// If it cannot be run, or does not end within `limit`.
pub async fn run(
    runtime: &dyn super::Runtime,
    id: &str,
    command: &[String],
    limit: Duration,
    most: usize,
) -> Result<Ran, RunError> {
    let until = tokio::time::Instant::now() + limit;
    let late = || RunError::TimedOut { command: command.to_vec(), limit };
    let wanted = Wanted { stdout: true, stderr: true, ..Wanted::default() };
    let started = tokio::time::timeout_at(until, runtime.exec(id, command, wanted)).await;
    let Session { mut output, control, .. } = started.map_err(|_| late())??;
    let ended = tokio::time::timeout_at(until, gather(&mut output, &*control, most)).await;
    match ended {
        Ok(ran) => Ok(ran?),
        Err(_) => {
            if let Err(error) = control.kill().await {
                tracing::warn!(container = id, %error, "cannot kill a command that took too long");
            }
            Err(late())
        }
    }
}

async fn gather(
    output: &mut BoxStream<'static, Result<Output, RuntimeError>>,
    control: &dyn Control,
    most: usize,
) -> Result<Ran, RuntimeError> {
    let mut ran = Ran::default();
    while let Some(piece) = output.next().await {
        let (kept, bytes) = match piece? {
            Output::Stdout(bytes) => (&mut ran.stdout, bytes),
            Output::Stderr(bytes) => (&mut ran.stderr, bytes),
        };
        let room = most.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(&bytes[..room]);
        ran.truncated |= room < bytes.len();
    }
    let unknown = || RuntimeError::Refused {
        operation: "run command",
        message: "its exit code is not known".to_owned(),
    };
    ran.code = control.exit_code().await?.ok_or_else(unknown)?;
    Ok(ran)
}

// === impl Connection ===

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

// === impl Session ===

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("stdin", &self.stdin.is_some()).finish_non_exhaustive()
    }
}
