//! The namespace loop: a terminating namespace is emptied of every kind that is registered, and then released.
//!
//! What goes at once goes with one call per kind. Pods take their grace: the last one's end wakes the loop again.

use futures::future::try_join_all;
use keelson_base_client::{Api, ApiError, Client, Delta, RawApi, WorkQueue};
use keelson_base_model::key::ObjectKey;
use keelson_base_model::namespace::{self, FINALIZER};
use keelson_proto::core::{Namespace, Pod};
use keelson_proto::meta::DeleteOptions;
use keelson_proto::v1::{DeleteCollectionRequest, ListRequest};
use keelson_proto::{Kind, REGISTERED};

use crate::cache::Caches;
use crate::control::{Next, Reconcile};

/// The delays of a namespace that is not empty yet, should no event tell.
const FIRST_LOOK: std::time::Duration = std::time::Duration::from_millis(100);
const LAST_LOOK: std::time::Duration = std::time::Duration::from_secs(30);

/// The namespace loop.
pub(crate) struct NamespaceLoop {
    queue: WorkQueue<String>,
    caches: Caches,
    namespaces: Api<Namespace>,
    /// Of every kind that lives in namespaces.
    contents: Vec<RawApi>,
}

// === impl NamespaceLoop ===

impl NamespaceLoop {
    /// The loop.
    pub(crate) fn new(client: &Client, caches: Caches) -> Self {
        let contents = REGISTERED.iter().filter(|kind| is_content(kind));
        Self {
            queue: WorkQueue::with_retry(FIRST_LOOK, LAST_LOOK),
            caches,
            namespaces: client.api(),
            contents: contents.map(|kind| client.raw(kind.service)).collect(),
        }
    }

    /// A namespace has changed.
    pub(crate) fn on_namespace(&self, delta: &Delta<Namespace>) {
        if let Delta::Applied { new, trace, .. } = delta
            && is_held(new)
        {
            self.queue.add_caused(new.metadata.name.clone(), *trace);
        }
    }

    /// A pod has changed. The last one of a terminating namespace may be what it waited for.
    pub(crate) fn on_pod(&self, delta: &Delta<Pod>) {
        if let Delta::Deleted { old, trace } = delta {
            let name = &old.metadata.namespace;
            if self.caches.is_terminating(name) && self.caches.pods.namespace(name).is_empty() {
                self.queue.add_caused(name.clone(), *trace);
            }
        }
    }

    /// Deletes all of one kind in a namespace; answers whether nothing is left.
    async fn empty(&self, api: &RawApi, namespace: &str) -> Result<bool, ApiError> {
        let list = ListRequest { namespace: namespace.to_owned(), ..ListRequest::default() };
        let one = ListRequest { limit: 1, ..list.clone() };
        if api.list(one.clone()).await?.items.is_empty() {
            return Ok(true);
        }
        let all = DeleteCollectionRequest {
            list: Some(list),
            options: Some(DeleteOptions {
                propagation_policy: Some("Background".to_owned()),
                ..DeleteOptions::default()
            }),
        };
        api.delete_collection(all).await?;
        Ok(api.list(one).await?.items.is_empty())
    }

    /// Takes our finalizer off a namespace as it was seen; the last one gone, the namespace goes.
    async fn release(&self, seen: &Namespace) -> Result<(), ApiError> {
        let mut released = seen.clone();
        released.spec.finalizers.retain(|finalizer| finalizer != FINALIZER);
        match self.namespaces.finalize(&released).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

impl Reconcile for NamespaceLoop {
    const NAME: &'static str = "namespace";
    type Key = String;

    fn queue(&self) -> &WorkQueue<String> {
        &self.queue
    }

    async fn reconcile(&self, name: &String) -> Result<Next, ApiError> {
        let Some(seen) = self.caches.namespaces.get(&ObjectKey::cluster(name.as_str())) else {
            return Ok(Next::Event);
        };
        if !is_held(&seen) {
            return Ok(Next::Event);
        }
        let emptied = try_join_all(self.contents.iter().map(|api| self.empty(api, name))).await?;
        if emptied.contains(&false) {
            return Ok(Next::Soon);
        }
        self.release(&seen).await?;
        Ok(Next::Event)
    }
}

/// Whether a namespace is going, and waits for us to empty it.
fn is_held(namespace: &Namespace) -> bool {
    namespace::is_terminating(namespace) && namespace.spec.finalizers.iter().any(|name| name == FINALIZER)
}

fn is_content(kind: &Kind) -> bool {
    kind.namespaced && !kind.service.is_empty()
}

#[cfg(test)]
mod tests {
    use keelson_proto::meta::Time;

    use super::*;

    #[test]
    fn only_terminating_namespaces_with_our_finalizer_are_emptied() {
        let table = [
            (namespace::ACTIVE, false, true, false),
            (namespace::TERMINATING, true, true, true),
            (namespace::ACTIVE, true, true, true),
            (namespace::TERMINATING, true, false, false),
        ];
        for (phase, deleting, ours, expected) in table {
            let mut namespace = Namespace::default();
            namespace.status.phase = phase.to_owned();
            namespace.metadata.deletion_timestamp = deleting.then(Time::now);
            namespace.spec.finalizers.push("example.com/mine".to_owned());
            namespace.spec.finalizers.extend(ours.then(|| FINALIZER.to_owned()));
            assert_eq!(is_held(&namespace), expected, "{phase} {deleting} {ours}");
        }
    }

    #[test]
    fn all_that_lives_in_namespaces_is_content() {
        let names: Vec<_> =
            REGISTERED.iter().filter(|kind| is_content(kind)).map(|kind| kind.plural).collect();
        for plural in
            ["pods", "services", "endpoints", "endpointslices", "secrets", "persistentvolumeclaims", "leases"]
        {
            assert!(names.contains(&plural), "{plural} is not among {names:?}");
        }
        assert!(["nodes", "namespaces", "persistentvolumes"].iter().all(|plural| !names.contains(plural)));
    }
}
