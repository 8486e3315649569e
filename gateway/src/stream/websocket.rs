//! WebSocket, and the channels that Kubernetes puts into its messages: the first byte says which.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::time::{MissedTickBehavior, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::idle::Activity;

/// Largest message that a client may send, in bytes.
const MAX_MESSAGE: usize = 8 * 1024 * 1024;

/// Bytes that are read at a time.
const READ_BUFFER: usize = 16 * 1024;

/// The client is asked so often whether it is there.
const PING_EVERY: Duration = Duration::from_secs(30);

/// How long a client may take to hang up after it was told that there is no more.
const LINGER: Duration = Duration::from_secs(5);

/// A WebSocket over `I`.
pub(super) type Socket<I> = WebSocketStream<I>;
pub(super) type Incoming<I> = SplitStream<WebSocketStream<I>>;
pub(super) type Outgoing<I> = SplitSink<WebSocketStream<I>, Message>;

/// How channels are written into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// The channel's number as a byte, then the bytes.
    Binary,
    /// The channel's number as a digit, then the bytes in base64.
    Base64,
}

/// A WebSocket on a connection that has changed to it.
pub(super) async fn socket<I: AsyncRead + AsyncWrite + Unpin>(io: I) -> Socket<I> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0);
    WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await
}

/// Says good-bye and waits a little until the client has hung up, so that it reads what was sent before.
pub(super) async fn close<I: AsyncRead + AsyncWrite + Unpin>(
    mut outgoing: Outgoing<I>,
    mut incoming: Incoming<I>,
) {
    // Clients take a close without a code for a fault.
    let done = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
    if outgoing.send(Message::Close(Some(done))).await.is_ok() {
        let ended = async { while let Some(Ok(_)) = incoming.next().await {} };
        // A client that stays is hung up on.
        let _ = tokio::time::timeout(LINGER, ended).await;
    }
}

/// Ticks whenever the client is to be asked whether it is there.
pub(super) fn pings() -> tokio::time::Interval {
    let mut every = interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}

// === impl Framing ===

impl Framing {
    /// The channel and bytes of a message; None for one that carries none.
    pub(super) fn read(self, message: Message) -> Option<(u8, Bytes)> {
        let content = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => Bytes::from(text),
            _ => return None,
        };
        let (&channel, rest) = content.split_first()?;
        match self {
            Self::Binary => Some((channel, content.slice(1..))),
            Self::Base64 => Some((channel.checked_sub(b'0')?, STANDARD.decode(rest).ok()?.into())),
        }
    }

    /// The message that carries these bytes.
    pub(super) fn write(self, channel: u8, bytes: &[u8]) -> Message {
        match self {
            Self::Binary => Message::binary([&[channel], bytes].concat()),
            Self::Base64 => {
                let mut text = String::from(char::from(b'0'.wrapping_add(channel)));
                STANDARD.encode_string(bytes, &mut text);
                Message::text(text)
            }
        }
    }
}

/// The bytes inside a WebSocket's binary messages, as of a connection: to be moved by what is returned with it.
pub(super) fn tunnel<I>(
    socket: Socket<I>,
    activity: Activity,
) -> (DuplexStream, impl Future<Output = ()> + Send)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (inner, outer) = tokio::io::duplex(READ_BUFFER * 4);
    (inner, async move {
        if let Err(error) = move_bytes(socket, outer, activity).await {
            tracing::debug!(%error, "a tunnel ended early");
        }
    })
}

async fn move_bytes<I>(socket: Socket<I>, outer: DuplexStream, activity: Activity) -> Result<(), Error>
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut outgoing, mut incoming) = socket.split();
    let (mut reader, mut writer) = tokio::io::split(outer);
    let inward = async {
        while let Some(message) = incoming.next().await {
            if let Message::Binary(bytes) = message? {
                activity.touch();
                writer.write_all(&bytes).await?;
            }
        }
        Ok::<(), Error>(())
    };
    let outward = async {
        let mut buffer = vec![0; READ_BUFFER];
        loop {
            let read = reader.read(&mut buffer).await?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok::<(), Error>(());
            };
            outgoing.send(Message::binary(bytes.to_vec())).await?;
        }
    };
    tokio::select! {
        ended = inward => ended?,
        ended = outward => ended?,
    }
    close(outgoing, incoming).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_back_as_they_were_written() {
        for framing in [Framing::Binary, Framing::Base64] {
            for channel in [0, 3, 5] {
                let message = framing.write(channel, b"\xffsome bytes");
                assert_eq!(framing.read(message), Some((channel, Bytes::from_static(b"\xffsome bytes"))));
            }
            assert_eq!(framing.read(framing.write(1, b"")), Some((1, Bytes::new())));
        }
        assert_eq!(Framing::Base64.write(4, b"hi"), Message::text("4aGk="));
        assert_eq!(Framing::Binary.write(255, b"\0"), Message::binary(vec![255, 0]));
    }

    #[test]
    fn messages_without_a_channel_are_dropped() {
        for message in [Message::binary(vec![]), Message::text(""), Message::Ping(Bytes::new())] {
            assert_eq!(Framing::Binary.read(message), None);
        }
        for text in ["0***", "!aGk=", "0aGk"] {
            assert_eq!(Framing::Base64.read(Message::text(text)), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_tunnel_carries_bytes_both_ways() {
        let (near, far) = tokio::io::duplex(1024);
        let (mut inner, moving) = tunnel(socket(far).await, Activity::new());
        let moving = tokio::spawn(moving);
        let mut client = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        client.send(Message::binary(b"to".to_vec())).await.unwrap();
        let mut read = [0; 2];
        inner.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"to");
        inner.write_all(b"fro").await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::binary(b"fro".to_vec()));
        drop(inner);
        assert!(client.next().await.unwrap().unwrap().is_close());
        while let Some(Ok(_)) = client.next().await {}
        moving.await.unwrap();
    }
}
