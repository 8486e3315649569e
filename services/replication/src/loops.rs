//! All control loops, and what each hears of.

use std::sync::Arc;

use keelson_base_client::{Cache, Client, Delta, MetadataOf, Recorder};
use keelson_base_daemon::admin::Metrics;
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::Object;
use keelson_proto::coordination::Lease;
use keelson_proto::core::{
    ConfigMap, Endpoints, Namespace, Node, Pod, ReplicationController, ResourceQuota, Secret, Service,
    ServiceAccount,
};
use keelson_proto::discovery::EndpointSlice;

use crate::Config;
use crate::cache::Caches;
use crate::control::{Control, LoopState};
use crate::endpoints::EndpointsLoop;
use crate::garbage::GarbageLoop;
use crate::namespace::NamespaceLoop;
use crate::node::NodeLoop;
use crate::pod_gc::PodGcLoop;
use crate::replication::ReplicationLoop;
use crate::resourcequota::ResourceQuotaLoop;
use crate::root_ca::RootCaLoop;
use crate::serviceaccount::ServiceAccountLoop;
use crate::token::TokenLoop;

/// All control loops. Clones are the same loops.
#[derive(Clone)]
pub(crate) struct Loops {
    replication: Control<ReplicationLoop>,
    endpoints: Control<EndpointsLoop>,
    namespace: Control<NamespaceLoop>,
    node: Control<NodeLoop>,
    garbage: Control<GarbageLoop>,
    pod_gc: Control<PodGcLoop>,
    resourcequota: Control<ResourceQuotaLoop>,
    serviceaccount: Control<ServiceAccountLoop>,
    token: Control<TokenLoop>,
    root_ca: Control<RootCaLoop>,
}

// === impl Loops ===

impl Loops {
    /// How many loops there are.
    pub(crate) const COUNT: usize = 10;

    /// Loops that know nothing yet.
    pub(crate) fn new(
        config: &Config,
        client: &Client,
        caches: &Caches,
        recorder: &Recorder,
        metrics: &Metrics,
    ) -> Self {
        let (caches, recorder) = (|| caches.clone(), || recorder.clone());
        let replication = ReplicationLoop::new(client, caches(), recorder(), config.burst_replicas);
        Self {
            replication: Control::new(replication, metrics),
            endpoints: Control::new(EndpointsLoop::new(client, caches()), metrics),
            namespace: Control::new(NamespaceLoop::new(client, caches()), metrics),
            node: Control::new(NodeLoop::new(client, caches(), recorder(), config.timing()), metrics),
            garbage: Control::new(GarbageLoop::new(client), metrics),
            pod_gc: Control::new(PodGcLoop::new(client, caches()), metrics),
            resourcequota: Control::new(ResourceQuotaLoop::new(client, caches()), metrics),
            serviceaccount: Control::new(ServiceAccountLoop::new(client, caches()), metrics),
            token: Control::new(TokenLoop::new(client, caches(), config.root_ca.clone()), metrics),
            root_ca: Control::new(RootCaLoop::new(client, caches(), config.root_ca.clone()), metrics),
        }
    }

    /// Starts the loops' workers.
    pub(crate) fn spawn_workers(&self, config: &Config, tasks: &Tasks, caches: &Caches) {
        self.replication.spawn(tasks, config.concurrent_replicationcontroller_syncs, caches);
        self.endpoints.spawn(tasks, config.concurrent_endpoint_syncs, caches);
        self.namespace.spawn(tasks, config.concurrent_namespace_syncs, caches);
        self.node.spawn(tasks, config.concurrent_node_syncs, caches);
        self.garbage.spawn(tasks, config.concurrent_gc_syncs, caches);
        self.pod_gc.spawn(tasks, 1, caches);
        self.resourcequota.spawn(tasks, config.concurrent_resource_quota_syncs, caches);
        self.serviceaccount.spawn(tasks, 1, caches);
        self.token.spawn(tasks, config.concurrent_serviceaccount_token_syncs, caches);
        self.root_ca.spawn(tasks, 1, caches);
    }

    /// How each loop is doing.
    pub(crate) fn states(&self) -> [Arc<LoopState>; Self::COUNT] {
        [
            self.replication.state(),
            self.endpoints.state(),
            self.namespace.state(),
            self.node.state(),
            self.garbage.state(),
            self.pod_gc.state(),
            self.resourcequota.state(),
            self.serviceaccount.state(),
            self.token.state(),
            self.root_ca.state(),
        ]
    }

    /// How many keys wait in all loops.
    pub(crate) fn waiting(&self) -> usize {
        [
            self.replication.waiting(),
            self.endpoints.waiting(),
            self.namespace.waiting(),
            self.node.waiting(),
            self.garbage.waiting(),
            self.pod_gc.waiting(),
            self.resourcequota.waiting(),
            self.serviceaccount.waiting(),
            self.token.waiting(),
            self.root_ca.waiting(),
        ]
        .iter()
        .sum()
    }

    /// Hears of all that the caches hold, as if it were new.
    pub(crate) fn hear_all(&self, caches: &Caches) {
        self.hear_of(&caches.nodes, Self::on_node);
        self.hear_of(&caches.leases, Self::on_lease);
        self.hear_of(&caches.namespaces, Self::on_namespace);
        self.hear_of(&caches.rcs, Self::on_rc);
        self.hear_of(&caches.services, Self::on_service);
        self.hear_of(&caches.endpoints, Self::on_endpoints);
        self.hear_of(&caches.slices, Self::on_slice);
        self.hear_of(&caches.pods, Self::on_pod);
        self.hear_of(&caches.quotas, Self::on_quota);
        self.hear_of(&caches.accounts, Self::on_account);
        self.hear_of(&caches.tokens, Self::on_token);
        self.hear_of(&caches.root_cas, Self::on_root_ca);
        caches.owned.tell(self);
    }

    fn hear_of<K: Object>(&self, cache: &Cache<K>, hear: fn(&Self, &Delta<K>)) {
        for object in cache.list() {
            hear(self, &Delta::Applied { old: None, new: object, trace: None });
        }
    }

    pub(crate) fn on_pod(&self, delta: &Delta<Pod>) {
        self.garbage.on_change(delta);
        self.replication.on_pod(delta);
        self.endpoints.on_pod(delta);
        self.namespace.on_pod(delta);
        self.pod_gc.on_pod(delta);
        self.resourcequota.on_pod(delta);
    }

    pub(crate) fn on_rc(&self, delta: &Delta<ReplicationController>) {
        self.garbage.on_change(delta);
        self.replication.on_rc(delta);
        self.resourcequota.on_change(delta);
    }

    pub(crate) fn on_service(&self, delta: &Delta<Service>) {
        self.garbage.on_change(delta);
        self.endpoints.on_service(delta);
        self.resourcequota.on_change(delta);
    }

    pub(crate) fn on_endpoints(&self, delta: &Delta<Endpoints>) {
        self.garbage.on_change(delta);
        self.endpoints.on_endpoints(delta);
        self.resourcequota.on_change(delta);
    }

    pub(crate) fn on_slice(&self, delta: &Delta<EndpointSlice>) {
        self.garbage.on_change(delta);
        self.endpoints.on_slice(delta);
        self.resourcequota.on_change(delta);
    }

    pub(crate) fn on_owned<K: Object>(&self, delta: &Delta<MetadataOf<K>>) {
        self.garbage.on_change(delta);
        self.resourcequota.on_change(delta);
    }

    pub(crate) fn on_node(&self, delta: &Delta<Node>) {
        self.garbage.on_change(delta);
        self.node.on_node(delta);
        self.pod_gc.on_node(delta);
    }

    pub(crate) fn on_lease(&self, delta: &Delta<Lease>) {
        self.garbage.on_change(delta);
        self.node.on_lease(delta);
    }

    pub(crate) fn on_namespace(&self, delta: &Delta<Namespace>) {
        self.garbage.on_change(delta);
        self.namespace.on_namespace(delta);
        self.serviceaccount.on_namespace(delta);
        self.root_ca.on_namespace(delta);
    }

    pub(crate) fn on_quota(&self, delta: &Delta<ResourceQuota>) {
        self.garbage.on_change(delta);
        self.resourcequota.on_quota(delta);
        self.resourcequota.on_change(delta);
    }

    pub(crate) fn on_account(&self, delta: &Delta<MetadataOf<ServiceAccount>>) {
        self.on_owned(delta);
        self.serviceaccount.on_account(delta);
        self.token.on_account(delta);
    }

    /// Of secrets that are tokens; the garbage collector hears of all.
    pub(crate) fn on_token(&self, delta: &Delta<Secret>) {
        self.token.on_secret(delta);
    }

    /// Of the maps that hold the cluster's authority; the garbage collector hears of all.
    pub(crate) fn on_root_ca(&self, delta: &Delta<ConfigMap>) {
        self.root_ca.on_map(delta);
    }

    /// The cluster's authorities have changed.
    pub(crate) fn on_renewal(&self) {
        self.root_ca.on_renewal();
        self.token.on_renewal();
    }
}
