//! What may refuse a write besides the kind's own rules: the life of namespaces, and that a kubelet keeps to
//! its own node and pods.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use keelson_api_store::{Compare, Expect, KeyValue, Store};
use keelson_base_model::status::ApiError;
use keelson_proto::core::{Namespace, Node, Pod};
use keelson_proto::meta::ObjectMeta;
use keelson_proto::Object;

use crate::auth::Caller;
use crate::cache::{Cache, Entry};
use crate::errors::from_store;
use crate::registry::{NamespaceStrategy, Part, Stored, Strategy};

/// Namespaces that the system cannot be without.
pub(crate) const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

/// Where kubelets keep their heartbeats.
pub(crate) const NODE_LEASES: &str = "kube-node-lease";

/// The label domain by which pods can be kept off nodes, which therefore no node may label itself with.
const RESTRICTED: &str = "node-restriction.kubernetes.io";

/// Namespaces noted as changed, at the most; beyond that the store is asked again.
const MOST_CHANGED: usize = 4096;

/// What may refuse a write.
pub(crate) struct Admission {
    store: Arc<dyn Store>,
    namespaces: Arc<Cache>,
    /// Namespaces that have changed at these revisions, or are gone, which the cache may not know yet.
    changed: Mutex<HashMap<String, u64>>,
}

// === impl Admission ===

impl Admission {
    /// Admission that looks namespaces up in their cache, and in the store before it refuses.
    pub(crate) fn new(store: Arc<dyn Store>, namespaces: Arc<Cache>) -> Arc<Self> {
        Arc::new(Self { store, namespaces, changed: Mutex::default() })
    }

    /// Whether an object may be created. Answers with what the commit must hold its namespace to, so that
    /// nothing is ever created in a namespace that is gone or going.
    ///
    /// # Errors
    /// NotFound if its namespace is missing, Forbidden if that is terminating or the caller may not.
    pub(crate) async fn create<K: Object>(&self, caller: &Caller, object: &K) -> Result<Option<Compare>, ApiError> {
        if let Some(node) = caller.node() {
            own_node(node, object)?;
        }
        if K::KIND.namespaced { self.namespace_is_open::<K>(object).await.map(Some) } else { Ok(None) }
    }

    /// A commit found a namespace changed: until the cache has heard of that, it is not to be believed.
    pub(crate) fn lost(&self, key: &str, current: Option<&KeyValue>) {
        let Some(name) = key.strip_prefix(NamespaceStrategy::PREFIX) else { return };
        let revision = current.map_or(u64::MAX, |stored| stored.mod_revision);
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if changed.len() >= MOST_CHANGED {
            changed.clear();
        }
        changed.insert(name.to_owned(), revision);
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

    async fn namespace_is_open<K: Object>(&self, object: &K) -> Result<Compare, ApiError> {
        let meta = object.metadata();
        let key = format!("{}{}", NamespaceStrategy::PREFIX, meta.namespace);
        let (phase, revision) = match self.cached(&meta.namespace) {
            Some(entry) => (entry.field("status.phase").to_owned(), entry.revision),
            // A client may create a namespace and its content in one breath, faster than the cache hears of it.
            None => match self.store.get(&key).await.map_err(from_store)? {
                Some(stored) => (Stored::<Namespace>::from_store(&stored)?.object.status.phase, stored.mod_revision),
                None => return Err(ApiError::not_found(Namespace::KIND, &meta.namespace)),
            },
        };
        if phase == "Terminating" {
            let why = format!("unable to create new content in namespace {} because it is being terminated", meta.namespace);
            return Err(ApiError::forbidden(K::KIND, &meta.name, why));
        }
        Ok(Compare { key, expect: Expect::ModRevision(revision) })
    }

    /// The namespace as the cache has it, unless it is known to be behind.
    fn cached(&self, name: &str) -> Option<Arc<Entry>> {
        let entry = self.namespaces.get(name);
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(revision) = changed.get(name) else { return entry };
        match entry {
            Some(entry) if entry.revision >= *revision => {
                changed.remove(name);
                Some(entry)
            }
            _ => None,
        }
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
