//! The service proxy as a part of a process.

use std::sync::{Arc, Mutex, PoisonError};

use keelson_base_client::Client;
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::v1::service_proxy_server::ServiceProxyServer;
use tokio::sync::watch;

use crate::bridge::{LinkError, Links};
use crate::config::{Config, Mode};
use crate::dns::DnsConfig;
use crate::driver::Driver;
use crate::engine::{Choice, ChooseError};
use crate::grpc::TableService;
use crate::host::{CommandError, Host};
use crate::instance::Instance;
use crate::meter::Meter;
use crate::table::Table;
use crate::{kernel, localnet};

/// The service proxy. Clones are the same proxy.
#[derive(Clone)]
pub struct ServiceProxy {
    parts: Arc<Parts>,
}

struct Parts {
    host: Host,
    instance: Instance,
    mode: Mode,
    reason: Option<String>,
    table: watch::Receiver<Table>,
    dns: Option<DnsConfig>,
    client: Client,
    tasks: Tasks,
    /// Taken by `run`.
    driver: Mutex<Option<Driver>>,
}

/// Why services cannot be made to answer, or their rules not be removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// No way of making services answer can be had.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The rules could not be removed.
    #[error("removing the service rules: {0}")]
    Rules(#[source] CommandError),
    /// The bridge could not be removed.
    #[error("removing the service bridge: {0}")]
    Link(#[from] LinkError),
    /// It runs already, or has run: build another.
    #[error("the service proxy was started twice")]
    Started,
}

// === impl ServiceProxy ===

impl ServiceProxy {
    /// Finds out which mode works here, and prepares the bridge. Rules in force stay until the first table replaces them.
    ///
    /// The latch `service-proxy` of `health` is released when the first table is in force.
    pub async fn build(
        config: Config,
        client: Client,
        tasks: &Tasks,
        health: &Health,
        metrics: &Metrics,
    ) -> Result<Self, ProxyError> {
        let host = Host::new(config.netns.clone());
        let instance = Instance::new(&config.instance);
        let Choice { engine, reason, hairpin } = Choice::make(&config, &host, &instance).await?;
        let mode = engine.mode();
        tracing::info!(%mode, reason = reason.as_deref(), "service proxy");
        let (table_tx, table) = watch::channel(Table::default());
        let meter = Meter::new(metrics, mode, &table);
        let client = client.with_metrics(metrics);
        let latch = Some(health.register("service-proxy"));
        let dns = match config.dns {
            Some(dns) => address_for(&host, &instance, dns).await,
            None => None,
        };
        let driver = Driver {
            dns: dns.clone(),
            engine,
            host: host.clone(),
            instance: instance.clone(),
            pod_interfaces: config.pod_interfaces,
            table: table_tx,
            latch,
            hairpin,
            meter,
        };
        let driver = Mutex::new(Some(driver));
        let tasks = tasks.clone();
        let parts = Parts { host, instance, mode, reason, table, dns, client, tasks, driver };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Makes services answer, until the tasks it was built with drain. Rules stay; see [`ServiceProxy::cleanup`].
    pub async fn run(&self) -> Result<(), ProxyError> {
        let driver = self.parts.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        driver.ok_or(ProxyError::Started)?.run(&self.parts.client, &self.parts.tasks).await;
        Ok(())
    }

    /// The gRPC service `keelson.v1.ServiceProxy`.
    pub fn routes(&self) -> ServiceProxyServer<TableService> {
        ServiceProxyServer::new(TableService { mode: self.parts.mode, table: self.parts.table.clone() })
    }

    /// How services are made to answer; never [`Mode::Auto`].
    pub fn mode(&self) -> Mode {
        self.parts.mode
    }

    /// One sentence on why a better mode cannot be had and what still works; `None` if all does.
    pub fn mode_reason(&self) -> Option<&str> {
        self.parts.reason.as_deref()
    }

    /// The table in force, as it changes.
    pub fn table(&self) -> watch::Receiver<Table> {
        self.parts.table.clone()
    }

    /// Where cluster DNS answers; `None` if it is not served.
    pub fn dns(&self) -> Option<&DnsConfig> {
        self.parts.dns.as_ref()
    }

    /// Removes rules, switches and bridge of this instance from the host: to be called when it no longer runs.
    pub async fn cleanup(&self) -> Result<(), ProxyError> {
        let removed = remove(&self.parts.host, &self.parts.instance).await;
        // Without privileges nothing was made, and nothing can be removed.
        if self.parts.mode == Mode::Userspace { Ok(()) } else { removed }
    }
}

impl std::fmt::Debug for ServiceProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceProxy").field("mode", &self.parts.mode).finish_non_exhaustive()
    }
}

/// Makes the address of cluster DNS one of this host's; without the privileges for that there is no cluster DNS.
async fn address_for(host: &Host, instance: &Instance, dns: DnsConfig) -> Option<DnsConfig> {
    let links = Links::open(host).ok()?;
    match links.ensure_address(&instance.bridge(), dns.address).await {
        Ok(()) => Some(dns),
        // Why there is no bridge has been told.
        Err(LinkError::Absent(_)) => None,
        Err(error) => {
            tracing::warn!(%error, "there is no cluster DNS on this host");
            None
        }
    }
}

/// Removes what the proxy of an instance, which no longer runs, has made on this host; see [`Config::instance`].
///
/// # Errors
/// Without the privileges that making it took.
pub async fn remove_instance(instance: &str) -> Result<(), ProxyError> {
    remove(&Host::new(None), &Instance::new(instance)).await
}

/// Removes everything of an instance from the host.
pub(crate) async fn remove(host: &Host, instance: &Instance) -> Result<(), ProxyError> {
    let links = Links::open(host)?;
    localnet::switch_off(host, &links, instance).await;
    let rules = kernel::remove_except(host, instance, Mode::Userspace).await.map_err(ProxyError::Rules);
    let bridge = links.remove(&instance.bridge()).await.map_err(ProxyError::Link);
    rules?;
    bridge.map(drop)
}

#[cfg(test)]
mod tests;
