//! What may refuse a write besides the kind's own rules: the life of namespaces, and that a kubelet keeps to
//! its own node and pods.

use std::any::Any;
use std::sync::Arc;

use keelson_api_store::{Compare, Expect, Store};
use keelson_base_model::namespace::TERMINATING;
use keelson_base_model::pod;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;
use keelson_proto::core::{Namespace, Node, Pod, Taint};
use keelson_proto::meta::ObjectMeta;

use crate::auth::Caller;
use crate::cache::Cache;
use crate::errors::{from_store, with_cause};
use crate::registry::{NamespaceStrategy, Stored, Strategy};

/// Namespaces that the system cannot be without.
pub(crate) const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

/// Where kubelets keep their heartbeats.
pub(crate) const NODE_LEASES: &str = "kube-node-lease";

/// The label domain by which pods can be kept off nodes, which therefore no node may label itself with.
const RESTRICTED: &str = "node-restriction.kubernetes.io";

/// What marks a pod that shows a node's static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

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

    /// Whether an object may be created. Answers with what the commit must hold its namespace to, so that
    /// nothing is ever created in a namespace that is gone or going.
    ///
    /// # Errors
    /// NotFound if its namespace is missing, Forbidden if that is terminating or the caller may not.
    pub(crate) async fn create<K: Object>(
        &self,
        caller: &Caller,
        object: &K,
    ) -> Result<Option<Compare>, ApiError> {
        if let Some(node) = caller.node() {
            own_node(node, object)?;
            new_of_node(node, object)?;
        }
        if K::KIND.namespaced { self.namespace_is_open::<K>(object).await.map(Some) } else { Ok(None) }
    }

    /// Whether an object may be changed so.
    ///
    /// # Errors
    /// Forbidden.
    pub(crate) fn update<K: Object>(&self, caller: &Caller, new: &K, old: &K) -> Result<(), ApiError> {
        let Some(node) = caller.node() else { return Ok(()) };
        own_node(node, old)?;
        own_node(node, new)?;
        // Which pods a node gets is not the node's to say; nor, by their labels, which services its pods answer for.
        let (after, before) = (new.metadata(), old.metadata());
        let why = if restricted(after) != restricted(before) {
            format!("node {node:?} is not allowed to modify labels of {RESTRICTED}")
        } else if taints(new) != taints(old) {
            format!("node {node:?} is not allowed to modify taints")
        } else if K::KIND == Pod::KIND && after.labels != before.labels {
            format!("node {node:?} cannot update labels through pod status")
        } else {
            return Ok(());
        };
        Err(ApiError::forbidden(K::KIND, &before.name, why))
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
        let cached = self.namespaces.get(&meta.namespace);
        let (phase, revision) = match cached.filter(|entry| entry.field("status.phase") != TERMINATING) {
            Some(entry) => (String::new(), entry.revision),
            // A client may create a namespace and its content in one breath, faster than the cache hears of it.
            None => match self.store.get(&key).await.map_err(from_store)? {
                Some(stored) => {
                    (Stored::<Namespace>::from_store(&stored)?.object.status.phase, stored.mod_revision)
                }
                None => return Err(ApiError::not_found(Namespace::KIND, &meta.namespace)),
            },
        };
        if phase == TERMINATING {
            let why = format!(
                "unable to create new content in namespace {} because it is being terminated",
                meta.namespace
            );
            let cause = format!("namespace {} is being terminated", meta.namespace);
            let error = ApiError::forbidden(K::KIND, &meta.name, why);
            return Err(with_cause(error, "NamespaceTerminating", &cause, "metadata.namespace"));
        }
        Ok(Compare { key, expect: Expect::ModRevision(revision) })
    }
}

fn restricted(meta: &ObjectMeta) -> Vec<(&String, &String)> {
    meta.labels
        .iter()
        .filter(|(key, _)| key.split('/').next().is_some_and(|domain| domain.ends_with(RESTRICTED)))
        .collect()
}

fn taints<K: Object>(object: &K) -> &[Taint] {
    let object: &dyn Any = object;
    object.downcast_ref::<Node>().map_or(&[], |node| node.spec.taints.as_slice())
}

/// What a node may make: itself, without labels that are not its to give, and mirrors of its static pods.
fn new_of_node<K: Object>(node: &str, object: &K) -> Result<(), ApiError> {
    let meta = object.metadata();
    let pod = (object as &dyn Any).downcast_ref::<Pod>();
    let why = if pod.is_some() && !meta.annotations.contains_key(MIRROR) {
        format!("pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods")
    } else if let Some(what) = pod.and_then(referred) {
        format!("node {node:?} can not create pods that reference {what}")
    } else if K::KIND == Node::KIND && !restricted(meta).is_empty() {
        format!("node {node:?} is not allowed to set labels of {RESTRICTED}")
    } else {
        return Ok(());
    };
    Err(ApiError::forbidden(K::KIND, &meta.name, why))
}

/// What a mirror pod must not refer to: its kubelet could read it then, and it is not the kubelet's to say what that is.
fn referred(pod: &Pod) -> Option<&'static str> {
    let found = pod::references(pod);
    [
        (pod.spec.service_account_name.is_empty(), "a service account"),
        (found.secrets.is_empty(), "secrets"),
        (found.config_maps.is_empty(), "configmaps"),
        (found.claims.is_empty(), "persistentvolumeclaims"),
    ]
    .into_iter()
    .find_map(|(none, what)| (!none).then_some(what))
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
