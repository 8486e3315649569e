//! `keelson kubelet`: the kubelet of one node in a process of its own.

use ipnet::Ipv4Net;
use keelson_kubelet::{Flags, Kubelet};
use keelson_service_proxy::Cidr;

use crate::node_name::node_name;
use crate::proxy;
use crate::runtime::{self, RuntimeFlags};
use crate::service::{ApiFlags, ClusterIdFlags, Service, ServiceFlags};
use crate::who::KUBELET;

/// The flags of `keelson kubelet`.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("listen", |arg| arg.default_value("0.0.0.0:10250")))]
pub struct KubeletArgs {
    #[command(flatten)]
    service: ServiceFlags,
    #[command(flatten)]
    api: ApiFlags,
    #[command(flatten)]
    cluster: ClusterIdFlags,
    #[command(flatten)]
    runtime: RuntimeFlags,
    /// Network that pods of the hollow runtime have their addresses from.
    #[arg(long, value_name = "NETWORK", default_value = "198.18.0.0/20")]
    hollow_pod_network: Ipv4Net,
    /// Network that cluster IPs are taken from: pods ask its tenth address for names, unless --cluster-dns says another.
    #[arg(long, value_name = "NETWORK")]
    service_cluster_ip_range: Option<Cidr>,
    #[command(flatten)]
    kubelet: Flags,
}

/// Runs the kubelet until it is asked to stop. Containers go on running then: the next one adopts them.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub async fn kubelet(args: KubeletArgs) -> anyhow::Result<()> {
    let cluster_id = args.cluster.read(&args.service)?;
    let node = node_name(args.kubelet.node_name.as_deref())?;
    let mut service = Service::open("kubelet", &format!("{KUBELET}{node}"), &args.service).await?;
    let client = args.api.client(&service)?;
    let Some(engine) = service.unless_stopped(args.runtime.engine()).await.transpose()? else {
        return service.run().await;
    };
    let (tasks, health, metrics) = service.parts();
    let tasks = tasks.child("kubelet");
    let runtime = runtime::of_node(engine.as_ref(), &cluster_id, &node, args.hollow_pod_network, &tasks);
    let mut flags = args.kubelet;
    if flags.cluster_dns.is_empty() {
        let dns = args.service_cluster_ip_range.and_then(proxy::cluster_dns);
        flags.cluster_dns = dns.into_iter().map(|dns| dns.address.into()).collect();
    }
    let config = flags.into_config(&node, service.port());
    let kubelet = Kubelet::build(config, runtime, client, &tasks, health, metrics).await?;
    service.serve(kubelet.routes())?;
    service.run().await
}
