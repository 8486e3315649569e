//! The service proxy, of which a host has one.

use keelson_base_daemon::admin::Health;
use keelson_base_daemon::tasks::Tasks;
use keelson_service_proxy::{Cidr, Config, ServiceProxy};

use crate::cluster::identities::Who;
use crate::cluster::{ClusterConfig, StartError, client, service};
use crate::data_dir::DataDir;
use crate::progress::Progress;

/// Starts the proxy, if one is wanted.
///
/// # Errors
/// If no way can be had to make services answer.
pub(super) async fn start(
    config: &ClusterConfig,
    data: &DataDir,
    api: &axum::Router,
    tasks: &Tasks,
    health: &Health,
    progress: &Progress,
) -> Result<Option<ServiceProxy>, StartError> {
    let Some(mode) = config.proxy else { return Ok(None) };
    let range = config.api.service_cluster_ip_range;
    let range = Cidr::new(range.addr(), range.prefix_len())
        .ok_or("the range of cluster IPs is none")
        .map_err(service("service-proxy"))?;
    let proxy = Config { mode, ..Config::new(data.cluster_id(), range) };
    let proxy = ServiceProxy::build(proxy, client(api, Who::PROXY.peer()), tasks, health)
        .await
        .map_err(service("service-proxy"))?;
    if let Some(reason) = proxy.mode_reason() {
        progress.note(reason);
    }
    let running = proxy.clone();
    tasks.spawn_critical("service-proxy", async move { running.run().await });
    Ok(Some(proxy))
}
