//! One connection: dialled, copied both ways, closed.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::balancer::Balancer;
use crate::host::Host;

/// How long each attempt to reach a backend may take, one backend after the other.
const DIAL: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// Forwards one connection until both sides are done. Without a backend that answers, the client's is closed.
pub(super) async fn forward(host: &Host, mut client: TcpStream, peer: IpAddr, balancer: &Mutex<Balancer>) {
    let order = lock(balancer).order(peer, Instant::now());
    let Some((mut server, backend)) = dial(host, &order).await else {
        return;
    };
    lock(balancer).connected(peer, backend, Instant::now());
    // What was written is wanted now: the kernel must not wait for more.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    // When one side has nothing more to say, the other is told so and may go on.
    if let Err(error) = copy_bidirectional(&mut client, &mut server).await {
        tracing::debug!(%peer, %backend, %error, "connection ended");
    }
}

/// Tries the backends in turn; with few of them, more than once.
async fn dial(host: &Host, order: &[SocketAddrV4]) -> Option<(TcpStream, SocketAddrV4)> {
    for (backend, patience) in order.iter().cycle().zip(DIAL) {
        match timeout(patience, connect(host, *backend)).await {
            Ok(Ok(server)) => return Some((server, *backend)),
            Ok(Err(error)) => tracing::debug!(%backend, %error, "backend does not answer"),
            Err(_) => tracing::debug!(%backend, ?patience, "backend does not answer in time"),
        }
    }
    None
}

async fn connect(host: &Host, backend: SocketAddrV4) -> io::Result<TcpStream> {
    host.socket()?.connect(SocketAddr::V4(backend)).await
}

fn lock(balancer: &Mutex<Balancer>) -> std::sync::MutexGuard<'_, Balancer> {
    balancer.lock().unwrap_or_else(PoisonError::into_inner)
}
