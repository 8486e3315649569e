//! The registries: the only door to state.
//!
//! A call comes in through the rpc layer (decode), is authenticated and authorised (auth), and reaches the
//! registry of its kind. Reads are answered by the watch cache, which one store watch feeds. Writes pass
//! admission and the kind's strategy (defaults, validation) and are committed with compare-and-set.
//!
//! Adding a kind is one `.proto` file, one strategy, and its line where the registries are made.

mod admission;
mod allocator;
mod auth;
mod bootstrap;
mod cache;
mod compaction;
mod config;
mod errors;
mod kubelet;
mod meter;
mod registry;
mod rpc;

pub use self::auth::{Caller, GATEWAY, MASTERS, NODES};
pub use self::config::Config;
pub use self::kubelet::KubeletDialer;

use std::sync::Arc;
use std::time::Duration;

use keelson_api_store::{self as store, Store};
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::tasks::{Drain, Tasks};
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;

use self::admission::Admission;
use self::allocator::{Allocators, Repair};
use self::auth::NodeReferences;
use self::cache::{Cache, Feed, Progress, TypedIndex};
use self::meter::MeteredStore;
use self::registry::{
    ConfigMapStrategy, EndpointSliceStrategy, EndpointsStrategy, EventStrategy, LeaseStrategy,
    LimitRangeStrategy, NamespaceStrategy, NodeStrategy, Noun, PersistentVolumeClaimStrategy,
    PersistentVolumeStrategy, PodStrategy, PodTemplateStrategy, Registry, ReplicationControllerStrategy,
    ResourceQuotaStrategy, SecretStrategy, ServiceAccountStrategy, ServiceStrategy, Strategy,
};
use self::rpc::{PodVerbs, Services};

/// Between two looks at whether addresses and ports are held by who has them: a safety net.
const REPAIR_EVERY: Duration = Duration::from_secs(600);

/// The API: its registries, running.
pub struct Api {
    router: axum::Router,
}

/// An api that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The store cannot be read.
    #[error("cannot read the store")]
    Load(#[source] store::Error),
    /// What every cluster begins with cannot be made.
    #[error("cannot make the cluster's first objects")]
    Bootstrap(#[source] ApiError),
}

/// All registries.
pub(crate) struct Registries {
    pods: Arc<Registry<PodStrategy>>,
    services: Arc<Registry<ServiceStrategy>>,
    endpoints: Arc<Registry<EndpointsStrategy>>,
    endpointslices: Arc<Registry<EndpointSliceStrategy>>,
    replicationcontrollers: Arc<Registry<ReplicationControllerStrategy>>,
    nodes: Arc<Registry<NodeStrategy>>,
    namespaces: Arc<Registry<NamespaceStrategy>>,
    events: Arc<Registry<EventStrategy>>,
    leases: Arc<Registry<LeaseStrategy>>,
    /// The kinds that have the verbs of all nouns and no others.
    plain: Vec<Arc<dyn Noun>>,
    references: Arc<NodeReferences>,
    allocators: Arc<Allocators>,
}

/// What registries are made from.
struct Maker {
    store: Arc<dyn Store>,
    progress: Progress,
    metrics: Metrics,
    admission: Arc<Admission>,
    caches: Vec<Arc<Cache>>,
}

// === impl Api ===

impl Api {
    /// Reads the store, makes what every cluster begins with, and starts to follow the store.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn build(
        config: Config,
        store: Arc<dyn Store>,
        kubelets: Arc<dyn KubeletDialer>,
        tasks: &Tasks,
        health: &Health,
        metrics: &Metrics,
    ) -> Result<Self, BuildError> {
        let ready = health.register("api");
        let tasks = tasks.child("api");
        let store: Arc<dyn Store> = Arc::new(MeteredStore::new(store, metrics));
        let progress = Progress::default();
        let (registries, caches, services) = registries(&config, &store, &progress, metrics);
        let feed = Feed {
            store: store.clone(),
            caches,
            sinks: vec![registries.allocators.clone()],
            progress: progress.clone(),
        };
        feed.load().await.map_err(BuildError::Load)?;
        let repair = Repair { store: store.clone(), services, allocators: registries.allocators.clone() };
        repair.run().await.map_err(BuildError::Load)?;
        tasks.spawn_critical("feed", feed.run(tasks.drain()));
        bootstrap::run(&registries, &config.advertise_address).await.map_err(BuildError::Bootstrap)?;
        tasks.spawn("repair", repair_now_and_then(repair, tasks.drain()));
        tasks
            .spawn("compaction", compaction::run(store, progress, config.compaction_interval, tasks.drain()));
        let router = meter::counted(registries.rpc(kubelets, tasks.drain()).router(), metrics);
        ready.release();
        Ok(Self { router })
    }

    /// The gRPC services of all nouns, to be served by a listener that asks for client certificates, or to be
    /// called within the process with an identity set by the connector.
    pub fn routes(&self) -> axum::Router {
        self.router.clone()
    }
}

// === impl Registries ===

/// Makes all registries; also answers with all caches, and the one of the services.
fn registries(
    config: &Config,
    store: &Arc<dyn Store>,
    progress: &Progress,
    metrics: &Metrics,
) -> (Registries, Vec<Arc<Cache>>, Arc<Cache>) {
    let namespaces = cache::<NamespaceStrategy>(progress, metrics);
    let admission = Admission::new(store.clone(), namespaces.clone());
    let allocators =
        Arc::new(Allocators::new(config.service_cluster_ip_range, config.service_node_port_range));
    let services = cache::<ServiceStrategy>(progress, metrics);
    let mut make = Maker {
        store: store.clone(),
        progress: progress.clone(),
        metrics: metrics.clone(),
        admission: admission.clone(),
        caches: vec![namespaces.clone(), services.clone()],
    };
    let references = NodeReferences::new(store.clone(), progress.clone());
    let pods = make.registry(PodStrategy);
    pods.tell(references.clone());
    let registries = Registries {
        pods,
        services: Registry::new(
            ServiceStrategy { allocators: allocators.clone() },
            store.clone(),
            services.clone(),
            admission.clone(),
        ),
        endpoints: make.registry(EndpointsStrategy),
        endpointslices: make.registry(EndpointSliceStrategy),
        replicationcontrollers: make.registry(ReplicationControllerStrategy),
        nodes: make.registry(NodeStrategy),
        namespaces: Registry::new(NamespaceStrategy, store.clone(), namespaces, admission),
        events: make.registry(EventStrategy { ttl: config.event_ttl }),
        leases: make.registry(LeaseStrategy),
        plain: vec![
            make.registry(ConfigMapStrategy),
            make.registry(LimitRangeStrategy),
            make.registry(PersistentVolumeClaimStrategy),
            make.registry(PersistentVolumeStrategy),
            make.registry(PodTemplateStrategy),
            make.registry(ResourceQuotaStrategy),
            make.registry(SecretStrategy),
            make.registry(ServiceAccountStrategy),
        ],
        references,
        allocators,
    };
    (registries, make.caches, services)
}

impl Registries {
    /// The gRPC face of all registries.
    fn rpc(&self, kubelets: Arc<dyn KubeletDialer>, drain: Drain) -> Services {
        let mut nouns: Vec<Arc<dyn Noun>> = vec![
            self.pods.clone(),
            self.services.clone(),
            self.endpoints.clone(),
            self.endpointslices.clone(),
            self.replicationcontrollers.clone(),
            self.nodes.clone(),
            self.namespaces.clone(),
            self.events.clone(),
            self.leases.clone(),
        ];
        nouns.extend(self.plain.iter().cloned());
        let pods =
            PodVerbs { pods: self.pods.clone(), nodes: self.nodes.clone(), kubelets, drain: drain.clone() };
        Services {
            nouns,
            pods: Arc::new(pods),
            replicationcontrollers: self.replicationcontrollers.clone(),
            nodes: self.nodes.clone(),
            namespaces: self.namespaces.clone(),
            references: self.references.clone(),
            drain,
        }
    }
}

// === impl Maker ===

impl Maker {
    fn registry<S: Strategy>(&mut self, strategy: S) -> Arc<Registry<S>> {
        let cache = cache::<S>(&self.progress, &self.metrics);
        self.caches.push(cache.clone());
        Registry::new(strategy, self.store.clone(), cache, self.admission.clone())
    }
}

fn cache<S: Strategy>(progress: &Progress, metrics: &Metrics) -> Arc<Cache> {
    let cache = Cache::new(Box::new(TypedIndex { prefix: S::PREFIX, fields: S::fields }), progress.clone());
    meter::tell_cache(metrics, S::Object::KIND, &cache);
    cache
}

async fn repair_now_and_then(repair: Repair, drain: Drain) {
    loop {
        tokio::select! {
            () = drain.signaled() => return,
            () = tokio::time::sleep(REPAIR_EVERY) => {}
        }
        if let Err(error) = repair.run().await {
            tracing::warn!(%error, "cannot look after the addresses and ports of services");
        }
    }
}

#[cfg(test)]
mod tests;
