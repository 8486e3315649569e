//! The registries: the only door to state.
//!
//! A call comes in through the rpc layer (decode), is authenticated and authorised (auth), and reaches the
//! registry of its kind. Reads are answered by the watch cache, which one store watch feeds. Writes pass
//! admission and the kind's strategy (defaults, validation) and are committed with compare-and-set.
//!
//! Adding a kind is one `.proto` file, one strategy, and its line where the registries are made.

mod admission;
mod allocator;
mod audit;
mod auth;
mod bootstrap;
mod cache;
mod compaction;
mod config;
mod errors;
mod kubelet;
mod meter;
mod notes;
mod reach;
mod registry;
mod rpc;

pub use self::admission::AdmissionConfig;
pub use self::auth::{AuthConfig, AuthError, AuthorizationMode, Caller, GATEWAY, MASTERS, NODES};
pub use self::config::Config;
pub use self::kubelet::KubeletDialer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keelson_api_store::{self as store, Store};
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::tasks::{Drain, Tasks};
use keelson_base_model::status::ApiError;
use keelson_proto::{OBSERVED, Object as _, QUESTIONS, REGISTERED};

use self::admission::{Admission, Lookups};
use self::allocator::{Allocators, Repair};
use self::audit::Audit;
use self::auth::{Access, Accounts, Authenticator, Files, NodeReferences, Of, Rbac};
use self::cache::{Cache, Feed, Listener, Progress, TypedIndex};
use self::kubelet::Kubelets;
use self::meter::MeteredStore;
use self::reach::Reach;
use self::registry::{
    ClusterRoleBindingStrategy, ClusterRoleStrategy, ConfigMapStrategy, EndpointSliceStrategy,
    EndpointsStrategy, EventStrategy, LeaseStrategy, LimitRangeStrategy, NamespaceStrategy, NodeStrategy,
    Noun, PersistentVolumeClaimStrategy, PersistentVolumeStrategy, PodStrategy, PodTemplateStrategy,
    Registry, ReplicationControllerStrategy, ResourceQuotaStrategy, RoleBindingStrategy, RoleStrategy,
    SecretStrategy, ServiceAccountStrategy, ServiceStrategy, Strategy,
};
use self::rpc::{Door, PodVerbs, Presence, Proxy, Services};

/// Between two looks at whether addresses and ports are held by who has them: a safety net.
const REPAIR_EVERY: Duration = Duration::from_secs(600);

/// Whether a path is of a service whose calls api authenticates itself, by certificate, token or password.
pub fn authenticates(path: &str) -> bool {
    let service = path.strip_prefix('/').and_then(|path| path.split_once('/')).map(|(service, _)| service);
    let kinds = REGISTERED.iter().chain(OBSERVED).chain(QUESTIONS).map(|kind| kind.service);
    service.is_some_and(|service| kinds.chain(["keelson.v1.Bindings"]).any(|known| known == service))
}

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
    /// A file of users, keys or policies cannot be used.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The audit log cannot be opened.
    #[error("--audit-log-path: cannot open {}", path.display())]
    Audit {
        /// The log.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
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
    clusterroles: Arc<Registry<ClusterRoleStrategy>>,
    clusterrolebindings: Arc<Registry<ClusterRoleBindingStrategy>>,
    secrets: Arc<Registry<SecretStrategy>>,
    serviceaccounts: Arc<Registry<ServiceAccountStrategy>>,
    /// The kinds that have the verbs of all nouns and no others.
    plain: Vec<Arc<dyn Noun>>,
    references: Arc<NodeReferences>,
    allocators: Arc<Allocators>,
    access: Arc<Access>,
}

/// What registries are made from.
struct Maker {
    store: Arc<dyn Store>,
    progress: Progress,
    metrics: Metrics,
    admission: Arc<Admission>,
    access: Arc<Access>,
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
        let reach = Reach::new();
        let store: Arc<dyn Store> = Arc::new(MeteredStore::new(store, metrics, &reach));
        let progress = Progress::default();
        let rbac = Arc::new(Rbac::default());
        let (access, files) = (config.auth.access(rbac.clone())?, config.auth.files()?);
        let (registries, caches, services) =
            registries(&config, &store, &progress, metrics, (access, rbac.clone()));
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
        let (roles, bindings) = (registries.clusterroles.clone(), &*registries.clusterrolebindings);
        auth::reconcile(&roles, bindings).await.map_err(BuildError::Bootstrap)?;
        // Whoever is let in is to find them counted.
        let head = store.head().await.map_err(BuildError::Load)?;
        progress.reach(head).await.map_err(BuildError::Bootstrap)?;
        tasks.spawn("roles", auth::run_aggregation(roles, rbac, tasks.drain()));
        let audit = audit(&config.auth, &tasks).await?;
        let answers = reach.clone();
        health.ready_check("store", move || answers.check());
        tasks.spawn("reach", reach.regain(store.clone(), tasks.drain()));
        tasks.spawn("repair", repair_now_and_then(repair, tasks.drain()));
        tasks
            .spawn("compaction", compaction::run(store, progress, config.compaction_interval, tasks.drain()));
        let router = meter::counted(
            registries.rpc(kubelets, registries.door(&config.auth, files, audit), tasks.drain()).router(),
            metrics,
        );
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
    (access, rbac): (Arc<Access>, Arc<Rbac>),
) -> (Registries, Vec<Arc<Cache>>, Arc<Cache>) {
    let namespaces = cache::<NamespaceStrategy>(progress, metrics);
    let lookups = Lookups {
        store: store.clone(),
        progress: progress.clone(),
        namespaces: namespaces.clone(),
        limit_ranges: cache::<LimitRangeStrategy>(progress, metrics),
        resource_quotas: cache::<ResourceQuotaStrategy>(progress, metrics),
        service_accounts: cache::<ServiceAccountStrategy>(progress, metrics),
    };
    let admission = Admission::new(&config.admission, lookups.clone());
    let allocators =
        Arc::new(Allocators::new(config.service_cluster_ip_range, config.service_node_port_range));
    let services = cache::<ServiceStrategy>(progress, metrics);
    let mut make = Maker {
        store: store.clone(),
        progress: progress.clone(),
        metrics: metrics.clone(),
        admission: admission.clone(),
        access: access.clone(),
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
            access.clone(),
        ),
        endpoints: make.registry(EndpointsStrategy),
        endpointslices: make.registry(EndpointSliceStrategy),
        replicationcontrollers: make.registry(ReplicationControllerStrategy),
        nodes: make.registry(NodeStrategy),
        namespaces: Registry::new(NamespaceStrategy, store.clone(), namespaces, admission, access.clone()),
        events: make.registry(EventStrategy { ttl: config.event_ttl }),
        leases: make.registry(LeaseStrategy),
        clusterroles: make
            .hearing(ClusterRoleStrategy { access: access.clone() }, rbac.listener(Of::ClusterRoles)),
        clusterrolebindings: make.hearing(
            ClusterRoleBindingStrategy { access: access.clone() },
            rbac.listener(Of::ClusterRoleBindings),
        ),
        plain: vec![
            make.registry(ConfigMapStrategy),
            make.registry_over(LimitRangeStrategy, lookups.limit_ranges),
            make.registry(PersistentVolumeClaimStrategy),
            make.registry(PersistentVolumeStrategy),
            make.registry(PodTemplateStrategy),
            make.registry_over(ResourceQuotaStrategy, lookups.resource_quotas),
            make.hearing(RoleStrategy { access: access.clone() }, rbac.listener(Of::Roles)),
            make.hearing(RoleBindingStrategy { access: access.clone() }, rbac.listener(Of::RoleBindings)),
        ],
        secrets: make.registry(SecretStrategy),
        serviceaccounts: make.registry_over(ServiceAccountStrategy, lookups.service_accounts),
        references,
        allocators,
        access,
    };
    (registries, make.caches, services)
}

impl Registries {
    /// The gRPC face of all registries.
    fn rpc(&self, kubelets: Arc<dyn KubeletDialer>, door: Arc<Door>, drain: Drain) -> Services {
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
            self.clusterroles.clone(),
            self.clusterrolebindings.clone(),
            self.secrets.clone(),
            self.serviceaccounts.clone(),
        ];
        nouns.extend(self.plain.iter().cloned());
        let kubelets = Arc::new(Kubelets::new(self.nodes.clone(), kubelets));
        let proxy = Proxy {
            pods: self.pods.clone(),
            services: self.services.clone(),
            endpoints: self.endpoints.clone(),
            nodes: self.nodes.clone(),
            kubelets: kubelets.clone(),
            drain: drain.clone(),
        };
        let pods = PodVerbs { pods: self.pods.clone(), kubelets, drain: drain.clone() };
        Services {
            nouns,
            pods: Arc::new(pods),
            proxy: Arc::new(proxy),
            replicationcontrollers: self.replicationcontrollers.clone(),
            nodes: self.nodes.clone(),
            namespaces: self.namespaces.clone(),
            leases: self.leases.clone(),
            references: self.references.clone(),
            door,
            drain,
        }
    }

    /// Where every call comes in.
    fn door(&self, config: &AuthConfig, files: Files, audit: Audit) -> Arc<Door> {
        let accounts = Accounts {
            issuer: files.issuer,
            accounts: self.serviceaccounts.clone(),
            secrets: self.secrets.clone(),
            pods: self.pods.clone(),
            nodes: self.nodes.clone(),
        };
        let authenticator = Authenticator {
            anonymous: config.anonymous_auth,
            tokens: files.tokens,
            passwords: files.passwords,
            accounts: Arc::new(accounts),
            access: self.access.clone(),
        };
        Arc::new(Door { authenticator, audit, presence: Presence::default() })
    }
}

// === impl Maker ===

impl Maker {
    fn registry<S: Strategy>(&mut self, strategy: S) -> Arc<Registry<S>> {
        let cache = cache::<S>(&self.progress, &self.metrics);
        self.registry_over(strategy, cache)
    }

    /// The same, over a cache that others read too.
    fn registry_over<S: Strategy>(&mut self, strategy: S, cache: Arc<Cache>) -> Arc<Registry<S>> {
        self.caches.push(cache.clone());
        Registry::new(strategy, self.store.clone(), cache, self.admission.clone(), self.access.clone())
    }

    /// A registry of whose objects somebody hears.
    fn hearing<S: Strategy>(&mut self, strategy: S, listener: Arc<dyn Listener>) -> Arc<Registry<S>> {
        let registry = self.registry(strategy);
        registry.tell(listener);
        registry
    }
}

fn cache<S: Strategy>(progress: &Progress, metrics: &Metrics) -> Arc<Cache> {
    let cache = Cache::new(Box::new(TypedIndex { prefix: S::PREFIX, fields: S::fields }), progress.clone());
    meter::tell_cache(metrics, S::Object::KIND, &cache);
    cache
}

/// The audit log, and the task that writes it; neither unless there is to be one.
async fn audit(config: &AuthConfig, tasks: &Tasks) -> Result<Audit, BuildError> {
    let Some(path) = &config.audit_log_path else { return Ok(Audit::default()) };
    let opened = Audit::open(path).await;
    let (audit, writer) = opened.map_err(|error| BuildError::Audit { path: path.clone(), error })?;
    tasks.spawn("audit", audit::run(writer, tasks.drain()));
    Ok(audit)
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
