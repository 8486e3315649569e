//! All control loops, and what each hears of.

use std::sync::Arc;

use keelson_base_client::{Cache, Client, Delta, MetadataOf, Recorder};
use keelson_base_daemon::admin::Metrics;
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::Object;
use keelson_proto::coordination::Lease;
use keelson_proto::core::{Endpoints, Namespace, Node, Pod, ReplicationController, Service};
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

/// All control loops. Clones are the same loops.
#[derive(Clone)]
pub(crate) struct Loops {
    replication: Control<ReplicationLoop>,
    endpoints: Control<EndpointsLoop>,
    namespace: Control<NamespaceLoop>,
    node: Control<NodeLoop>,
    garbage: Control<GarbageLoop>,
    pod_gc: Control<PodGcLoop>,
}

// === impl Loops ===

impl Loops {
    /// How many loops there are.
    pub(crate) const COUNT: usize = 6;

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
    }

    pub(crate) fn on_rc(&self, delta: &Delta<ReplicationController>) {
        self.garbage.on_change(delta);
        self.replication.on_rc(delta);
    }

    pub(crate) fn on_service(&self, delta: &Delta<Service>) {
        self.garbage.on_change(delta);
        self.endpoints.on_service(delta);
    }

    pub(crate) fn on_endpoints(&self, delta: &Delta<Endpoints>) {
        self.garbage.on_change(delta);
        self.endpoints.on_endpoints(delta);
    }

    pub(crate) fn on_slice(&self, delta: &Delta<EndpointSlice>) {
        self.garbage.on_change(delta);
        self.endpoints.on_slice(delta);
    }

    pub(crate) fn on_owned<K: Object>(&self, delta: &Delta<MetadataOf<K>>) {
        self.garbage.on_change(delta);
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
    }
}
