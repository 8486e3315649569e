//! Port-forward over WebSocket: two channels for each port that the request names, one for its bytes and one for what goes
//! wrong. One connection to each port.

use std::sync::Arc;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::{Connected, Pod, send};
use crate::stream::MOST_MESSAGES;
use crate::stream::idle::Activity;
use crate::stream::websocket::{Framing, Incoming, Outgoing, close, pings, socket};

/// What goes to the client: a channel and bytes.
type Piece = (u8, Bytes);

/// Forwards until all connections have ended, or the client hangs up.
pub(super) async fn serve<I>(pod: Pod, io: I, name: &'static str, ports: Vec<u16>, activity: Activity)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let framing = if name.contains("base64") { Framing::Base64 } else { Framing::Binary };
    let (mut outgoing, mut incoming) = socket(io).await.split();
    let (pieces, to_send) = mpsc::channel(MOST_MESSAGES);
    let (mut forwarded, pod) = (JoinSet::new(), Arc::new(pod));
    let mut inputs = Vec::with_capacity(ports.len());
    for (index, port) in (0_u8..).zip(ports) {
        let (input, received) = mpsc::channel(MOST_MESSAGES);
        inputs.push(input);
        forwarded.spawn(carry(pod.clone(), port, index * 2, received, pieces.clone()));
    }
    // What is left of it belongs to the connections: when they have ended, nothing more is to be sent.
    drop(pieces);
    let ended = tokio::select! {
        ended = write(&mut outgoing, framing, to_send, &activity) => ended,
        () = read(&mut incoming, framing, &inputs, &activity) => false,
    };
    if ended {
        close(outgoing, incoming).await;
    }
}

/// Takes what the client sends until it hangs up.
async fn read<I>(
    incoming: &mut Incoming<I>,
    framing: Framing,
    inputs: &[mpsc::Sender<Bytes>],
    activity: &Activity,
) where
    I: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = incoming.next().await {
        if message.is_close() {
            return;
        }
        let Some((channel, data)) = framing.read(message) else { continue };
        activity.touch();
        // The odd ones are for errors, which clients have none of.
        if let Some(input) = inputs.get(usize::from(channel / 2)).filter(|_| channel % 2 == 0) {
            let _ = input.send(data).await;
        }
    }
}

/// Sends what comes from the ports; says whether all was sent.
async fn write<I>(
    outgoing: &mut Outgoing<I>,
    framing: Framing,
    mut to_send: mpsc::Receiver<Piece>,
    activity: &Activity,
) -> bool
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let mut pings = pings();
    loop {
        let message = tokio::select! {
            piece = to_send.recv() => match piece {
                Some((channel, data)) => framing.write(channel, &data),
                None => return true,
            },
            _ = pings.tick() => Message::Ping(Bytes::new()),
        };
        activity.touch_unless(message.is_ping());
        if outgoing.send(message).await.is_err() {
            return false;
        }
    }
}

/// Connects to a port, and moves bytes until both directions have ended. `channel` is the one for its bytes; the one for
/// what goes wrong is the next.
async fn carry(
    pod: Arc<Pod>,
    port: u16,
    channel: u8,
    mut received: mpsc::Receiver<Bytes>,
    pieces: mpsc::Sender<Piece>,
) {
    // Each channel begins with the port's number, so that the client knows which is which.
    let number = Bytes::copy_from_slice(&port.to_le_bytes());
    for channel in [channel, channel + 1] {
        let _ = pieces.send((channel, number.clone())).await;
    }
    let refused = match pod.connect(port).await {
        Ok(Connected { input, mut output }) => {
            let inward = async {
                while let Some(data) = received.recv().await {
                    send(&input, data).await;
                }
                std::future::pending().await
            };
            let outward = async {
                while let Some(message) = output.next().await {
                    match message {
                        Ok(message) if message.data.is_empty() => {}
                        Ok(message) => drop(pieces.send((channel, message.data)).await),
                        Err(error) => return Some(error),
                    }
                }
                None
            };
            tokio::select! { ended = outward => ended, ended = inward => ended }
        }
        Err(error) => Some(error),
    };
    if let Some(error) = refused {
        let told = pod.refusal(port, &error);
        tracing::debug!("{told}");
        let _ = pieces.send((channel + 1, Bytes::from(told))).await;
    }
}
