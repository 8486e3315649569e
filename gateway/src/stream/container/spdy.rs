//! A conversation over SPDY: one stream each, which the client begins.

use std::time::Duration;

use bytes::Bytes;
use keelson_proto::v1::ContainerInput;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::resize::Sizes;
use super::{Conversation, Gone, Outlet, To, Wanted, close_stdin, send_output, send_sizes, send_stdin};
use crate::stream::idle::Activity;
use crate::stream::spdy::{Connection, Incoming, Reader, Sender, Stream};

/// The header that says what a stream is.
const STREAM_TYPE: &str = "streamtype";

/// How long the client may take to begin its streams.
const CREATION: Duration = Duration::from_secs(30);

/// The streams of a conversation.
#[derive(Default)]
struct Streams {
    stdin: Option<Reader>,
    resize: Option<Reader>,
    client: Client,
}

/// The client's side.
#[derive(Default)]
struct Client {
    stdout: Option<Sender>,
    stderr: Option<Sender>,
    error: Option<Sender>,
    /// Our direction of the streams that only the client writes to: it lasts as long as the others.
    others: Vec<Sender>,
}

/// Goes on until the command has ended, or the client is gone.
pub(super) async fn serve<I>(conversation: Conversation, io: I, version: u8, activity: Activity)
where
    I: AsyncRead + AsyncWrite + Send,
{
    let (connection, incoming) = Connection::new(io, activity);
    let mut running = std::pin::pin!(connection.run());
    let ended = tokio::select! {
        ended = running.as_mut() => ended,
        () = converse(conversation, incoming, version) => running.await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "the client's connection ended early");
    }
}

async fn converse(conversation: Conversation, mut incoming: Incoming, version: u8) {
    let Conversation { input, output, wanted } = conversation;
    let Ok(Some(streams)) = timeout(CREATION, Streams::accept(&mut incoming, wanted, version)).await else {
        tracing::debug!("the client did not begin its streams");
        return incoming.close().await;
    };
    let Streams { stdin, resize, mut client } = streams;
    let ended = tokio::select! {
        ended = send_output(output, version, &mut client) => ended,
        never = async { tokio::join!(read_stdin(stdin, &input), read_sizes(resize, &input)) } => never.0,
    };
    if ended.is_ok() {
        client.finish().await;
    }
    incoming.close().await;
}

/// Takes standard input. Never ends: the output says when the conversation does.
async fn read_stdin(stdin: Option<Reader>, input: &mpsc::Sender<ContainerInput>) -> Result<(), Gone> {
    if let Some(mut stdin) = stdin {
        while let Ok(Some(data)) = stdin.next().await {
            send_stdin(input, data).await;
        }
        close_stdin(input).await;
    }
    std::future::pending().await
}

async fn read_sizes(resize: Option<Reader>, input: &mpsc::Sender<ContainerInput>) {
    let Some(mut resize) = resize else { return };
    let mut sizes = Sizes::default();
    while let Ok(Some(data)) = resize.next().await {
        send_sizes(input, sizes.read(&data)).await;
    }
}

// === impl Streams ===

impl Streams {
    /// Takes streams until all are there; None if the client hangs up before.
    async fn accept(incoming: &mut Incoming, wanted: Wanted, version: u8) -> Option<Self> {
        let mut streams = Self::default();
        while !streams.are_complete(wanted, version) {
            let stream = incoming.next().await?;
            streams.add(stream).await;
        }
        Some(streams)
    }

    fn are_complete(&self, wanted: Wanted, version: u8) -> bool {
        // Sizes are sent since the third version.
        let sized = wanted.tty && version >= 3;
        self.client.error.is_some()
            && self.stdin.is_some() >= wanted.stdin
            && self.client.stdout.is_some() >= wanted.stdout
            && self.client.stderr.is_some() >= (wanted.stderr && !wanted.tty)
            && self.resize.is_some() >= sized
    }

    async fn add(&mut self, stream: Stream) {
        let Stream { headers, reader, sender, .. } = stream;
        match headers.get(STREAM_TYPE) {
            Some("error") => self.client.error = Some(sender),
            Some("stdout") => self.client.stdout = Some(sender),
            Some("stderr") => self.client.stderr = Some(sender),
            Some("stdin") => {
                self.stdin = Some(reader);
                self.client.others.push(sender);
            }
            Some("resize") => {
                self.resize = Some(reader);
                self.client.others.push(sender);
            }
            // A client that is gone is noticed by whoever takes streams.
            _ => drop(sender.reset().await),
        }
    }
}

// === impl Client ===

impl Client {
    /// Ends our direction of all streams.
    async fn finish(self) {
        let all = [self.stdout, self.stderr, self.error].into_iter().flatten().chain(self.others);
        for sender in all {
            let _ = sender.finish().await;
        }
    }
}

impl Outlet for Client {
    async fn send(&mut self, to: To, data: Bytes) -> Result<(), Gone> {
        let sender = match to {
            To::Stdout => &self.stdout,
            To::Stderr => &self.stderr,
            To::Error => &self.error,
        };
        match sender {
            Some(sender) => sender.send(data).await.map_err(|_| Gone),
            // What was not asked for is dropped.
            None => Ok(()),
        }
    }

    async fn ping(&mut self) -> Result<(), Gone> {
        // The connection does.
        Ok(())
    }
}
