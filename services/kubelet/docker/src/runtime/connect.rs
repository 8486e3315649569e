//! Connections to ports inside pods.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use keelson_kubelet::runtime::{Connection, RuntimeError};
use nix::sched::{CloneFlags, setns};
use tokio::sync::oneshot;

use super::{DockerRuntime, observe, process};
use crate::error::failed_on;
use crate::traced;

/// How long a connection may take; those inside a machine take none.
const PATIENCE: Duration = Duration::from_secs(10);

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

// === impl DockerRuntime ===

impl DockerRuntime {
    pub(super) async fn connect_to(
        &self,
        container: &str,
        port: u16,
    ) -> Result<Box<dyn Connection>, RuntimeError> {
        let call = self.client().inspect_container(container, None);
        let found = traced::container("docker inspect container", container).instrument_result(call).await;
        let found = found.map_err(failed_on("inspect container", container))?;
        let pid = found.state.as_ref().and_then(|state| i32::try_from(state.pid?).ok());
        let refused = |message: String| RuntimeError::Refused { operation: "connect", message };
        let pid = pid.filter(|pid| *pid > 0);
        let pid = pid.ok_or_else(|| refused(format!("container {container} is not running")))?;
        let connected = match File::open(process::directory(pid).join("ns/net")) {
            Ok(network) if process::is_of(pid, container) => inside(network, port).await,
            // The pod's processes are not to be seen: its address must do.
            _ => {
                let addresses = observe::container(found).map(|seen| seen.addresses).unwrap_or_default();
                from_here(&addresses, port).await
            }
        };
        let stream = connected.map_err(|error| refused(format!("port {port}: {error}")))?;
        Ok(Box::new(stream))
    }
}

/// Connects to a loopback port within a network namespace. The thread is given up afterwards, and its namespace with it.
async fn inside(network: File, port: u16) -> io::Result<tokio::net::TcpStream> {
    let (tell, told) = oneshot::channel();
    let connect = move || {
        let connected = setns(&network, CloneFlags::CLONE_NEWNET).map_err(io::Error::from);
        let connected = connected.and_then(|()| dial(port));
        // Who asked may have gone.
        let _ = tell.send(connected);
    };
    std::thread::Builder::new().name("port-forward".to_owned()).spawn(connect)?;
    let connected = told.await.map_err(|_| io::Error::other("the connecting thread has failed"))??;
    connected.set_nonblocking(true)?;
    tokio::net::TcpStream::from_std(connected)
}

/// Programs listen on either loopback; the error of the first is told.
fn dial(port: u16) -> io::Result<TcpStream> {
    let [first, second] = LOOPBACK.map(|address| SocketAddr::new(address, port));
    TcpStream::connect_timeout(&first, PATIENCE)
        .or_else(|error| TcpStream::connect_timeout(&second, PATIENCE).map_err(|_| error))
}

async fn from_here(addresses: &[IpAddr], port: u16) -> io::Result<tokio::net::TcpStream> {
    let Some(address) = addresses.first() else {
        let why =
            "this kubelet sees neither the pod's processes nor an address of its own: run it on the host";
        return Err(io::Error::other(why));
    };
    let connected = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect((*address, port))).await;
    connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
