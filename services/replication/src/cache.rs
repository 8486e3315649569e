//! What the loops know of the cluster: one cache and one informer per kind, for all of them.

use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::{Cache, MetadataOf, WatchScope};
use keelson_base_model::key::ObjectKey;
use keelson_base_model::{namespace, owner};
use keelson_proto::coordination::Lease;
use keelson_proto::core::{
    ConfigMap, Endpoints, Namespace, Node, Pod, ReplicationController, ResourceQuota, Secret, Service,
    ServiceAccount,
};
use keelson_proto::discovery::EndpointSlice;

use crate::endpoints::slice_index;
use crate::owned::Owned;

/// Where kubelets keep the leases by which they show that they live.
pub(crate) const NODE_LEASES: &str = "kube-node-lease";

/// The config map of each namespace that holds the cluster's authority.
pub(crate) const ROOT_CA: &str = "kube-root-ca.crt";

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
    /// Those that the endpoints loop writes are found by their service.
    pub(crate) slices: Cache<EndpointSlice>,
    pub(crate) nodes: Cache<Node>,
    /// Those of [`NODE_LEASES`] alone.
    pub(crate) leases: Cache<Lease>,
    pub(crate) namespaces: Cache<Namespace>,
    pub(crate) quotas: Cache<ResourceQuota>,
    pub(crate) accounts: Cache<MetadataOf<ServiceAccount>>,
    /// Those that are tokens of accounts.
    pub(crate) tokens: Cache<Secret>,
    /// Those called [`ROOT_CA`].
    pub(crate) root_cas: Cache<ConfigMap>,
    pub(crate) owned: Owned,
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
            slices: Cache::with_index(slice_index),
            nodes: Cache::new(),
            leases: Cache::new(),
            namespaces: Cache::new(),
            quotas: Cache::new(),
            accounts: Cache::new(),
            tokens: Cache::new(),
            root_cas: Cache::new(),
            owned: Owned::new(),
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

    /// How many objects there are in all of them.
    pub(crate) fn len(&self) -> usize {
        self.pods.len()
            + self.rcs.len()
            + self.services.len()
            + self.endpoints.len()
            + self.slices.len()
            + self.nodes.len()
            + self.leases.len()
            + self.namespaces.len()
            + self.quotas.len()
            + self.accounts.len()
            + self.tokens.len()
            + self.root_cas.len()
            + self.owned.len()
    }

    /// Ends when all caches hold what was written before this call.
    pub(crate) fn refresh(&self) -> impl Future<Output = ()> + Send + use<> {
        // Each begins when it is called; the order in which they are awaited does not matter.
        let (pods, rcs, services) = (self.pods.refresh(), self.rcs.refresh(), self.services.refresh());
        let (endpoints, nodes) = (self.endpoints.refresh(), self.nodes.refresh());
        let (leases, namespaces) = (self.leases.refresh(), self.namespaces.refresh());
        let (slices, owned) = (self.slices.refresh(), self.owned.refresh());
        let (quotas, accounts) = (self.quotas.refresh(), self.accounts.refresh());
        let (tokens, root_cas) = (self.tokens.refresh(), self.root_cas.refresh());
        async move {
            pods.await;
            rcs.await;
            services.await;
            endpoints.await;
            slices.await;
            nodes.await;
            leases.await;
            namespaces.await;
            quotas.await;
            accounts.await;
            tokens.await;
            root_cas.await;
            owned.await;
        }
    }

    /// Whether all caches hold what there was when they began.
    pub(crate) fn is_synced(&self) -> bool {
        self.pods.is_synced()
            && self.rcs.is_synced()
            && self.services.is_synced()
            && self.endpoints.is_synced()
            && self.slices.is_synced()
            && self.nodes.is_synced()
            && self.leases.is_synced()
            && self.namespaces.is_synced()
            && self.quotas.is_synced()
            && self.accounts.is_synced()
            && self.tokens.is_synced()
            && self.root_cas.is_synced()
            && self.owned.is_synced()
    }

    /// Ends when all caches hold what there was when they began.
    pub(crate) fn synced(&self) -> impl Future<Output = ()> + Send + use<> {
        let caches = self.clone();
        async move {
            caches.pods.synced().await;
            caches.rcs.synced().await;
            caches.services.synced().await;
            caches.endpoints.synced().await;
            caches.slices.synced().await;
            caches.nodes.synced().await;
            caches.leases.synced().await;
            caches.namespaces.synced().await;
            caches.quotas.synced().await;
            caches.accounts.synced().await;
            caches.tokens.synced().await;
            caches.root_cas.synced().await;
            caches.owned.synced().await;
        }
    }
}

/// Everything, told when it changes.
pub(crate) fn once() -> WatchScope {
    WatchScope::default()
}

/// Everything, told when it changes and now and then: of the kinds whose keys the loops have.
pub(crate) fn resynced() -> WatchScope {
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
