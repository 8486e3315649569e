//! Exec and attach: one conversation with a container, whichever protocol its client speaks.

mod resize;
mod spdy;
mod websocket;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use keelson_base_client::RawApi;
use keelson_base_model::status::ApiError;
use keelson_proto::meta::Status;
use keelson_proto::v1::container_input::Input;
use keelson_proto::v1::container_output::Output;
use keelson_proto::v1::{ContainerInput, ContainerOutput, TerminalSize};
use tokio::sync::mpsc;

use super::idle::Activity;
use super::upgrade::Upgrade;
use super::websocket::pings;
use super::{Bytestream, MAX_CHUNK, MOST_MESSAGES, received};
use crate::kinds::to_json;

/// What is spoken above WebSocket.
const OVER_WEBSOCKET: &[&str] = &[
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "channel.k8s.io",
    "base64.channel.k8s.io",
];

/// What is spoken above SPDY.
const OVER_SPDY: &[&str] = &["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];

/// Which of a container's streams are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) tty: bool,
}

/// A conversation that api has begun.
pub(crate) struct Conversation {
    /// What goes to the container.
    input: mpsc::Sender<ContainerInput>,
    /// What comes from it.
    output: BoxStream<'static, Result<ContainerOutput, ApiError>>,
    wanted: Wanted,
}

/// A protocol that was agreed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    /// Its name, as the client is told.
    pub(crate) name: &'static str,
    over_websocket: bool,
}

/// Where a container's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Stdout,
    Stderr,
    /// Where it is told how it ended.
    Error,
}

/// The client is gone.
#[derive(Debug)]
struct Gone;

/// A client that takes what comes from a container.
trait Outlet: Send {
    /// Sends bytes; fails if the client is gone.
    fn send(&mut self, to: To, data: Bytes) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Asks whether the client is there, if its protocol does not by itself.
    fn ping(&mut self) -> impl Future<Output = Result<(), Gone>> + Send;
}

// === impl Protocol ===

impl Protocol {
    /// The one that client and server know.
    pub(crate) fn choose(upgrade: &Upgrade) -> Result<Self, ApiError> {
        let over_websocket = matches!(upgrade, Upgrade::WebSocket { .. });
        let name = upgrade.choose(if over_websocket { OVER_WEBSOCKET } else { OVER_SPDY })?;
        Ok(Self { name, over_websocket })
    }

    /// Its version; the first has no number.
    fn version(self) -> u8 {
        let digit = self.name.strip_prefix('v').and_then(|rest| rest.bytes().next());
        digit.map_or(1, |digit| digit.saturating_sub(b'0'))
    }
}

// === impl Conversation ===

impl Conversation {
    /// Has api begin: `start` is the first message of `method`.
    pub(crate) async fn begin(
        api: &RawApi,
        method: &'static str,
        start: Input,
        wanted: Wanted,
    ) -> Result<Self, ApiError> {
        let (input, messages) = mpsc::channel(MOST_MESSAGES);
        // The channel is new: there is room.
        let _ = input.try_send(ContainerInput { input: Some(start) });
        let output = api.bidi_stream(method, received(messages)).await?;
        Ok(Self { input, output: output.boxed(), wanted })
    }

    /// Goes on with the client until the command has ended, or the client is gone.
    pub(crate) async fn with_client(self, io: Bytestream, protocol: Protocol, activity: Activity) {
        if protocol.over_websocket {
            websocket::serve(self, io, protocol, activity).await;
        } else {
            spdy::serve(self, io, protocol.version(), activity).await;
        }
    }
}

/// Sends standard input to api. That the container is done is told by its output.
async fn send_stdin(input: &mpsc::Sender<ContainerInput>, mut data: Bytes) {
    while !data.is_empty() {
        let piece = data.split_to(data.len().min(MAX_CHUNK));
        let _ = input.send(ContainerInput { input: Some(Input::Stdin(piece)) }).await;
    }
}

async fn close_stdin(input: &mpsc::Sender<ContainerInput>) {
    let _ = input.send(ContainerInput { input: Some(Input::CloseStdin(true)) }).await;
}

async fn send_sizes(input: &mpsc::Sender<ContainerInput>, sizes: Vec<TerminalSize>) {
    for size in sizes {
        let _ = input.send(ContainerInput { input: Some(Input::Resize(size)) }).await;
    }
}

/// Sends on what comes from the container, and how it ended.
async fn send_output(
    mut output: BoxStream<'static, Result<ContainerOutput, ApiError>>,
    version: u8,
    outlet: &mut impl Outlet,
) -> Result<(), Gone> {
    let mut pings = pings();
    let ended = loop {
        let next = tokio::select! {
            next = output.next() => next,
            _ = pings.tick() => {
                outlet.ping().await?;
                continue;
            }
        };
        match next {
            Some(Ok(message)) => match message.output {
                Some(Output::Stdout(data)) => outlet.send(To::Stdout, data).await?,
                Some(Output::Stderr(data)) => outlet.send(To::Stderr, data).await?,
                Some(Output::Exit(status)) => break status,
                None => {}
            },
            Some(Err(error)) => break error.into_status(),
            None => break Status { status: "Success".to_owned(), ..Status::default() },
        }
    };
    match told(version, &ended) {
        Some(text) => outlet.send(To::Error, text).await,
        None => Ok(()),
    }
}

/// How a command ended, in the words of a version of the protocol: the first three tell failures only.
fn told(version: u8, ended: &Status) -> Option<Bytes> {
    if version < 4 {
        return (ended.status != "Success").then(|| Bytes::from(ended.message.clone()));
    }
    let mut json = Vec::new();
    match to_json(ended, &mut json) {
        Ok(()) => Some(json.into()),
        Err(error) => Some(error.to_string().into()),
    }
}
