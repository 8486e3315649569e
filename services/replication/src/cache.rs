//! What the loops know of the cluster: one cache and one informer per kind, for all of them.

use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::{Cache, Client, Informer, WatchScope};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::{namespace, owner};
use keelson_proto::coordination::Lease;
use keelson_proto::core::{Endpoints, Namespace, Node, Pod, ReplicationController, Service};

use crate::Loops;

/// Where kubelets keep the leases by which they show that they live.
pub(crate) const NODE_LEASES: &str = "kube-node-lease";

/// How often the loops look at their objects although nothing has changed, should a change have been missed.
const RESYNC: Duration = Duration::from_secs(10 * 60);

/// What the loops know of the cluster. Clones are the same caches.
#[derive(Clone, Debug)]
pub(crate) struct Caches {
    /// All pods, found by controller, by lack of one, and by node.
    pub(crate) pods: Cache<Pod>,
    pub(crate) rcs: Cache<ReplicationController>,
    pub(crate) services: Cache<Service>,
    pub(crate) endpoints: Cache<Endpoints>,
    pub(crate) nodes: Cache<Node>,
    /// Those of [`NODE_LEASES`] alone.
    pub(crate) leases: Cache<Lease>,
    pub(crate) namespaces: Cache<Namespace>,
}

// === impl Caches ===

impl Caches {
    /// Empty caches.
    pub(crate) fn new() -> Self {
        Self {
            pods: Cache::with_index(index),
            rcs: Cache::new(),
            services: Cache::new(),
            endpoints: Cache::new(),
            nodes: Cache::new(),
            leases: Cache::new(),
            namespaces: Cache::new(),
        }
    }

    /// The pods whose controller has this uid.
    pub(crate) fn pods_of(&self, uid: &str) -> Vec<Arc<Pod>> {
        self.pods.by_index(&of_controller(uid))
    }

    /// The pods of a namespace that have no controller.
    pub(crate) fn pods_without_controller(&self, namespace: &str) -> Vec<Arc<Pod>> {
        self.pods.by_index(&without_controller(namespace))
    }

    /// The pods that have been given to a node.
    pub(crate) fn pods_on(&self, node: &str) -> Vec<Arc<Pod>> {
        self.pods.by_index(&on_node(node))
    }

    /// The node with this name.
    pub(crate) fn node(&self, name: &str) -> Option<Arc<Node>> {
        self.nodes.get(&ObjectKey::cluster(name))
    }

    /// Whether nothing new can be made in this namespace, as far as is known.
    pub(crate) fn is_terminating(&self, namespace: &str) -> bool {
        let namespace = self.namespaces.get(&ObjectKey::cluster(namespace));
        namespace.is_some_and(|namespace| namespace::is_terminating(&namespace))
    }

    /// Whether all caches hold what there was when they began.
    pub(crate) fn is_synced(&self) -> bool {
        self.pods.is_synced()
            && self.rcs.is_synced()
            && self.services.is_synced()
            && self.endpoints.is_synced()
            && self.nodes.is_synced()
            && self.leases.is_synced()
            && self.namespaces.is_synced()
    }

    /// Ends when all caches hold what there was when they began.
    pub(crate) fn synced(&self) -> impl Future<Output = ()> + Send + use<> {
        let caches = self.clone();
        async move {
            caches.pods.synced().await;
            caches.rcs.synced().await;
            caches.services.synced().await;
            caches.endpoints.synced().await;
            caches.nodes.synced().await;
            caches.leases.synced().await;
            caches.namespaces.synced().await;
        }
    }
}

// === impl Loops ===

impl Loops {
    /// Keeps the caches current; each change is told to the loops that it concerns.
    pub(crate) fn spawn_informers(&self, client: &Client, tasks: &Tasks, caches: &Caches) {
        let loops = self.clone();
        Informer::spawn_into(tasks, client.api(), once(), caches.pods.clone(), move |delta| {
            loops.garbage.on_change(&delta);
            loops.replication.on_pod(&delta);
            loops.endpoints.on_pod(&delta);
            loops.namespace.on_pod(&delta);
            loops.pod_gc.on_pod(&delta);
        });
        let loops = self.clone();
        Informer::spawn_into(tasks, client.api(), resynced(), caches.rcs.clone(), move |delta| {
            loops.garbage.on_change(&delta);
            loops.replication.on_rc(&delta);
        });
        let loops = self.clone();
        Informer::spawn_into(tasks, client.api(), resynced(), caches.services.clone(), move |delta| {
            loops.garbage.on_change(&delta);
            loops.endpoints.on_service(&delta);
        });
        let loops = self.clone();
        Informer::spawn_into(tasks, client.api(), once(), caches.endpoints.clone(), move |delta| {
            loops.garbage.on_change(&delta);
            loops.endpoints.on_endpoints(&delta);
        });
        self.spawn_cluster_informers(client, tasks, caches);
    }

    /// The informers of what is not the users' own.
    fn spawn_cluster_informers(&self, client: &Client, tasks: &Tasks, caches: &Caches) {
        let loops = self.clone();
        Informer::spawn_into(tasks, client.api(), resynced(), caches.nodes.clone(), move |delta| {
            loops.garbage.on_change(&delta);
            loops.node.on_node(&delta);
            loops.pod_gc.on_node(&delta);
        });
        let loops = self.clone();
        let scope = WatchScope { namespace: NODE_LEASES.to_owned(), ..once() };
        Informer::spawn_into(tasks, client.api(), scope, caches.leases.clone(), move |delta| {
            loops.garbage.on_change(&delta);
            loops.node.on_lease(&delta);
        });
        let loops = self.clone();
        Informer::spawn_into(tasks, client.api(), resynced(), caches.namespaces.clone(), move |delta| {
            loops.garbage.on_change(&delta);
            loops.namespace.on_namespace(&delta);
        });
    }
}

/// Everything, told when it changes.
fn once() -> WatchScope {
    WatchScope::default()
}

/// Everything, told when it changes and now and then: of the kinds whose keys the loops have.
fn resynced() -> WatchScope {
    WatchScope { resync: Some(RESYNC), ..WatchScope::default() }
}

fn index(pod: &Pod) -> Vec<String> {
    let metadata = &pod.metadata;
    let controller = owner::controller_of(metadata)
        .map_or_else(|| without_controller(&metadata.namespace), |owner| of_controller(&owner.uid));
    let node = (!pod.spec.node_name.is_empty()).then(|| on_node(&pod.spec.node_name));
    std::iter::once(controller).chain(node).collect()
}

fn of_controller(uid: &str) -> String {
    format!("controller/{uid}")
}

fn without_controller(namespace: &str) -> String {
    format!("alone/{namespace}")
}

fn on_node(name: &str) -> String {
    format!("node/{name}")
}
