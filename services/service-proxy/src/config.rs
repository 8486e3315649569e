//! What the proxy is told.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::dns::DnsConfig;

/// How the table is brought into force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// The first that works of the others, in their order.
    #[default]
    Auto,
    /// Rules of the kernel, written by `nft`.
    Nftables,
    /// Rules of the kernel, written by `iptables-restore`.
    Iptables,
    /// A TCP forwarder in this process. Without privileges it serves node ports only.
    Userspace,
}

/// What the proxy is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How the table is brought into force.
    pub mode: Mode,
    /// Short id of the cluster. The names of the table, the chains and the bridge carry it, so that several clusters
    /// share one host; up to 8 lowercase letters and digits are used as they are, anything else is hashed.
    pub instance: String,
    /// The range of service addresses. Connections to those that no service has are refused on this host.
    pub service_cidr: Cidr,
    /// Links to the pods of this host. Their subnets, as they are when the proxy is built, are pod networks, and
    /// `route_localnet` is switched on for them, so that 127.0.0.1 answers on node ports too.
    pub pod_interfaces: Vec<String>,
    /// More pod networks. Connections to a service from and to pod networks are masqueraded, because the answers would
    /// take the short way and miss the translation.
    pub pod_cidrs: Vec<Cidr>,
    /// Where the userspace forwarder listens for node ports.
    pub node_port_address: Ipv4Addr,
    /// Cluster DNS, if it is to be served; it needs the privileges that rules need.
    pub dns: Option<DnsConfig>,
    /// The network namespace that is meant, as a path such as `/run/netns/blue`; `None` for this process's own.
    pub netns: Option<PathBuf>,
}

/// A range of IPv4 addresses, written `10.0.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    address: Ipv4Addr,
    prefix: u8,
}

/// A text that is not a range of IPv4 addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a range of IPv4 addresses: write for instance 10.0.0.0/24")]
pub struct ParseCidrError(String);

// === impl Mode ===

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Nftables => "nftables",
            Self::Iptables => "iptables",
            Self::Userspace => "userspace",
        })
    }
}

// === impl Config ===

impl Config {
    /// For pods on Docker's default bridge, with the best mode that works.
    pub fn new(instance: impl Into<String>, service_cidr: Cidr) -> Self {
        Self {
            mode: Mode::Auto,
            instance: instance.into(),
            service_cidr,
            pod_interfaces: vec!["docker0".to_owned()],
            pod_cidrs: Vec::new(),
            node_port_address: Ipv4Addr::UNSPECIFIED,
            dns: None,
            netns: None,
        }
    }
}

// === impl Cidr ===

impl Cidr {
    /// The range of `address` with a mask of `prefix` bits; `None` above 32.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        let mask = mask(prefix)?;
        Some(Self { address: Ipv4Addr::from_bits(address.to_bits() & mask), prefix })
    }

    /// The first address.
    pub fn address(self) -> Ipv4Addr {
        self.address
    }

    /// How many bits all addresses have in common.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The address so many after the first; `None` if it is not in the range.
    pub fn nth(self, offset: u32) -> Option<Ipv4Addr> {
        let address = Ipv4Addr::from_bits(self.address.to_bits().checked_add(offset)?);
        self.contains(address).then_some(address)
    }

    /// Whether `address` is in the range.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        Self::new(address, self.prefix) == Some(self)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = ParseCidrError;

    fn from_str(text: &str) -> Result<Self, ParseCidrError> {
        let parts = text.split_once('/');
        let parsed =
            parts.and_then(|(address, prefix)| Self::new(address.parse().ok()?, prefix.parse().ok()?));
        parsed.ok_or_else(|| ParseCidrError(text.to_owned()))
    }
}

fn mask(prefix: u8) -> Option<u32> {
    (prefix <= 32).then(|| u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_keeps_its_bits_and_drops_the_host_part() {
        for (text, shown) in
            [("10.0.0.7/24", "10.0.0.0/24"), ("1.2.3.4/32", "1.2.3.4/32"), ("1.2.3.4/0", "0.0.0.0/0")]
        {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), shown);
        }
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/24", "::/64"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_counted_from_the_first() {
        let range: Cidr = "10.0.0.0/28".parse().unwrap();
        assert_eq!(range.nth(10), Some(Ipv4Addr::new(10, 0, 0, 10)));
        assert_eq!(range.nth(16), None);
    }

    #[test]
    fn a_range_contains_its_addresses_only() {
        let range: Cidr = "10.0.0.0/24".parse().unwrap();
        assert!(range.contains(Ipv4Addr::new(10, 0, 0, 255)));
        assert!(!range.contains(Ipv4Addr::new(10, 0, 1, 0)));
    }
}
