//! The table as a TCP forwarder: a listener per frontend, one balancer per service port.
//!
//! A service port without backends has listeners too, whose connections are closed at once. Connections outlive what
//! happens to their service; only the end of the process ends them.

mod balancer;
mod forward;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

use self::balancer::Balancer;
use crate::host::Host;
use crate::table::{Frontend, PortId, Protocol, Table};

/// How many connections are forwarded at once; more wait to be accepted.
const CONNECTIONS: usize = 8192;

/// How long accepting pauses when the process is out of files.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// Forwards connections.
#[derive(Debug)]
pub(crate) struct Userspace {
    host: Host,
    node_port_address: Ipv4Addr,
    /// Whether service addresses are addresses of this host.
    owns_services: bool,
    balancers: BTreeMap<PortId, Arc<Mutex<Balancer>>>,
    listeners: BTreeMap<Frontend, Listener>,
    tasks: JoinSet<()>,
    room: Arc<Semaphore>,
}

/// A listener's task and whose connections it forwards.
#[derive(Debug)]
struct Listener {
    owner: PortId,
    task: AbortHandle,
}

/// Frontends that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for {} services, of which {first} at {address}: {source}", count)]
pub(crate) struct ListenError {
    count: usize,
    first: PortId,
    address: SocketAddrV4,
    source: io::Error,
}

// === impl Userspace ===

impl Userspace {
    pub(crate) fn new(host: Host, node_port_address: Ipv4Addr, owns_services: bool) -> Self {
        Self {
            host,
            node_port_address,
            owns_services,
            balancers: BTreeMap::new(),
            listeners: BTreeMap::new(),
            tasks: JoinSet::new(),
            room: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// Brings a table into force. Listeners that it still names stay; what cannot be listened on is told at the end.
    pub(crate) async fn apply(&mut self, table: &Table) -> Result<(), ListenError> {
        self.balance(table);
        let wanted: BTreeMap<Frontend, PortId> =
            table.frontends().map(|(frontend, answer)| (frontend, answer.owner().clone())).collect();
        self.close_except(&wanted).await;
        let mut failed: Option<ListenError> = None;
        for (frontend, owner) in wanted {
            if let Err(mut error) = self.open(frontend, owner) {
                error.count += failed.as_ref().map_or(0, |failed| failed.count);
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Gives every service port a balancer with its backends.
    fn balance(&mut self, table: &Table) {
        self.balancers.retain(|id, _| table.port(id).is_some());
        for port in table.ports() {
            let balancer = self.balancers.entry(port.id.clone()).or_default();
            let mut balancer = balancer.lock().unwrap_or_else(PoisonError::into_inner);
            balancer.set(&port.backends, port.affinity);
        }
    }

    /// Closes the listeners that have no owner any more or another, and waits until their addresses are free.
    async fn close_except(&mut self, wanted: &BTreeMap<Frontend, PortId>) {
        let before = self.listeners.len();
        self.listeners.retain(|frontend, listener| {
            let keep = wanted.get(frontend) == Some(&listener.owner);
            if !keep {
                listener.task.abort();
            }
            keep
        });
        for _ in self.listeners.len()..before {
            // The only tasks of the set that end are the aborted ones.
            let _ = self.tasks.join_next().await;
        }
    }

    /// Listens for a frontend, unless it is done already or beyond this forwarder.
    fn open(&mut self, frontend: Frontend, owner: PortId) -> Result<(), ListenError> {
        let Some(address) = self.address(frontend) else {
            return Ok(());
        };
        let Some(balancer) = self.balancers.get(&owner) else {
            return Ok(());
        };
        if self.listeners.contains_key(&frontend) {
            return Ok(());
        }
        let listener = match self.host.listen(SocketAddr::V4(address)) {
            Ok(listener) => listener,
            Err(source) => {
                return Err(ListenError { count: 1, first: owner, address, source });
            }
        };
        let accepting = accept(self.host.clone(), listener, balancer.clone(), self.room.clone());
        let task = self.tasks.spawn(accepting);
        self.listeners.insert(frontend, Listener { owner, task });
        Ok(())
    }

    /// Where to listen for a frontend; `None` if this forwarder cannot.
    fn address(&self, frontend: Frontend) -> Option<SocketAddrV4> {
        if frontend.protocol != Protocol::Tcp {
            return None;
        }
        match frontend.address {
            Some(address) => self.owns_services.then(|| SocketAddrV4::new(address, frontend.port)),
            None => Some(SocketAddrV4::new(self.node_port_address, frontend.port)),
        }
    }
}

/// Accepts connections and forwards each in its own task, until aborted.
async fn accept(host: Host, listener: TcpListener, balancer: Arc<Mutex<Balancer>>, room: Arc<Semaphore>) {
    loop {
        let Ok(place) = room.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((client, peer)) => {
                let (host, balancer) = (host.clone(), balancer.clone());
                tokio::spawn(async move {
                    forward::forward(&host, client, peer.ip(), &balancer).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(OUT_OF_FILES).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
