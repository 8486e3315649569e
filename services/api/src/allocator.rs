//! Cluster addresses and node ports: each is held by at most one service.
//!
//! What is held stands in the store, one key each, written in the same commit as the service that holds it;
//! so nothing leaks and nothing is given twice, whoever dies when. The pools here are only a picture of
//! those keys, kept by the store watch, to choose from; a race for a key is settled by the commit.

mod pool;
mod repair;
mod reserve;

pub(crate) use self::repair::Repair;

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use keelson_api_store::KeyValue;

use self::pool::Pool;
use crate::cache::Sink;

/// Where the keys of held addresses begin.
const ADDRESSES: &str = "/registry/ranges/serviceips/";
/// Where the keys of held ports begin.
const PORTS: &str = "/registry/ranges/servicenodeports/";

/// The addresses and ports that services can have.
pub(crate) struct Allocators {
    cidr: Ipv4Net,
    addresses: Pool,
    port_range: (u16, u16),
    ports: Pool,
}

// === impl Allocators ===

impl Allocators {
    /// Pools of the addresses of a network and of the ports of a range, both ends included.
    pub(crate) fn new(cidr: Ipv4Net, port_range: (u16, u16)) -> Self {
        // The network's own and its broadcast address are nobody's.
        let (first, last) = (u32::from(first_of(cidr)), u32::from(cidr.broadcast()).saturating_sub(1));
        Self {
            cidr,
            addresses: Pool::new(first, last),
            port_range,
            ports: Pool::new(port_range.0.into(), port_range.1.into()),
        }
    }

    /// The first address: the `kubernetes` service's.
    pub(crate) fn first_address(&self) -> Ipv4Addr {
        first_of(self.cidr)
    }

    /// The tenth address: cluster DNS answers there. None in a range that has no tenth.
    pub(crate) fn dns_address(&self) -> Option<Ipv4Addr> {
        let address = Ipv4Addr::from_bits(self.cidr.network().to_bits().checked_add(10)?);
        (self.cidr.contains(&address) && address != self.cidr.broadcast()).then_some(address)
    }

    /// The pool and number that a key stands for.
    fn locate(&self, key: &str) -> Option<(&Pool, u32)> {
        if let Some(address) = key.strip_prefix(ADDRESSES) {
            return Some((&self.addresses, u32::from(address.parse::<Ipv4Addr>().ok()?)));
        }
        Some((&self.ports, key.strip_prefix(PORTS)?.parse().ok()?))
    }
}

impl Sink for Allocators {
    fn prefix(&self) -> &str {
        "/registry/ranges/"
    }

    fn reset(&self) {
        self.addresses.clear();
        self.ports.clear();
    }

    fn put(&self, stored: &KeyValue) {
        if let Some((pool, number)) = self.locate(&stored.key) {
            pool.hold(number, owner(stored));
        }
    }

    fn deleted(&self, key: &str) {
        if let Some((pool, number)) = self.locate(key) {
            pool.release(number);
        }
    }
}

fn first_of(cidr: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(cidr.network()).saturating_add(1))
}

fn address_key(address: Ipv4Addr) -> String {
    format!("{ADDRESSES}{address}")
}

fn port_key(port: u32) -> String {
    format!("{PORTS}{port}")
}

/// The service that holds a key: `namespace/name`.
fn owner(stored: &KeyValue) -> String {
    String::from_utf8_lossy(&stored.value).into_owned()
}

#[cfg(test)]
mod tests;
