//! Port-forward: one call is one connection.

use bytes::BytesMut;
use futures::{Stream, StreamExt as _, stream};
use keelson_base_client::ApiError;
use keelson_base_client::status::to_grpc;
use keelson_base_daemon::tasks::Drain;
use keelson_proto::Object as _;
use keelson_proto::core::Pod;
use keelson_proto::v1::port_forward_input::Input;
use keelson_proto::v1::{PortForwardInput, PortForwardOutput, PortForwardStart};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tonic::Status;

use super::{Guarded, Outgoing, Surroundings, program, target};
use crate::runtime::{Connection, RuntimeError};

/// What is read from a port at once.
const BUFFER: usize = 32 << 10;

/// What comes from a port.
struct FromPort {
    reader: ReadHalf<Box<dyn Connection>>,
    drain: Drain,
    over: bool,
    _input: Guarded,
}

/// Connects to a port of a pod. The first piece of `input` says to which.
pub(crate) async fn forward<S>(
    around: &Surroundings,
    mut input: S,
) -> Result<Outgoing<PortForwardOutput>, ApiError>
where
    S: Stream<Item = Result<PortForwardInput, Status>> + Send + Unpin + 'static,
{
    let Some(Ok(PortForwardInput { input: Some(Input::Start(start)) })) = input.next().await else {
        return Err(ApiError::bad_request("the first message must be start"));
    };
    let PortForwardStart { namespace, name, port } = start;
    let port = u16::try_from(port).ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| ApiError::bad_request("port must be between 1 and 65535, inclusive"))?;
    let view = around.pods.find(&namespace, &name);
    let view = view.ok_or_else(|| ApiError::not_found(Pod::KIND, &name))?;
    let infra = target::infra_of(&view)?;
    let connected = around.runtime.connect(&infra.id, port).await;
    let connection = connected.map_err(|error| unreachable(&name, port, &error))?;
    let (reader, writer) = tokio::io::split(connection);
    let task = around.tasks.spawn("port-forward input", feed(writer, input));
    let from = FromPort { reader, drain: around.tasks.drain(), over: false, _input: Guarded(task) };
    // The first message says that the connection stands.
    let first = stream::iter([Ok(PortForwardOutput::default())]);
    Ok(first.chain(stream::unfold(from, FromPort::next)).boxed())
}

/// Passes on what comes until it ends, and then the end. A port that no longer reads shows by what it sends.
async fn feed<S>(mut writer: WriteHalf<Box<dyn Connection>>, mut input: S)
where
    S: Stream<Item = Result<PortForwardInput, Status>> + Send + Unpin,
{
    while let Some(piece) = input.next().await {
        // The caller is gone; his call ends by itself, and with it this.
        let Ok(piece) = piece else { return };
        let Some(Input::Data(bytes)) = piece.input else { continue };
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
    // Closed already is as good.
    let _ = writer.shutdown().await;
}

fn unreachable(pod: &str, port: u16, error: &RuntimeError) -> ApiError {
    match error {
        RuntimeError::Refused { message, .. } => {
            ApiError::internal(format!("cannot forward to port {port} of pod {pod:?}: {message}"))
        }
        _ => program::failed(error),
    }
}

// === impl FromPort ===

impl FromPort {
    async fn next(mut self) -> Option<(Result<PortForwardOutput, Status>, Self)> {
        if self.over {
            return None;
        }
        let mut buffer = BytesMut::with_capacity(BUFFER);
        let read = tokio::select! {
            read = self.reader.read_buf(&mut buffer) => read,
            () = self.drain.signaled() => {
                self.over = true;
                return Some((Err(to_grpc(ApiError::service_unavailable("the kubelet is stopping"))), self));
            }
        };
        match read {
            Ok(0) => None,
            Ok(_) => Some((Ok(PortForwardOutput { data: buffer.freeze() }), self)),
            Err(error) => {
                self.over = true;
                Some((
                    Err(to_grpc(ApiError::service_unavailable(format!("the port hung up: {error}")))),
                    self,
                ))
            }
        }
    }
}
