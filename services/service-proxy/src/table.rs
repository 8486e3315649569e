//! The table of service ports, and the difference of two tables. Pure.
//!
//! A service's port answers at its [`Frontend`]s: the cluster address and, if it has one, the node port on every address
//! of the host. Should two services claim the same frontend (api does not let them), the first by name has it, and the
//! other takes over when the first gives it up.

mod build;
mod diff;

pub use self::build::service_ports;
pub use self::diff::{Diff, FrontendChange, PortChange, diff};

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use keelson_base_model::key::ObjectKey;

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP; by kernel rules only.
    Udp,
}

/// Names one port of one service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId {
    /// The service.
    pub service: ObjectKey,
    /// Its port.
    pub port: u16,
    /// The port's protocol.
    pub protocol: Protocol,
}

/// One port of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name in the table.
    pub id: PortId,
    /// Its name in the service; "" if it has none.
    pub port_name: String,
    /// The virtual address.
    pub cluster_ip: Ipv4Addr,
    /// The port on every address of the host.
    pub node_port: Option<NonZeroU16>,
    /// For how many seconds after its last connection a client's address stays with its backend.
    pub affinity: Option<NonZeroU32>,
    /// Where connections go: sorted, without repeats.
    pub backends: Vec<SocketAddrV4>,
}

/// Where a service's port answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frontend {
    /// The address; `None` is every address of the host.
    pub address: Option<Ipv4Addr>,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
}

/// What happens at a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Connections go to the backends of this port.
    Served(PortId),
    /// This port has no backends: connections are refused.
    Refused(PortId),
}

/// The service ports of all services. A clone shares what has not changed since.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Table {
    ports: OrdMap<PortId, Arc<ServicePort>>,
    claims: OrdMap<Frontend, OrdSet<PortId>>,
}

// === impl Protocol ===

impl Protocol {
    /// As rules and people write it: `tcp`.
    pub fn lowercase(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// As the API writes it: `TCP`.
    pub fn api_name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

// === impl PortId ===

/// `namespace/name/tcp/80`.
impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.service, self.protocol.lowercase(), self.port)
    }
}

// === impl ServicePort ===

impl ServicePort {
    /// Where it answers.
    pub fn frontends(&self) -> impl Iterator<Item = Frontend> + use<> {
        let protocol = self.id.protocol;
        let cluster = Frontend { address: Some(self.cluster_ip), protocol, port: self.id.port };
        let node = self.node_port.map(|port| Frontend { address: None, protocol, port: port.get() });
        [cluster].into_iter().chain(node)
    }
}

// === impl Answer ===

impl Answer {
    /// The port that has the frontend.
    pub fn owner(&self) -> &PortId {
        match self {
            Self::Served(owner) | Self::Refused(owner) => owner,
        }
    }
}

// === impl Table ===

impl Table {
    /// Replaces all ports of `service`; none removes it.
    pub fn set(&mut self, service: &ObjectKey, ports: Vec<ServicePort>) {
        let old: Vec<_> = self.ports_of(service).cloned().collect();
        for port in old {
            self.remove(&port);
        }
        for port in ports {
            self.insert(Arc::new(port));
        }
    }

    /// All ports, ordered by service, port and protocol.
    pub fn ports(&self) -> impl Iterator<Item = &Arc<ServicePort>> {
        self.ports.values()
    }

    /// The ports of one service.
    pub fn ports_of(&self, service: &ObjectKey) -> impl Iterator<Item = &Arc<ServicePort>> {
        let first = PortId { service: service.clone(), port: 0, protocol: Protocol::Tcp };
        self.ports.range(first..).map(|(_, port)| port).take_while(move |port| port.id.service == *service)
    }

    /// One port.
    pub fn port(&self, id: &PortId) -> Option<&Arc<ServicePort>> {
        self.ports.get(id)
    }

    /// All frontends and what happens there.
    pub fn frontends(&self) -> impl Iterator<Item = (Frontend, Answer)> + '_ {
        let frontends = self.claims.keys();
        frontends.filter_map(|frontend| Some((*frontend, self.answer(*frontend)?)))
    }

    /// What happens at a frontend; `None` if no service has it.
    pub fn answer(&self, frontend: Frontend) -> Option<Answer> {
        let owner = self.claims.get(&frontend)?.get_min()?;
        let served = self.ports.get(owner).is_some_and(|port| !port.backends.is_empty());
        Some(if served { Answer::Served(owner.clone()) } else { Answer::Refused(owner.clone()) })
    }

    /// The node ports that lead to backends.
    pub fn served_node_ports(&self) -> impl Iterator<Item = Frontend> + '_ {
        // Those without an address are first.
        let nodes = self.claims.keys().take_while(|frontend| frontend.address.is_none());
        nodes.copied().filter(|frontend| matches!(self.answer(*frontend), Some(Answer::Served(_))))
    }

    fn insert(&mut self, port: Arc<ServicePort>) {
        for frontend in port.frontends() {
            let claims = self.claims.entry(frontend).or_default();
            claims.insert(port.id.clone());
        }
        self.ports.insert(port.id.clone(), port);
    }

    fn remove(&mut self, port: &ServicePort) {
        self.ports.remove(&port.id);
        for frontend in port.frontends() {
            let Some(claims) = self.claims.get_mut(&frontend) else {
                continue;
            };
            claims.remove(&port.id);
            if claims.is_empty() {
                self.claims.remove(&frontend);
            }
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ports.values()).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests;
