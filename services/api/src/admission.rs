//! What may refuse a write besides the kind's own rules: the life of namespaces, and that a kubelet keeps to
//! its own node and pods.

use std::any::Any;
use std::sync::Arc;

use keelson_api_store::Store;
use keelson_base_model::status::ApiError;
use keelson_proto::core::{Namespace, Node, Pod};
use keelson_proto::meta::ObjectMeta;
use keelson_proto::{Message, Object, envelope};

use crate::auth::Caller;
use crate::cache::Cache;
use crate::errors::from_store;
use crate::registry::{NamespaceStrategy, Part, Strategy};

/// Namespaces that the system cannot be without.
pub const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

/// Where kubelets keep their heartbeats.
pub const NODE_LEASES: &str = "kube-node-lease";

/// The label domain by which pods can be kept off nodes, which therefore no node may label itself with.
const RESTRICTED: &str = "node-restriction.kubernetes.io";

/// What may refuse a write.
pub(crate) struct Admission {
    store: Arc<dyn Store>,
    namespaces: Arc<Cache>,
}

// === impl Admission ===

impl Admission {
    /// Admission that looks namespaces up in their cache, and in the store before it refuses.
    pub(crate) fn new(store: Arc<dyn Store>, namespaces: Arc<Cache>) -> Arc<Self> {
        Arc::new(Self { store, namespaces })
    }

    /// Whether an object may be created.
    ///
    /// # Errors
    /// NotFound if its namespace is missing, Forbidden if that is terminating or the caller may not.
    pub(crate) async fn create<K: Object>(&self, caller: &Caller, object: &K) -> Result<(), ApiError> {
        if let Some(node) = caller.node() {
            own_node(node, object)?;
        }
        if K::KIND.namespaced { self.namespace_is_open::<K>(object).await } else { Ok(()) }
    }

    /// Whether an object may be changed so.
    ///
    /// # Errors
    /// Forbidden.
    pub(crate) fn update<K: Object>(&self, caller: &Caller, new: &K, old: &K, part: Part) -> Result<(), ApiError> {
        let Some(node) = caller.node() else { return Ok(()) };
        own_node(node, old)?;
        own_node(node, new)?;
        match part {
            // Which pods a node gets is not the node's to say.
            Part::Whole if restricted(new.metadata()) != restricted(old.metadata()) => Err(ApiError::forbidden(
                K::KIND,
                &old.metadata().name,
                format!("a node may not change labels of {RESTRICTED}"),
            )),
            _ => Ok(()),
        }
    }

    /// Whether an object may be deleted.
    ///
    /// # Errors
    /// Forbidden.
    pub(crate) fn delete<K: Object>(&self, caller: &Caller, object: &K) -> Result<(), ApiError> {
        let name = object.metadata().name.as_str();
        if K::KIND == Namespace::KIND && IMMORTAL.contains(&name) {
            return Err(ApiError::forbidden(K::KIND, name, "this namespace may not be deleted"));
        }
        match caller.node() {
            Some(node) => own_node(node, object),
            None => Ok(()),
        }
    }

    async fn namespace_is_open<K: Object>(&self, object: &K) -> Result<(), ApiError> {
        let meta = object.metadata();
        let namespace = match self.namespaces.get(&meta.namespace) {
            Some(entry) if entry.field("status.phase") != "Terminating" => return Ok(()),
            Some(entry) => Some(entry.object.clone()),
            // The cache may be behind: a client may create a namespace and its content in one breath.
            None => {
                let key = format!("{}{}", NamespaceStrategy::PREFIX, meta.namespace);
                let stored = self.store.get(&key).await.map_err(from_store)?;
                stored.and_then(|stored| envelope::unwrap(&stored.value).ok()).map(|envelope| envelope.raw)
            }
        };
        let Some(namespace) = namespace else {
            return Err(ApiError::not_found(Namespace::KIND, &meta.namespace));
        };
        let terminating = Namespace::decode(namespace).is_ok_and(|namespace| namespace.status.phase == "Terminating");
        if !terminating {
            return Ok(());
        }
        let why = format!("unable to create new content in namespace {} because it is being terminated", meta.namespace);
        Err(ApiError::forbidden(K::KIND, &meta.name, why))
    }
}

fn restricted(meta: &ObjectMeta) -> Vec<(&String, &String)> {
    meta.labels.iter().filter(|(key, _)| key.split('/').next().is_some_and(|domain| domain.ends_with(RESTRICTED))).collect()
}

/// That an object belongs to a node, as far as nodes write it.
fn own_node<K: Object>(node: &str, object: &K) -> Result<(), ApiError> {
    let meta = object.metadata();
    let object: &dyn Any = object;
    let own = if let Some(pod) = object.downcast_ref::<Pod>() {
        pod.spec.node_name == node
    } else if object.is::<Node>() {
        meta.name == node
    } else {
        match K::KIND.kind {
            "Lease" => meta.namespace == NODE_LEASES && meta.name == node,
            "Event" => true,
            _ => false,
        }
    };
    if own {
        return Ok(());
    }
    Err(ApiError::forbidden(K::KIND, &meta.name, format!("node \"{node}\" may only write what is its own")))
}
