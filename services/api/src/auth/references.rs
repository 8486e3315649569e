//! What the pods of each node refer to: the secrets, config maps and claims that its kubelet may read, and no
//! others.
//!
//! The pods' cache tells of each change; so what a kubelet may read follows from the pods that are bound to it now.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use keelson_api_store::Store;
use keelson_base_model::fields::FieldSelector;
use keelson_base_model::pod;
use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::core::Pod;

use crate::auth::rules::denied;
use crate::auth::{Caller, MASTERS, Request};
use crate::cache::{Entry, Listener, Progress};
use crate::errors::from_store;

/// The kinds of which a kubelet reads only what its pods refer to.
const GUARDED: &[&str] = &[SECRETS, CONFIG_MAPS, CLAIMS];
const SECRETS: &str = "secrets";
const CONFIG_MAPS: &str = "configmaps";
const CLAIMS: &str = "persistentvolumeclaims";

/// The field by which one object is listed or watched.
const NAME: &str = "metadata.name";
const NODE_NAME: &str = "spec.nodeName";

/// What the pods of each node refer to.
pub(crate) struct NodeReferences {
    store: Arc<dyn Store>,
    progress: Progress,
    known: RwLock<Known>,
}

/// Resource and path of something that is referred to.
type Subject = (&'static str, String);

#[derive(Default)]
struct Known {
    /// By path: of the pods that have a node and refer to something.
    pods: HashMap<Arc<str>, OfPod>,
    /// How many pods of a node refer to each subject.
    nodes: HashMap<Arc<str>, HashMap<Subject, usize>>,
}

struct OfPod {
    uid: Box<str>,
    node: Arc<str>,
    subjects: Vec<Subject>,
}

// === impl NodeReferences ===

impl NodeReferences {
    /// Knows nothing yet.
    pub(crate) fn new(store: Arc<dyn Store>, progress: Progress) -> Arc<Self> {
        Arc::new(Self { store, progress, known: RwLock::default() })
    }

    /// Whether a caller who may read things of this kind may read this one. Kubelets list and watch by one name only,
    /// which `fields` selects.
    ///
    /// # Errors
    /// Forbidden, whether there is such an object or not.
    pub(crate) async fn authorize(
        &self,
        caller: &Caller,
        request: Request<'_>,
        fields: &str,
    ) -> Result<(), ApiError> {
        let Some(node) = caller.node().filter(|_| !caller.is_in(MASTERS)) else { return Ok(()) };
        let Some(resource) = GUARDED.iter().find(|guarded| **guarded == request.resource) else {
            return Ok(());
        };
        let selected = FieldSelector::parse(fields).ok();
        let selected = selected.as_ref().and_then(|fields| fields.exact(NAME)).unwrap_or_default();
        let name = if request.name.is_empty() { selected } else { request.name };
        if request.namespace.is_empty() || name.is_empty() {
            let why = "can only read one object of this type, by namespace and name";
            return Err(denied(caller, request, why));
        }
        let subject = (*resource, format!("{}/{name}", request.namespace));
        if self.refers(node, &subject) {
            return Ok(());
        }
        // The pod may have been bound a moment ago, by another api.
        let head = self.store.head().await.map_err(from_store)?;
        self.progress.reach(head).await?;
        if self.refers(node, &subject) {
            return Ok(());
        }
        let why = format!("no relationship found between node '{node}' and this object");
        Err(denied(caller, request, &why))
    }

    fn refers(&self, node: &str, subject: &Subject) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.nodes.get(node).is_some_and(|subjects| subjects.contains_key(subject))
    }
}

impl Listener for NodeReferences {
    fn reset(&self) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }

    fn changed(&self, path: &str, new: Option<&Entry>) {
        let placed = new.filter(|entry| !entry.field(NODE_NAME).is_empty());
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Neither a pod's node nor what it refers to ever changes.
        let same = |entry: &Entry| known.pods.get(path).is_some_and(|of| of.uid == entry.uid);
        if placed.is_some_and(same) {
            return;
        }
        known.forget(path);
        if let Some(entry) = placed {
            known.learn(entry);
        }
    }
}

// === impl Known ===

impl Known {
    fn learn(&mut self, entry: &Entry) {
        let subjects = match Pod::decode(entry.object.clone()) {
            Ok(pod) => subjects(entry.namespace(), pod::references(&pod)),
            Err(error) => {
                tracing::error!(path = %entry.path, %error, "a cached pod cannot be read");
                return;
            }
        };
        if subjects.is_empty() {
            return;
        }
        let node: Arc<str> = entry.field(NODE_NAME).into();
        let of_node = self.nodes.entry(node.clone()).or_default();
        for subject in &subjects {
            *of_node.entry(subject.clone()).or_default() += 1;
        }
        self.pods.insert(entry.path.clone(), OfPod { uid: entry.uid.clone(), node, subjects });
    }

    fn forget(&mut self, path: &str) {
        let Some(OfPod { node, subjects, .. }) = self.pods.remove(path) else { return };
        let Some(of_node) = self.nodes.get_mut(&node) else { return };
        for subject in subjects {
            if let Some(count) = of_node.get_mut(&subject) {
                *count -= 1;
                if *count == 0 {
                    of_node.remove(&subject);
                }
            }
        }
        if of_node.is_empty() {
            self.nodes.remove(&node);
        }
    }
}

fn subjects(namespace: &str, of: pod::References) -> Vec<Subject> {
    let path = |name: &String| format!("{namespace}/{name}");
    let secrets = of.secrets.iter().map(|name| (SECRETS, path(name)));
    let config_maps = of.config_maps.iter().map(|name| (CONFIG_MAPS, path(name)));
    let claims = of.claims.iter().map(|name| (CLAIMS, path(name)));
    secrets.chain(config_maps).chain(claims).collect()
}
