//! Connections to a port, as bytes: of a pod, through its kubelet, or of an address.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream;
use http::uri::PathAndQuery;
use keelson_base_client::Channel;
use keelson_base_daemon::tasks::Drain;
use keelson_base_model::status::ApiError;
use keelson_proto::Message as _;
use keelson_proto::v1::port_forward_input::Input;
use keelson_proto::v1::{PortForwardInput, PortForwardOutput, PortForwardStart};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use crate::rpc::pods::relayed;
use crate::rpc::unary::Messages;

/// Bytes that wait between the two ends of a connection.
const BUFFER: usize = 64 * 1024;

/// Messages that wait on their way to a kubelet.
const MOST_MESSAGES: usize = 8;

/// How long a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(30);

/// The bytes of a connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection that was made.
pub(super) struct Wire {
    /// Its bytes.
    pub(super) io: Box<dyn Io>,
    /// Moves them; to be run for as long as they are of use.
    pub(super) moving: BoxFuture<'static, ()>,
    /// Why it broke, if it was not the other end that closed it.
    pub(super) fault: oneshot::Receiver<ApiError>,
}

/// Connects to an address.
pub(super) async fn dial(address: SocketAddr) -> Result<Wire, ApiError> {
    let connected = tokio::time::timeout(CONNECTING, TcpStream::connect(address)).await;
    let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    let io = connected.map_err(|error| {
        ApiError::service_unavailable(format!("error trying to reach service: dial tcp {address}: {error}"))
    })?;
    let (_, fault) = oneshot::channel();
    Ok(Wire { io: Box::new(io), moving: Box::pin(std::future::pending()), fault })
}

/// Connects to a port of a pod.
pub(super) async fn through(
    kubelet: Channel,
    namespace: String,
    name: String,
    port: u16,
    drain: Drain,
) -> Result<Wire, ApiError> {
    let start = PortForwardStart { namespace, name, port: port.into() };
    let first = PortForwardInput { input: Some(Input::Start(start)) }.encode_to_vec().into();
    let path = PathAndQuery::from_static("/keelson.v1.Kubelet/PortForward");
    let (input, to_send) = mpsc::channel(MOST_MESSAGES);
    let rest = stream::unfold(to_send, |mut to_send: mpsc::Receiver<Bytes>| async move {
        to_send.recv().await.map(|data| (Ok(data), to_send))
    });
    let connected = tokio::time::timeout(CONNECTING, relayed(kubelet, path, first, rest, &drain)).await;
    let answers = connected.unwrap_or_else(|_| {
        Err(ApiError::service_unavailable("error trying to reach service: the kubelet does not answer"))
    })?;
    let (near, far) = tokio::io::duplex(BUFFER);
    let (faulty, fault) = oneshot::channel();
    let moving = async move {
        let (mut reader, writer) = tokio::io::split(far);
        let inward = async move {
            while let Ok(Some(data)) = read(&mut reader).await {
                let data = PortForwardInput { input: Some(Input::Data(data)) };
                if input.send(data.encode_to_vec().into()).await.is_err() {
                    break;
                }
            }
        };
        let outward = async move {
            if let Err(error) = write(answers, writer).await {
                // Nobody waits any more if the request has been answered.
                let _ = faulty.send(error);
            }
        };
        tokio::join!(inward, outward);
    };
    Ok(Wire { io: Box::new(near), moving: Box::pin(moving), fault })
}

/// The next bytes; None at the end.
async fn read(reader: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Bytes>> {
    let mut data = bytes::BytesMut::with_capacity(BUFFER / 4);
    let read = reader.read_buf(&mut data).await?;
    Ok((read > 0).then(|| data.freeze()))
}

/// Writes what comes until it ends.
async fn write(mut answers: Messages, mut writer: impl AsyncWrite + Unpin) -> Result<(), ApiError> {
    while let Some(answer) = answers.next().await {
        let answer = PortForwardOutput::decode(answer?)
            .map_err(|error| ApiError::internal(format!("cannot read the kubelet's answer: {error}")))?;
        if writer.write_all(&answer.data).await.is_err() {
            return Ok(());
        }
    }
    let _ = writer.shutdown().await;
    Ok(())
}
