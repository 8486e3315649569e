//! The service proxy, of which a host has one.

use keelson_base_client::Client;
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::tasks::Tasks;
use keelson_service_proxy::{Cidr, Config, DnsConfig, Mode, ProxyError, ServiceProxy};

/// The cluster's domain, unless it is told otherwise.
pub(crate) const DOMAIN: &str = "cluster.local";

/// How services are made to answer.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ProxyFlags {
    /// How services are made to answer.
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    pub(crate) proxy_mode: Mode,
}

/// Where cluster DNS answers in a cluster with this range of cluster IPs: at its tenth address, as everywhere.
pub(crate) fn cluster_dns(range: Cidr) -> Option<DnsConfig> {
    range.nth(10).map(|address| DnsConfig::new(address, DOMAIN))
}

/// Starts the proxy that `config` asks for.
///
/// # Errors
/// If no way can be had to make services answer.
pub(crate) async fn start(
    config: Config,
    client: Client,
    tasks: &Tasks,
    health: &Health,
    metrics: &Metrics,
) -> Result<ServiceProxy, ProxyError> {
    let proxy = ServiceProxy::build(config, client, tasks, health, metrics).await?;
    let running = proxy.clone();
    tasks.spawn_critical("service-proxy", async move { running.run().await });
    Ok(proxy)
}
