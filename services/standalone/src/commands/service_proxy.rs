//! `keelson service-proxy`: what makes services answer, in a process of its own.

use std::net::Ipv4Addr;

use keelson_service_proxy::{Cidr, Config, DnsConfig};
use tonic::service::Routes;

use crate::node_name::node_name;
use crate::proxy::{self, DOMAIN, ProxyFlags};
use crate::service::{ApiFlags, ClusterIdFlags, Service, ServiceFlags};
use crate::who::Who;

/// The flags of `keelson service-proxy`.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("listen", |arg| arg.default_value("0.0.0.0:10256")))]
pub struct ServiceProxyArgs {
    #[command(flatten)]
    service: ServiceFlags,
    #[command(flatten)]
    api: ApiFlags,
    #[command(flatten)]
    proxy: ProxyFlags,
    #[command(flatten)]
    cluster: ClusterIdFlags,
    /// Network that cluster IPs are taken from, as api was told.
    #[arg(long, default_value = "10.96.0.0/16", value_name = "NETWORK")]
    service_cluster_ip_range: Cidr,
    /// Where cluster DNS answers on this host [default: the tenth address of --service-cluster-ip-range].
    #[arg(long, value_name = "ADDRESS")]
    cluster_dns: Option<Ipv4Addr>,
    /// Domain of the cluster, as kubelets were told.
    #[arg(long, value_name = "DOMAIN", default_value = DOMAIN)]
    cluster_domain: String,
    /// Serve no cluster DNS.
    #[arg(long, conflicts_with = "cluster_dns")]
    no_cluster_dns: bool,
    /// Name of this node, by which api's logs know this proxy [default: this host's name].
    #[arg(long, value_name = "NAME")]
    node_name: Option<String>,
    /// Remove all rules, switches and bridges of this cluster's proxy from this host, and exit.
    #[arg(long)]
    cleanup: bool,
}

/// Runs the proxy until it is asked to stop. Rules go on applying then: the next one replaces them.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub async fn service_proxy(args: ServiceProxyArgs) -> anyhow::Result<()> {
    let cluster_id = args.cluster.read(&args.service)?;
    if args.cleanup {
        return Ok(keelson_service_proxy::remove_instance(&cluster_id).await?);
    }
    let node = node_name(args.node_name.as_deref())?;
    let mut service = Service::open("service-proxy", Who::PROXY.identity, &args.service).await?;
    let client = args.api.client(&service)?.with_user_agent(&format!("keelson-service-proxy/{node}"));
    let mode = args.proxy.proxy_mode;
    let config = Config { mode, dns: args.dns(), ..Config::new(cluster_id, args.service_cluster_ip_range) };
    let (tasks, health, metrics) = service.parts();
    let proxy = proxy::start(config, client, tasks, health, metrics).await?;
    if let Some(reason) = proxy.mode_reason() {
        tracing::warn!(mode = %proxy.mode(), "{reason}");
    }
    service.serve(Routes::new(proxy.routes()))?;
    service.run().await
}

// === impl ServiceProxyArgs ===

impl ServiceProxyArgs {
    fn dns(&self) -> Option<DnsConfig> {
        let served = proxy::cluster_dns(self.service_cluster_ip_range).filter(|_| !self.no_cluster_dns);
        let named = self.cluster_dns.map(|address| DnsConfig::new(address, DOMAIN)).or(served);
        named.map(|dns| DnsConfig { domain: self.cluster_domain.clone(), ..dns })
    }
}
