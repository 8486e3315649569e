//! Port-forward: connections to the ports of a pod, each a call of api's, over one connection of the client's.

mod spdy;
mod websocket;

use bytes::Bytes;
use futures::StreamExt as _;
use keelson_base_client::{Messages, RawApi};
use keelson_base_model::status::ApiError;
use keelson_proto::v1::port_forward_input::Input;
use keelson_proto::v1::{PortForwardInput, PortForwardOutput, PortForwardStart};
use tokio::sync::mpsc;

use super::idle::Activity;
use super::upgrade::Upgrade;
use super::{Bytestream, MAX_CHUNK, MOST_MESSAGES, received};

/// What is spoken above SPDY.
const OVER_SPDY: &[&str] = &["portforward.k8s.io"];

/// SPDY inside of WebSocket: kubectl since 1.31.
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// What is spoken above WebSocket.
const OVER_WEBSOCKET: &[&str] = &[TUNNEL, "v4.channel.k8s.io", "v4.base64.channel.k8s.io"];

/// The pod whose ports are meant, as api's client sees it.
pub(crate) struct Pod {
    pub(crate) api: RawApi,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A protocol that was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// A pair of streams for each connection.
    Spdy(&'static str),
    /// The same inside of WebSocket.
    Tunnel,
    /// A pair of channels for each of the ports that the request names.
    Channels(&'static str),
}

/// One connection to a port.
struct Connected {
    input: mpsc::Sender<PortForwardInput>,
    output: Messages<PortForwardOutput>,
}

// === impl Protocol ===

impl Protocol {
    /// The one that client and server know.
    pub(crate) fn choose(upgrade: &Upgrade) -> Result<Self, ApiError> {
        if let Upgrade::Spdy { .. } = upgrade {
            return upgrade.choose(OVER_SPDY).map(Self::Spdy);
        }
        match upgrade.choose(OVER_WEBSOCKET)? {
            TUNNEL => Ok(Self::Tunnel),
            name => Ok(Self::Channels(name)),
        }
    }

    /// Its name, as the client is told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spdy(name) | Self::Channels(name) => name,
            Self::Tunnel => TUNNEL,
        }
    }

    /// Whether the request names the ports.
    pub(crate) fn wants_ports(self) -> bool {
        matches!(self, Self::Channels(_))
    }
}

// === impl Pod ===

impl Pod {
    /// Asks api whether the user may forward to the pod, so that a refusal is an answer to the request.
    pub(crate) async fn ask(&self) -> Result<(), ApiError> {
        let mut asked = self.connect(0).await?;
        match asked.output.next().await {
            Some(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Forwards what the client connects, until it hangs up. `ports` are those that the request named.
    pub(crate) async fn with_client(
        self,
        io: Bytestream,
        protocol: Protocol,
        ports: Vec<u16>,
        activity: Activity,
    ) {
        match protocol {
            Protocol::Spdy(_) => spdy::serve(self, io, activity).await,
            Protocol::Tunnel => {
                let socket = super::websocket::socket(io).await;
                let (inner, moving) = super::websocket::tunnel(socket, activity.clone());
                tokio::join!(moving, spdy::serve(self, inner, activity));
            }
            Protocol::Channels(name) => websocket::serve(self, io, name, ports, activity).await,
        }
    }

    /// Connects to a port.
    async fn connect(&self, port: u16) -> Result<Connected, ApiError> {
        let start = PortForwardStart {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            port: port.into(),
        };
        let (input, messages) = mpsc::channel(MOST_MESSAGES);
        // The channel is new: there is room.
        let _ = input.try_send(PortForwardInput { input: Some(Input::Start(start)) });
        let output = self.api.bidi_stream("PortForward", received(messages)).await?;
        Ok(Connected { input, output })
    }

    /// What a client is told that cannot be connected.
    fn refusal(&self, port: u16, error: &ApiError) -> String {
        format!("error forwarding port {port} to pod {}/{}: {error}", self.namespace, self.name)
    }
}

/// Sends bytes to a port. That the port is closed is told by its output.
async fn send(input: &mpsc::Sender<PortForwardInput>, mut data: Bytes) {
    while !data.is_empty() {
        let piece = data.split_to(data.len().min(MAX_CHUNK));
        let _ = input.send(PortForwardInput { input: Some(Input::Data(piece)) }).await;
    }
}
