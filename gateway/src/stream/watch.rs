//! A watch over WebSocket: each change is one message.

use axum::body::Body;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;

use super::idle::Activity;
use super::websocket::{close, pings, socket};

/// How a change is written into a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A line of JSON, as text.
    Text,
    /// A frame of protobuf, whose length before it the message makes needless.
    Binary,
}

/// Bytes that tell a frame's length.
const LENGTH: usize = 4;

/// Sends the frames of a watch's body until it ends, or the client hangs up.
pub(crate) async fn serve<I>(io: I, frames: Body, framing: Framing, activity: Activity)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut outgoing, mut incoming) = socket(io).await.split();
    let mut frames = frames.into_data_stream();
    let mut pings = pings();
    let send = async {
        loop {
            let message = tokio::select! {
                frame = frames.next() => match frame {
                    Some(Ok(frame)) => framing.write(frame),
                    _ => return true,
                },
                // A watch ends by itself, however little happens.
                _ = pings.tick() => Message::Ping(Bytes::new()),
            };
            activity.touch();
            if outgoing.send(message).await.is_err() {
                return false;
            }
        }
    };
    let hung_up =
        async { while incoming.next().await.is_some_and(|next| next.is_ok_and(|it| !it.is_close())) {} };
    let ended = tokio::select! {
        ended = send => ended,
        () = hung_up => false,
    };
    if ended {
        close(outgoing, incoming).await;
    }
}

// === impl Framing ===

impl Framing {
    fn write(self, frame: Bytes) -> Message {
        match (self, std::str::from_utf8(&frame)) {
            (Self::Text, Ok(text)) => Message::text(text),
            (Self::Binary, _) if frame.len() >= LENGTH => Message::Binary(frame.slice(LENGTH..)),
            _ => Message::Binary(frame),
        }
    }
}
