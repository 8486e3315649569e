//! Streams into containers that do not exist.
//!
//! | command | what it does |
//! |---|---|
//! | `exit:3` | ends at once with code 3 |
//! | `echo a b` | writes `a b` and ends |
//! | `cat` | writes what it reads, until its input ends |
//! | `hang` | does nothing, and never ends |
//!
//! Whoever attaches to a container reads back what he writes, until the container ends. Of a pod's ports only 7 answers,
//! with what it is told.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::watch;

use super::behavior::Behavior;
use super::{HollowRuntime, KILLED};
use crate::runtime::{Connection, ContainerState, Control, Output, RuntimeError, Session, Streams, Wanted};

/// The port that answers (RFC 862).
const ECHO: u16 = 7;

/// Bytes on their way between writer and reader.
const BUFFER: usize = 64 << 10;

/// A program that does not exist; its exit code, once it has ended.
#[derive(Clone)]
struct Program {
    code: watch::Sender<Option<i32>>,
}

// === impl Program ===

impl Program {
    fn new() -> Self {
        Self { code: watch::Sender::new(None) }
    }

    /// The first who says how it ended is right.
    fn end(&self, code: i32) {
        self.code.send_if_modified(|known| known.is_none() && known.replace(code).is_none());
    }

    /// What it writes, and then its end.
    fn session(
        &self,
        stdin: Option<Pin<Box<dyn AsyncWrite + Send>>>,
        output: BoxStream<'static, Output>,
        cut: BoxFuture<'static, ()>,
        code: i32,
    ) -> Session {
        let (program, dead) = (self.clone(), self.clone());
        let mut killed = self.code.subscribe();
        let until = async move {
            tokio::select! {
                () = cut => dead.end(KILLED),
                // The sender lives in `dead`.
                _ = killed.wait_for(Option::is_some) => {}
            }
        };
        let ended = stream::once(async move { program.end(code) }).filter_map(|()| std::future::ready(None));
        let output = output.map(Ok).take_until(until).chain(ended).boxed();
        Session { stdin, output, control: Box::new(self.clone()) }
    }
}

impl Control for Program {
    fn resize(&self, _width: u16, _height: u16) -> BoxFuture<'_, Result<(), RuntimeError>> {
        std::future::ready(Ok(())).boxed()
    }

    fn exit_code(&self) -> BoxFuture<'_, Result<Option<i32>, RuntimeError>> {
        std::future::ready(Ok(*self.code.borrow())).boxed()
    }

    fn kill(&self) -> BoxFuture<'_, Result<(), RuntimeError>> {
        self.end(KILLED);
        std::future::ready(Ok(())).boxed()
    }
}

// === impl HollowRuntime ===

impl HollowRuntime {
    fn command(&self, id: &str, command: &[String]) -> Result<Session, RuntimeError> {
        let died = self.died_while_running(id, "run command")?;
        let program = Program::new();
        let (word, rest) = command.split_first().map_or(("", command), |(word, rest)| (word.as_str(), rest));
        let nothing = || stream::empty().boxed();
        Ok(match (Behavior::of_word(word), word) {
            (Behavior::Exit { code, after: Duration::ZERO }, _) => {
                program.session(None, nothing(), died, code)
            }
            (Behavior::Exit { code, after }, _) => {
                let later = stream::once(tokio::time::sleep(after)).filter_map(|()| std::future::ready(None));
                program.session(None, later.boxed(), died, code)
            }
            (_, "echo") => {
                let line = Output::Stdout(Bytes::from(format!("{}\n", rest.join(" "))));
                program.session(None, stream::iter([line]).boxed(), died, 0)
            }
            (_, "cat") => {
                let (read, write) = tokio::io::simplex(BUFFER);
                program.session(Some(Box::pin(write)), pieces(read), died, 0)
            }
            (_, "hang") => program.session(None, stream::pending().boxed(), died, 0),
            _ => return Err(unsupported(word)),
        })
    }

    fn join(&self, id: &str) -> Result<Session, RuntimeError> {
        let died = self.died_while_running(id, "attach to container")?;
        let (read, write) = tokio::io::simplex(BUFFER);
        // An end of the input does not end a container.
        let output = pieces(read).chain(stream::pending()).boxed();
        Ok(Attached::of(Program::new().session(Some(Box::pin(write)), output, died, 0)))
    }

    fn died_while_running(
        &self,
        id: &str,
        operation: &'static str,
    ) -> Result<BoxFuture<'static, ()>, RuntimeError> {
        let died = self.died(id);
        let container = self.table().get(id).ok_or_else(|| RuntimeError::NotFound { id: id.to_owned() })?;
        match container.state {
            ContainerState::Running { .. } => Ok(died),
            _ => {
                let message = format!("container {id} is not running");
                Err(RuntimeError::Refused { operation, message })
            }
        }
    }
}

impl Streams for HollowRuntime {
    fn exec<'a>(
        &'a self,
        id: &'a str,
        command: &'a [String],
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<Session, RuntimeError>> {
        let session = self.command(id, command).map(|session| only(session, wanted));
        std::future::ready(session).boxed()
    }

    fn attach<'a>(&'a self, id: &'a str, wanted: Wanted) -> BoxFuture<'a, Result<Session, RuntimeError>> {
        std::future::ready(self.join(id).map(|session| only(session, wanted))).boxed()
    }

    fn connect<'a>(
        &'a self,
        id: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, RuntimeError>> {
        let connection = self.died_while_running(id, "connect").and_then(|_| match port {
            ECHO => {
                let (read, write) = tokio::io::simplex(BUFFER);
                Ok(Box::new(tokio::io::join(read, write)) as Box<dyn Connection>)
            }
            _ => Err(RuntimeError::Refused {
                operation: "connect",
                message: format!("port {port}: connection refused"),
            }),
        });
        std::future::ready(connection).boxed()
    }
}

/// A container that was attached to: it has no exit code of a command, and is not killed with the session.
struct Attached(Box<dyn Control>);

// === impl Attached ===

impl Attached {
    fn of(session: Session) -> Session {
        Session { control: Box::new(Self(session.control)), ..session }
    }
}

impl Control for Attached {
    fn resize(&self, width: u16, height: u16) -> BoxFuture<'_, Result<(), RuntimeError>> {
        self.0.resize(width, height)
    }

    fn exit_code(&self) -> BoxFuture<'_, Result<Option<i32>, RuntimeError>> {
        std::future::ready(Ok(None)).boxed()
    }

    fn kill(&self) -> BoxFuture<'_, Result<(), RuntimeError>> {
        std::future::ready(Ok(())).boxed()
    }
}

/// Leaves out what is not wanted.
fn only(session: Session, wanted: Wanted) -> Session {
    let Session { stdin, output, control } = session;
    let output = output.filter(move |piece| {
        let unwanted = matches!(piece, Ok(Output::Stdout(_))) && !wanted.stdout;
        std::future::ready(!unwanted)
    });
    Session { stdin: stdin.filter(|_| wanted.stdin), output: output.boxed(), control }
}

fn pieces(reader: impl AsyncRead + Send + Unpin + 'static) -> BoxStream<'static, Output> {
    let read = async |mut reader: Box<dyn AsyncRead + Send + Unpin>| {
        let mut buffer = bytes::BytesMut::with_capacity(BUFFER);
        match reader.read_buf(&mut buffer).await {
            Ok(1..) => Some((Output::Stdout(buffer.freeze()), reader)),
            // Memory does not fail to be read: this is the end.
            Ok(0) | Err(_) => None,
        }
    };
    let reader: Box<dyn AsyncRead + Send + Unpin> = Box::new(reader);
    stream::unfold(reader, read).boxed()
}

fn unsupported(word: &str) -> RuntimeError {
    let known = "only exit:<code>, echo, cat and hang";
    RuntimeError::Unsupported(format!("a hollow container has no program {word:?}, {known}"))
}

#[cfg(test)]
mod tests;
