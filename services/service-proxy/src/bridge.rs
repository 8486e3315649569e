//! The link that keeps packets to service addresses on this host.
//!
//! A process that connects to a service address needs a route to it, because the address is translated only after the
//! first look at the routes. The route leads into a bridge without ports: whatever a missing rule lets through ends there
//! and never leaves the host. A connection starts from an address of the host: the bridge has none but that of cluster DNS,
//! which is not for starting from.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use futures::TryStreamExt as _;
use futures::channel::mpsc::UnboundedReceiver;
use rtnetlink::packet_core::NetlinkMessage;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressScope};
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};
use rtnetlink::packet_route::route::{RouteHeader, RouteScope, RouteType};
use rtnetlink::sys::SocketAddr;
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, MulticastGroup, RouteMessageBuilder};

use crate::config::Cidr;
use crate::host::Host;

/// The routing table of the host's own addresses (`RT_TABLE_LOCAL`).
const LOCAL_TABLE: u32 = 255;

/// What happens to packets to service addresses that no rule translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// They end in the bridge.
    Sink,
    /// They are for this host, where the userspace forwarder listens.
    Local,
}

/// What the kernel tells without being asked.
pub(crate) type Events = UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

/// The links of the host.
pub(crate) struct Links {
    handle: Handle,
    connection: tokio::task::AbortHandle,
}

/// A link's name and the remark on it (its alias).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) link: String,
    pub(crate) text: String,
}

/// Why a link could not be asked or changed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The kernel could not be asked.
    #[error("opening a netlink socket")]
    Open(#[source] io::Error),
    /// The kernel refused.
    #[error("{operation} failed: {source}")]
    Refused {
        /// What was tried.
        operation: String,
        /// Why.
        source: io::Error,
    },
    /// It is not there.
    #[error("there is no link {0}")]
    Absent(String),
}

// === impl Links ===

impl Links {
    pub(crate) fn open(host: &Host) -> Result<Self, LinkError> {
        let opened = host.inside(rtnetlink::new_connection).and_then(|opened| opened);
        let (connection, handle, _) = opened.map_err(LinkError::Open)?;
        let connection = tokio::spawn(connection).abort_handle();
        Ok(Self { handle, connection })
    }

    /// Also tells which links come, change and go, from now on.
    pub(crate) fn open_with_events(host: &Host) -> Result<(Self, Events), LinkError> {
        let open = || rtnetlink::new_multicast_connection(&[MulticastGroup::Link]);
        let opened = host.inside(open).and_then(|opened| opened);
        let (connection, handle, events) = opened.map_err(LinkError::Open)?;
        let connection = tokio::spawn(connection).abort_handle();
        Ok((Self { handle, connection }, events))
    }

    /// All links.
    pub(crate) async fn list(&self) -> Result<Vec<LinkMessage>, LinkError> {
        let links = self.handle.link().get().execute();
        links.try_collect().await.map_err(refused("reading the links".to_owned()))
    }

    /// Changes how a bridge treats one of its ports.
    pub(crate) async fn set_port(&self, message: LinkMessage) -> Result<(), LinkError> {
        let set = self.handle.link().set_port(message).execute().await;
        set.map_err(refused("changing a port of a bridge".to_owned()))
    }

    /// Makes or adopts the bridge `name` and leads `range` to it.
    pub(crate) async fn ensure_bridge(&self, name: &str, range: Cidr, route: Route) -> Result<(), LinkError> {
        let made = self.handle.link().add(LinkBridge::new(name).build()).execute().await;
        made.or_else(unless_exists).map_err(refused(format!("making the bridge {name}")))?;
        let index = self.index(name).await?;
        let up = LinkUnspec::new_with_index(index).up().build();
        let set = self.handle.link().set(up).execute().await;
        set.map_err(refused(format!("switching the bridge {name} on")))?;
        self.drop_routes(name).await?;
        let message = routed(RouteMessageBuilder::<Ipv4Addr>::new(), range, index, route).build();
        let added = self.handle.route().add(message).execute().await;
        added.or_else(unless_exists).map_err(refused(format!("routing {range} to {name}")))
    }

    /// Makes `address` one of this host's, on the bridge `name`. Its scope keeps the kernel from choosing it for
    /// connections that start here.
    pub(crate) async fn ensure_address(&self, name: &str, address: Ipv4Addr) -> Result<(), LinkError> {
        let index = self.index(name).await?;
        let mut request = self.handle.address().add(index, IpAddr::V4(address), 32);
        request.message_mut().header.scope = AddressScope::Host;
        let added = request.execute().await;
        added.or_else(unless_exists).map_err(refused(format!("giving {address} to {name}")))
    }

    /// Removes the link `name` and with it its routes; whether it was there.
    pub(crate) async fn remove(&self, name: &str) -> Result<bool, LinkError> {
        let index = match self.index(name).await {
            Ok(index) => index,
            Err(LinkError::Absent(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let deleted = self.handle.link().del(index).execute().await;
        deleted.map_err(refused(format!("removing the link {name}"))).map(|()| true)
    }

    /// The subnets of a link; none if it does not exist.
    pub(crate) async fn subnets(&self, name: &str) -> Result<Vec<Cidr>, LinkError> {
        let index = match self.index(name).await {
            Ok(index) => index,
            Err(LinkError::Absent(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let addresses = self.handle.address().get().set_link_index_filter(index).execute();
        let addresses: Vec<_> =
            addresses.try_collect().await.map_err(refused(format!("reading the addresses of {name}")))?;
        let subnet = |message: &rtnetlink::packet_route::address::AddressMessage| {
            message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Local(IpAddr::V4(address)) => {
                    Cidr::new(*address, message.header.prefix_len)
                }
                _ => None,
            })
        };
        Ok(addresses.iter().filter_map(subnet).collect())
    }

    /// The remarks on all links that have one.
    pub(crate) async fn remarks(&self) -> Result<Vec<Remark>, LinkError> {
        Ok(self.list().await?.iter().filter_map(remark_on).collect())
    }

    /// Puts a remark on a link.
    pub(crate) async fn remark(&self, name: &str, text: &str) -> Result<(), LinkError> {
        let message = LinkUnspec::new_with_index(self.index(name).await?);
        let message = LinkMessageBuilder::alias(message, text).build();
        let set = self.handle.link().set(message).execute().await;
        set.map_err(refused(format!("putting a remark on {name}")))
    }

    /// Drops the routes that an adopted bridge has from its last owner: its range may have been another.
    async fn drop_routes(&self, name: &str) -> Result<(), LinkError> {
        let index = self.index(name).await?;
        let every = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let routes = self.handle.route().get(every).execute();
        let routes: Vec<_> = routes.try_collect().await.map_err(refused("reading the routes".to_owned()))?;
        for route in routes {
            use rtnetlink::packet_route::route::RouteAttribute::Oif;
            if route.header.address_family == AddressFamily::Inet && route.attributes.contains(&Oif(index)) {
                let deleted = self.handle.route().del(route).execute().await;
                deleted.map_err(refused(format!("dropping an old route to {name}")))?;
            }
        }
        Ok(())
    }

    async fn index(&self, name: &str) -> Result<u32, LinkError> {
        let mut found = self.handle.link().get().match_name(name).execute();
        match found.try_next().await {
            Ok(Some(link)) => Ok(link.header.index),
            Ok(None) => Err(LinkError::Absent(name.to_owned())),
            Err(error) if errno(&error) == Some(nix::libc::ENODEV) => Err(LinkError::Absent(name.to_owned())),
            Err(error) => Err(refused(format!("looking for the link {name}"))(error)),
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn routed(
    message: RouteMessageBuilder<Ipv4Addr>,
    range: Cidr,
    index: u32,
    route: Route,
) -> RouteMessageBuilder<Ipv4Addr> {
    let message = message.destination_prefix(range.address(), range.prefix()).output_interface(index);
    match route {
        // A metric of its own: clusters that share a range do not fight for the one route.
        Route::Sink => {
            message.scope(RouteScope::Link).priority(index).table_id(RouteHeader::RT_TABLE_MAIN.into())
        }
        Route::Local => message.scope(RouteScope::Host).kind(RouteType::Local).table_id(LOCAL_TABLE),
    }
}

fn remark_on(link: &LinkMessage) -> Option<Remark> {
    let name = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    });
    let text = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfAlias(text) => Some(text.clone()),
        _ => None,
    });
    Some(Remark { link: name?, text: text? })
}

fn refused(operation: String) -> impl FnOnce(rtnetlink::Error) -> LinkError {
    move |error| {
        let source = match error {
            rtnetlink::Error::NetlinkError(message) => message.to_io(),
            other => io::Error::other(other.to_string()),
        };
        LinkError::Refused { operation, source }
    }
}

fn unless_exists(error: rtnetlink::Error) -> Result<(), rtnetlink::Error> {
    if errno(&error) == Some(nix::libc::EEXIST) { Ok(()) } else { Err(error) }
}

fn errno(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io().raw_os_error(),
        _ => None,
    }
}
