//! Opening a connection.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

use super::Finding;
use super::target::Endpoint;

/// A connection that is accepted is success.
pub(super) async fn check(endpoint: &Endpoint, limit: Duration) -> Finding {
    match tokio::time::timeout(limit, connect(endpoint)).await {
        Ok(Ok(_)) => Finding::Success,
        Ok(Err(words)) => Finding::Failure(words),
        Err(_) => Finding::Failure(format!("dial tcp {endpoint}: i/o timeout")),
    }
}

/// Connects, or says why not in the words that Kubernetes' users know.
pub(super) async fn connect(endpoint: &Endpoint) -> Result<TcpStream, String> {
    let connected = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await;
    connected.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("dial tcp {endpoint}: connect: connection refused"),
        io::ErrorKind::HostUnreachable => format!("dial tcp {endpoint}: connect: no route to host"),
        _ => format!("dial tcp {endpoint}: {error}"),
    })
}
