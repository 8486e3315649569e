//! Hosts of their own on this machine: network namespaces around a switch, each of which can be cut off.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use crate::Output;

/// The switch's port of this machine itself.
const HOST: &str = "host";

/// Network namespaces around a switch that this machine is connected to. The switch is in a namespace of its own, where
/// no rules of anybody filter what passes. Everything is removed when it is dropped; what runs in the namespaces must
/// have ended before.
#[derive(Debug)]
pub struct Network {
    /// The namespace of the switch, and this machine's link to it.
    name: String,
    subnet: [u8; 3],
    hosts: usize,
}

// === impl Network ===

impl Network {
    /// A switch and this many hosts, numbered from 1, in a network that no other test is likely to use.
    ///
    /// # Panics
    /// If it cannot be made: that takes root.
    #[track_caller]
    pub fn new(hosts: usize) -> Self {
        let name = format!("kt{:06x}", fastrand::u32(..1 << 24));
        // Made before anything is in the kernel, so that half a network is removed as well.
        let network = Self { name: name.clone(), subnet: [10, 213, fastrand::u8(..)], hosts };
        let gateway = network.address(0);
        ip(&format!("netns add {name}"));
        ip(&format!("-n {name} link add switch type bridge"));
        ip(&format!("-n {name} link set switch up"));
        ip(&format!("link add {name} type veth peer name {HOST} netns {name}"));
        ip(&format!("-n {name} link set {HOST} master switch up"));
        ip(&format!("address add {gateway}/24 dev {name}"));
        ip(&format!("link set {name} up"));
        for host in 1..=hosts {
            let (space, port, address) = (network.namespace(host), port(host), network.address(host));
            ip(&format!("netns add {space}"));
            ip(&format!("-n {name} link add {port} type veth peer name eth0 netns {space}"));
            ip(&format!("-n {name} link set {port} master switch up"));
            ip(&format!("-n {space} address add {address}/24 dev eth0"));
            ip(&format!("-n {space} link set eth0 up"));
            ip(&format!("-n {space} link set lo up"));
        }
        network
    }

    /// A host's address; host 0 is this machine.
    ///
    /// # Panics
    /// If there cannot be so many.
    pub fn address(&self, host: usize) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, u8::try_from(host + 1).expect("few hosts"))
    }

    /// A host's network namespace, as `nsenter --net=` takes it.
    pub fn path(&self, host: usize) -> PathBuf {
        PathBuf::from("/run/netns").join(self.namespace(host))
    }

    /// Pulls a host's cable: what it sends and what is sent to it is lost, and no connection is told.
    #[track_caller]
    pub fn cut(&self, host: usize) {
        ip(&format!("-n {} link set {} down", self.name, port(host)));
    }

    /// Plugs it in again.
    #[track_caller]
    pub fn heal(&self, host: usize) {
        ip(&format!("-n {} link set {} up", self.name, port(host)));
    }

    fn namespace(&self, host: usize) -> String {
        format!("{}-{host}", self.name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let spaces = (1..=self.hosts).map(|host| self.namespace(host)).chain([self.name.clone()]);
        // Links go with the namespaces that they are in. What was never made is not missed.
        for space in spaces {
            let _ = Output::of(Command::new("ip").args(["netns", "delete", &space]), "");
        }
    }
}

fn port(host: usize) -> String {
    format!("port-{host}")
}

#[track_caller]
fn ip(line: &str) {
    Output::of(Command::new("ip").args(line.split(' ')), "").ok();
}
