//! What an api is told.

use std::net::SocketAddrV4;
use std::time::Duration;

use ipnet::Ipv4Net;

use crate::admission::AdmissionConfig;
use crate::auth::AuthConfig;

/// What an api is told.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Network that cluster IPs are taken from; its first address is the `kubernetes` service's.
    #[arg(long, default_value = "10.96.0.0/16", env = "KEELSON_SERVICE_CLUSTER_IP_RANGE")]
    pub service_cluster_ip_range: Ipv4Net,
    /// Ports that NodePort services are taken from, both ends included.
    #[arg(long, default_value = "30000-32767", value_parser = port_range, env = "KEELSON_SERVICE_NODE_PORT_RANGE")]
    pub service_node_port_range: (u16, u16),
    /// Addresses at which pods reach the gateway: what stands behind the `kubernetes` service.
    #[arg(long, env = "KEELSON_ADVERTISE_ADDRESS")]
    pub advertise_address: Vec<SocketAddrV4>,
    /// Seconds that events are kept.
    #[arg(long, default_value = "3600", value_parser = seconds, env = "KEELSON_EVENT_TTL")]
    pub event_ttl: Duration,
    /// Seconds between compactions of the store's history, and how much of it is kept at the least.
    #[arg(long, default_value = "300", value_parser = seconds, env = "KEELSON_COMPACTION_INTERVAL")]
    pub compaction_interval: Duration,
    /// Which admission plugins there are.
    #[command(flatten)]
    pub admission: AdmissionConfig,
    /// Who may come in, and what they may do.
    #[command(flatten)]
    pub auth: AuthConfig,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a number of seconds above 0".to_owned()),
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

fn port_range(text: &str) -> Result<(u16, u16), String> {
    let ends = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match ends {
        Some((first, last)) if first > 0 && first <= last => Ok((first, last)),
        _ => Err("give two ports with a dash between them, for instance 30000-32767".to_owned()),
    }
}

// === impl Config ===

impl Default for Config {
    /// The flags' defaults.
    fn default() -> Self {
        Self {
            service_cluster_ip_range: Ipv4Net::new_assert([10, 96, 0, 0].into(), 16),
            service_node_port_range: (30000, 32767),
            advertise_address: Vec::new(),
            event_ttl: Duration::from_secs(3600),
            compaction_interval: Duration::from_secs(300),
            admission: AdmissionConfig::default(),
            auth: AuthConfig::default(),
        }
    }
}
