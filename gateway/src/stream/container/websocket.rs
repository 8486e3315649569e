//! A conversation over WebSocket: one channel per stream.

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use keelson_proto::v1::ContainerInput;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use super::resize::Sizes;
use super::{
    Conversation, Gone, Outlet, Protocol, To, Wanted, close_stdin, send_output, send_sizes, send_stdin,
};
use crate::stream::idle::Activity;
use crate::stream::websocket::{Framing, Incoming, Outgoing, close, socket};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;

/// Its content is the channel that ends; since the fifth version.
const CLOSE: u8 = 255;

/// The client's side.
struct Client<I> {
    outgoing: Outgoing<I>,
    framing: Framing,
    activity: Activity,
}

/// Goes on until the command has ended, or the client is gone.
pub(super) async fn serve<I>(conversation: Conversation, io: I, protocol: Protocol, activity: Activity)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Conversation { input, output, wanted } = conversation;
    let framing = if protocol.name.contains("base64") { Framing::Base64 } else { Framing::Binary };
    let (outgoing, mut incoming) = socket(io).await.split();
    let mut client = Client { outgoing, framing, activity: activity.clone() };
    let outward = async {
        client.greet(wanted).await?;
        send_output(output, protocol.version(), &mut client).await
    };
    let ended = tokio::select! {
        ended = outward => ended,
        () = read(&mut incoming, framing, wanted, &input, &activity) => Err(Gone),
    };
    if ended.is_ok() {
        close(client.outgoing, incoming).await;
    }
}

/// Takes what the client sends until it hangs up.
async fn read<I>(
    incoming: &mut Incoming<I>,
    framing: Framing,
    wanted: Wanted,
    input: &mpsc::Sender<ContainerInput>,
    activity: &Activity,
) where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let mut sizes = Sizes::default();
    while let Some(Ok(message)) = incoming.next().await {
        if message.is_close() {
            return;
        }
        let Some((channel, data)) = framing.read(message) else { continue };
        activity.touch();
        match channel {
            STDIN if wanted.stdin => send_stdin(input, data).await,
            RESIZE if wanted.tty => send_sizes(input, sizes.read(&data)).await,
            CLOSE if wanted.stdin && data.as_ref() == [STDIN] => close_stdin(input).await,
            _ => {}
        }
    }
}

// === impl Client ===

impl<I: AsyncRead + AsyncWrite + Unpin + Send> Client<I> {
    /// Tells the client, by an empty message on its first channel, that the conversation has begun.
    async fn greet(&mut self, wanted: Wanted) -> Result<(), Gone> {
        let channel = match wanted {
            Wanted { stdout: true, .. } => STDOUT,
            Wanted { stderr: true, .. } => STDERR,
            _ => ERROR,
        };
        self.write(self.framing.write(channel, b"")).await
    }

    async fn write(&mut self, message: Message) -> Result<(), Gone> {
        self.outgoing.send(message).await.map_err(|_| Gone)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin + Send> Outlet for Client<I> {
    async fn send(&mut self, to: To, data: Bytes) -> Result<(), Gone> {
        self.activity.touch();
        let channel = match to {
            To::Stdout => STDOUT,
            To::Stderr => STDERR,
            To::Error => ERROR,
        };
        self.write(self.framing.write(channel, &data)).await
    }

    async fn ping(&mut self) -> Result<(), Gone> {
        self.write(Message::Ping(Bytes::new())).await
    }
}
