//! The way of a pod to itself.
//!
//! Where bridges call iptables (`net.bridge.bridge-nf-call-iptables`), a packet from a pod to a service is translated
//! within the bridge, and if it is for the same pod it has to leave by the port it came in by. A bridge does that only if
//! the port's hairpin mode is on. So it is switched on for every port of the pods' bridges, as they come; it ends with
//! the port.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use rtnetlink::LinkBridgePort;
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};

use crate::bridge::{Events, LinkError, Links};
use crate::host::Host;

/// Switches hairpin mode on for the ports of bridges.
pub(crate) struct Hairpin {
    links: Links,
    events: Events,
    ports: Ports,
}

/// Which ports are to be switched. No I/O.
#[derive(Debug, Default)]
struct Ports {
    names: Vec<String>,
    bridges: BTreeSet<u32>,
    done: BTreeSet<u32>,
}

// === impl Hairpin ===

impl Hairpin {
    /// Switches all ports that there are; [`Hairpin::run`] goes on with those that come.
    pub(crate) async fn start(host: &Host, bridges: &[String]) -> Result<Self, LinkError> {
        let (links, events) = Links::open_with_events(host)?;
        let ports = Ports { names: bridges.to_vec(), ..Ports::default() };
        let mut hairpin = Self { links, events, ports };
        hairpin.all().await?;
        Ok(hairpin)
    }

    /// Follows the links of the host for ever.
    pub(crate) async fn run(mut self) {
        while let Some((message, _)) = self.events.next().await {
            let caught_up = match message.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                    self.one(&link).await;
                    Ok(())
                }
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link)) => {
                    self.ports.gone(link.header.index);
                    Ok(())
                }
                // Events were lost.
                NetlinkPayload::Overrun(_) => self.all().await,
                _ => Ok(()),
            };
            if let Err(error) = caught_up {
                tracing::warn!(%error, "some pods may not reach themselves through a service");
            }
        }
    }

    async fn all(&mut self) -> Result<(), LinkError> {
        let links = self.links.list().await?;
        // Ports may be listed before their bridge.
        links.iter().for_each(|link| self.ports.bridge(link));
        for link in &links {
            self.one(link).await;
        }
        Ok(())
    }

    async fn one(&mut self, link: &LinkMessage) {
        self.ports.bridge(link);
        let Some(port) = self.ports.port(link) else { return };
        let message = LinkBridgePort::new(port).hairpin(true).build();
        if let Err(error) = self.links.set_port(message).await {
            tracing::debug!(port, %error, "its pod, if it is still there, may not reach itself through a service");
        }
    }
}

// === impl Ports ===

impl Ports {
    /// Takes note of a bridge.
    fn bridge(&mut self, link: &LinkMessage) {
        let ours = |attribute: &LinkAttribute| match attribute {
            LinkAttribute::IfName(name) => self.names.contains(name),
            _ => false,
        };
        if link.attributes.iter().any(ours) {
            self.bridges.insert(link.header.index);
        }
    }

    /// The port to switch, if this is a new one. Switching makes an event, too.
    fn port(&mut self, link: &LinkMessage) -> Option<u32> {
        let controller = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Controller(index) => Some(*index),
            _ => None,
        });
        let port = link.header.index;
        let ours = controller.is_some_and(|controller| self.bridges.contains(&controller));
        (ours && self.done.insert(port)).then_some(port)
    }

    /// Takes note that a link is gone, or is no port any more.
    fn gone(&mut self, index: u32) {
        self.done.remove(&index);
        self.bridges.remove(&index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_link(index: u32, name: &str, controller: Option<u32>) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
        link.attributes.extend(controller.map(LinkAttribute::Controller));
        link
    }

    #[test]
    fn each_port_of_a_bridge_of_pods_is_switched_once() {
        let mut ports = Ports { names: vec!["docker0".to_owned()], ..Ports::default() };
        let (bridge, other) = (mk_link(1, "docker0", None), mk_link(2, "br1", None));
        for link in [&bridge, &other] {
            ports.bridge(link);
            assert_eq!(ports.port(link), None);
        }
        let port = mk_link(3, "veth1", Some(1));
        assert_eq!(ports.port(&port), Some(3));
        assert_eq!(ports.port(&port), None, "done");
        assert_eq!(ports.port(&mk_link(4, "veth2", Some(2))), None, "of another bridge");
        ports.gone(3);
        assert_eq!(ports.port(&port), Some(3), "it came back");
        ports.gone(1);
        assert_eq!(ports.port(&mk_link(5, "veth3", Some(1))), None, "its bridge is gone");
    }
}
