//! How a kubelet is set up.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::PathBuf;

use crate::clock::Clock;
use crate::container::DnsConfig;
use crate::images::Thresholds as ImageThresholds;
use crate::node::Thresholds as EvictionThresholds;
use crate::static_pods::Sources as StaticSources;

/// Port of a kubelet's gRPC service, as in Kubernetes.
pub const PORT: u16 = 10250;

/// How many pods a node takes unless told otherwise (today's Kubernetes; 1.0 took 40).
pub const MAX_PODS: u32 = 110;

/// Address that a packet to the outside would be sent to (TEST-NET-1, RFC 5737); nothing is ever sent.
const OUTSIDE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// How a kubelet is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's name; the kubelet's certificate must be of `system:node:<name>`.
    pub node_name: String,
    /// Directory of the pods' volumes, absolute; the runtime mounts from it.
    pub root_dir: PathBuf,
    /// The node's addresses, the first one first; detected if empty.
    pub node_ips: Vec<IpAddr>,
    /// Port of the kubelet's own gRPC service, announced in the node's status.
    pub port: u16,
    /// Port that answers everybody over HTTP, without TLS and without writing anything; 0 is none.
    pub read_only_port: u16,
    /// Labels of the node, beside those that every node has.
    pub labels: BTreeMap<String, String>,
    /// Amounts to announce instead of what the machine has, by resource (`cpu`: `4`).
    pub capacity: BTreeMap<String, String>,
    /// How many pods the node takes.
    pub max_pods: u32,
    /// How full the disk may be before images are removed; never, unless flags say otherwise: the engine may be a
    /// developer's own.
    pub image_gc: ImageThresholds,
    /// How many processes and threads a container may have; 0 is any number.
    pub pids: u64,
    /// From when on the node counts as short of something, and pods go.
    pub eviction_hard: EvictionThresholds,
    /// Where static pods come from.
    pub static_pods: StaticSources,
    /// Make no files from what pods refer to: on a hollow node nobody would read them.
    pub bare_volumes: bool,
    /// Where the local provider keeps its disks; `disks` below the root directory if absent.
    pub disk_dir: Option<PathBuf>,
    /// The cluster's DNS, and the host's.
    pub dns: DnsConfig,
    /// Image of infra containers; empty means the runtime's own.
    pub infra_image: String,
    /// What time it is.
    pub clock: Clock,
}

/// The kubelet's own flags, with the names that Kubernetes has for them.
#[derive(Clone, Debug, clap::Args)]
pub struct Flags {
    /// Name of this node; the machine's host name if absent.
    #[arg(long, value_name = "NAME", alias = "hostname-override")]
    pub node_name: Option<String>,
    /// Directory of the pods' volumes; the container runtime must see it at the same path.
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/keelson/kubelet")]
    pub root_dir: PathBuf,
    /// Address of this node; repeat it for a second family. Detected if absent.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub node_ip: Vec<IpAddr>,
    /// Port that answers everybody who reaches it over HTTP, without TLS: pods, statistics, logs. None if absent.
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub read_only_port: u16,
    /// Labels of this node.
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = pair)]
    pub node_labels: Vec<(String, String)>,
    /// Amounts to announce instead of what the machine has.
    #[arg(long, value_name = "RESOURCE=AMOUNT", value_delimiter = ',', value_parser = pair)]
    pub node_capacity: Vec<(String, String)>,
    /// How many pods this node takes.
    #[arg(long, value_name = "COUNT", default_value_t = MAX_PODS)]
    pub max_pods: u32,
    /// Per cent of the disk above which images that nobody uses are removed; 100 is never.
    #[arg(long, value_name = "PERCENT", default_value_t = ImageThresholds::default().high,
        value_parser = clap::value_parser!(u8).range(0..=100))]
    pub image_gc_high_threshold: u8,
    /// Per cent of the disk until which they are.
    #[arg(long, value_name = "PERCENT", default_value_t = ImageThresholds::default().low,
        value_parser = clap::value_parser!(u8).range(0..=100))]
    pub image_gc_low_threshold: u8,
    /// How many processes and threads a container may have; any number if absent.
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true)]
    pub pod_max_pids: u64,
    /// How little must be left for pods to be evicted.
    #[arg(
        long,
        value_name = "SIGNAL<AMOUNT,…",
        default_value = "memory.available<100Mi,nodefs.available<10%,pid.available<10%"
    )]
    pub eviction_hard: EvictionThresholds,
    /// Directory with manifests of static pods, or one manifest.
    #[arg(long, value_name = "PATH", alias = "config")]
    pub pod_manifest_path: Option<PathBuf>,
    /// URL (http) of a manifest of static pods, asked every 20 seconds.
    #[arg(long, value_name = "URL")]
    pub manifest_url: Option<String>,
    /// Directory in which the local provider keeps its disks; `disks` below the root directory if absent.
    #[arg(long, value_name = "DIRECTORY")]
    pub disk_dir: Option<PathBuf>,
    /// Address of the cluster's DNS.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub cluster_dns: Vec<IpAddr>,
    /// Domain of the cluster.
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,
    /// Image of the container that holds a pod's network; the kubelet brings its own if absent.
    #[arg(long, value_name = "IMAGE", default_value = "")]
    pub pod_infra_container_image: String,
}

// === impl Config ===

impl Config {
    /// A kubelet with the usual port and limits, and without cluster DNS.
    pub fn new(node_name: impl Into<String>, root_dir: impl Into<PathBuf>) -> Self {
        Self {
            node_name: node_name.into(),
            root_dir: root_dir.into(),
            node_ips: Vec::new(),
            port: PORT,
            read_only_port: 0,
            labels: BTreeMap::new(),
            capacity: BTreeMap::new(),
            max_pods: MAX_PODS,
            image_gc: ImageThresholds::NEVER,
            pids: 0,
            bare_volumes: false,
            disk_dir: None,
            eviction_hard: EvictionThresholds::default(),
            static_pods: StaticSources::default(),
            dns: DnsConfig::default(),
            infra_image: String::new(),
            clock: Clock::system(),
        }
    }

    /// Pods ask these name servers, for names below `domain` without writing it; this host's search domains stay.
    #[must_use]
    pub fn with_cluster_dns(mut self, servers: Vec<IpAddr>, domain: &str) -> Self {
        let resolv_conf = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        self.dns = DnsConfig { servers, domain: domain.to_owned(), host_searches: searches(&resolv_conf) };
        self
    }

    /// The configured addresses, or the one from which this machine reaches others.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        if self.node_ips.is_empty() { vec![detect()] } else { self.node_ips.clone() }
    }
}

// === impl Flags ===

impl Flags {
    /// The configuration that the flags ask for, on a machine called `hostname`.
    pub fn into_config(self, hostname: &str, port: u16) -> Config {
        let config = Config {
            node_ips: self.node_ip,
            port,
            read_only_port: self.read_only_port,
            labels: self.node_labels.into_iter().collect(),
            capacity: self.node_capacity.into_iter().collect(),
            max_pods: self.max_pods,
            image_gc: ImageThresholds {
                high: self.image_gc_high_threshold,
                low: self.image_gc_low_threshold,
            },
            pids: self.pod_max_pids,
            disk_dir: self.disk_dir,
            eviction_hard: self.eviction_hard,
            static_pods: StaticSources {
                path: self.pod_manifest_path,
                url: self.manifest_url,
                url_period: None,
            },
            infra_image: self.pod_infra_container_image,
            ..Config::new(self.node_name.unwrap_or_else(|| hostname.to_lowercase()), self.root_dir)
        };
        config.with_cluster_dns(self.cluster_dns, &self.cluster_domain)
    }
}

/// The search domains of a resolv.conf: the last `search` line counts (resolv.conf(5)).
fn searches(resolv_conf: &str) -> Vec<String> {
    let lines = resolv_conf.lines().rev().map(str::split_whitespace);
    let found = lines.into_iter().find_map(|mut words| (words.next() == Some("search")).then_some(words));
    found.into_iter().flatten().map(str::to_owned).collect()
}

/// Asks the routing table; loopback if there is no way to the outside.
fn detect() -> IpAddr {
    let source = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect(OUTSIDE).ok()?;
        socket.local_addr().ok()
    };
    source().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: Flags,
    }

    #[test]
    fn flags_become_a_config() {
        let words =
            "x --node-labels a=b,c=d --node-capacity cpu=4 --node-ip 192.0.2.7 --cluster-dns 10.0.0.10";
        let flags = Cli::parse_from(words.split(' ')).flags;
        let config = flags.into_config("MyHost", 7);
        assert_eq!((config.node_name.as_str(), config.port, config.max_pods), ("myhost", 7, 110));
        assert_eq!(config.labels["c"], "d");
        assert_eq!(config.capacity["cpu"], "4");
        assert_eq!(config.addresses(), ["192.0.2.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(config.dns.domain, "cluster.local");
        assert!(Cli::try_parse_from(["x", "--node-labels", "a"]).is_err());
    }

    #[test]
    fn the_last_search_line_counts() {
        let text =
            "nameserver 192.0.2.1\nsearch old.example\n# search no\nsearch a.example  b.example\noptions x\n";
        assert_eq!(searches(text), ["a.example", "b.example"]);
        assert!(searches("nameserver 192.0.2.1").is_empty());
    }

    #[test]
    fn some_address_is_always_found() {
        assert!(!detect().is_unspecified());
    }
}
