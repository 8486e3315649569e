//! A bound port, and why it could not be bound.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::backoff::Backoff;

/// Connections the kernel may hold for us before we accept them.
const BACKLOG: u32 = 4096;

/// A bound port. Connections made before it is served wait in the kernel, so nobody has to retry.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    local: SocketAddr,
}

/// Why a port could not be bound, with the flag that chooses another.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has it.
    #[error(
        "port {} is taken: another process listens on {address}; stop it or choose another port with --{flag}",
        address.port()
    )]
    Taken {
        /// The address asked for.
        address: SocketAddr,
        /// The flag's name, without dashes.
        flag: String,
    },
    /// The process may not.
    #[error(
        "not allowed to listen on {address}: choose a port from 1024 on with --{flag}, or run with more rights"
    )]
    Denied {
        /// The address asked for.
        address: SocketAddr,
        /// The flag's name, without dashes.
        flag: String,
    },
    /// The address is not this machine's.
    #[error("{ip} is not an address of this machine: choose another with --{flag}")]
    NotLocal {
        /// The IP address asked for.
        ip: IpAddr,
        /// The flag's name, without dashes.
        flag: String,
    },
    /// Anything else.
    #[error("cannot listen on {address}, the value of --{flag}")]
    Other {
        /// The address asked for.
        address: SocketAddr,
        /// The flag's name, without dashes.
        flag: String,
        /// What the system said.
        source: io::Error,
    },
}

// === impl Listener ===

impl Listener {
    /// Binds `address`; port 0 takes any free one. `flag` is the command-line flag (without dashes) that the error
    /// tells the user to change.
    pub async fn bind(address: SocketAddr, flag: &str) -> Result<Self, BindError> {
        let explain = |source| BindError::new(address, flag, source);
        let inner = listen(address).map_err(explain)?;
        let local = inner.local_addr().map_err(explain)?;
        Ok(Self { inner, local })
    }

    /// The bound address, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The next connection. Errors of single connections are skipped; while the process is out of file descriptors or
    /// memory it waits, a little longer each time.
    pub(super) async fn accept(&self) -> (TcpStream, SocketAddr) {
        let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_secs(1));
        loop {
            match self.inner.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    let delay = backoff.next_delay();
                    tracing::error!(%error, ?delay, "cannot accept connections");
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }
}

// === impl BindError ===

impl BindError {
    fn new(address: SocketAddr, flag: &str, source: io::Error) -> Self {
        let flag = flag.to_owned();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::Taken { address, flag },
            io::ErrorKind::PermissionDenied => Self::Denied { address, flag },
            io::ErrorKind::AddrNotAvailable => Self::NotLocal { ip: address.ip(), flag },
            _ => Self::Other { address, flag, source },
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the last run's connections to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Errors of the connection that was to be accepted: the next one may be fine.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
