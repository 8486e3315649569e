//! Port-forward over SPDY: two streams for each connection, one for its bytes and one for what goes wrong.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use keelson_base_model::status::ApiError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Connected, Pod, send};
use crate::stream::idle::Activity;
use crate::stream::spdy::{Abandoned, Connection, Incoming, Sender, Stream};

/// How long the second stream of a pair may take.
const PAIRING: Duration = Duration::from_secs(30);

/// Most streams that wait for their second.
const MOST_HALVES: usize = 256;

/// A connection that the client has made.
struct Pair {
    port: u16,
    data: Stream,
    error: Sender,
}

/// Streams whose other half has not come.
#[derive(Default)]
struct Halves(HashMap<String, (Stream, Instant)>);

/// Why a connection to a port ended early.
enum Early {
    /// The client has given it up.
    Client,
    /// The pod, or the way to it.
    Pod(ApiError),
}

/// Forwards until the client hangs up.
pub(super) async fn serve<I>(pod: Pod, io: I, activity: Activity)
where
    I: AsyncRead + AsyncWrite + Send,
{
    let (connection, incoming) = Connection::new(io, activity);
    let ended = tokio::select! {
        ended = connection.run() => ended,
        never = accept(Arc::new(pod), incoming) => match never {},
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "the client's connection ended early");
    }
}

/// Connects what the client begins, for as long as the client is there. The connections end with it.
async fn accept(pod: Arc<Pod>, mut incoming: Incoming) -> std::convert::Infallible {
    let (mut halves, mut forwarded) = (Halves::default(), JoinSet::new());
    loop {
        tokio::select! {
            stream = incoming.next() => {
                let Some(stream) = stream else { return std::future::pending().await };
                if let Some(pair) = halves.add(stream, Instant::now()).await {
                    forwarded.spawn(pair.forward(pod.clone()));
                }
            }
            Some(_) = forwarded.join_next() => {}
        }
    }
}

// === impl Halves ===

impl Halves {
    /// The pair that is whole with this stream. What belongs to none is reset.
    async fn add(&mut self, stream: Stream, now: Instant) -> Option<Pair> {
        self.0.retain(|_, (_, since)| *since + PAIRING > now);
        let Some(id) = request_id(&stream).filter(|_| self.0.len() < MOST_HALVES) else {
            // A client that is gone is noticed by the connection.
            let _ = stream.sender.reset().await;
            return None;
        };
        let Some((other, _)) = self.0.remove(&id) else {
            self.0.insert(id, (stream, now));
            return None;
        };
        let (data, error) = if kind(&stream) == Some("data") { (stream, other) } else { (other, stream) };
        let port = data.headers.get("port").and_then(|port| port.parse().ok());
        match (port, kind(&data), kind(&error)) {
            (Some(port), Some("data"), Some("error")) => Some(Pair { port, data, error: error.sender }),
            _ => {
                let _ = data.sender.reset().await;
                let _ = error.sender.reset().await;
                None
            }
        }
    }
}

fn kind(stream: &Stream) -> Option<&str> {
    stream.headers.get("streamtype").filter(|kind| matches!(*kind, "data" | "error"))
}

/// What a connection's two streams have in common. 1.0's clients give them no name, but begin them one after the other,
/// the one for errors first.
fn request_id(stream: &Stream) -> Option<String> {
    let named = stream.headers.get("requestid").filter(|id| !id.is_empty() && id.len() <= 64);
    match (named, kind(stream)?) {
        (Some(id), _) => Some(id.to_owned()),
        (None, "error") => Some(format!("stream {}", stream.id)),
        (None, _) => Some(format!("stream {}", stream.id.saturating_sub(2))),
    }
}

// === impl Pair ===

impl Pair {
    /// Connects, and moves bytes until both directions have ended.
    async fn forward(self, pod: Arc<Pod>) {
        let Self { port, data, error } = self;
        // A client that is gone is noticed by the connection.
        match carry(&pod, port, data).await {
            Ok(()) => drop(error.finish().await),
            Err(Early::Client) => drop(error.reset().await),
            Err(Early::Pod(refused)) => {
                let told = pod.refusal(port, &refused);
                tracing::debug!("{told}");
                let _ = error.send(Bytes::from(told)).await;
                let _ = error.finish().await;
            }
        }
    }
}

async fn carry(pod: &Pod, port: u16, data: Stream) -> Result<(), Early> {
    let Stream { mut reader, sender, .. } = data;
    let Connected { input, mut output } = match pod.connect(port).await {
        Ok(connected) => connected,
        Err(error) => {
            let _ = sender.finish().await;
            return Err(Early::Pod(error));
        }
    };
    let inward = async move {
        while let Some(data) = reader.next().await? {
            send(&input, data).await;
        }
        // `input` goes: this direction has ended.
        Ok::<(), Early>(())
    };
    let outward = async move {
        let ended = loop {
            match output.next().await {
                Some(Ok(message)) => sender.send(message.data).await?,
                Some(Err(error)) => break Err(Early::Pod(error)),
                None => break Ok(()),
            }
        };
        sender.finish().await?;
        ended
    };
    tokio::try_join!(inward, outward).map(|_| ())
}

// === impl Early ===

impl From<Abandoned> for Early {
    fn from(_: Abandoned) -> Self {
        Self::Client
    }
}
