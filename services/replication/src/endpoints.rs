//! The endpoints loop: for each service with a selector, the addresses of its pods under the service's name.
//!
//! A pod that changes wakes the services that select it or did, and only if what endpoints tell of it has changed.

mod entry;

use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::{Api, ApiError, Client, Delta, WorkQueue};
use keelson_base_daemon::trace::TraceContext;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::{meta, service};
use keelson_proto::core::{Endpoints, Pod, Service};
use keelson_proto::meta::DeleteOptions;

use crate::cache::Caches;
use crate::control::{Next, Reconcile, queue, settle, wake};

/// The label by which endpoints say that their service has no address of its own.
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// The endpoints loop.
pub(crate) struct EndpointsLoop {
    queue: WorkQueue<ObjectKey>,
    caches: Caches,
    endpoints: Api<Endpoints>,
    services: Api<Service>,
}

// === impl EndpointsLoop ===

impl EndpointsLoop {
    /// The loop.
    pub(crate) fn new(client: &Client, caches: Caches) -> Self {
        Self { queue: queue(), caches, endpoints: client.api(), services: client.api() }
    }

    /// A service has changed.
    pub(crate) fn on_service(&self, delta: &Delta<Service>) {
        match delta {
            Delta::Applied { new, trace, .. } => self.queue.add_caused(ObjectKey::of(&new.metadata), *trace),
            Delta::Deleted { old, trace } => self.queue.add_caused(ObjectKey::of(&old.metadata), *trace),
            Delta::Synced => {}
        }
    }

    /// Endpoints have changed. Those that exist when the loop begins are looked at even without a service: it may have
    /// been deleted while nobody watched. Later ones without a service are somebody else's.
    pub(crate) fn on_endpoints(&self, delta: &Delta<Endpoints>) {
        let changed = match delta {
            Delta::Applied { new, .. } => new,
            Delta::Deleted { old, .. } => old,
            Delta::Synced => return,
        };
        let key = ObjectKey::of(&changed.metadata);
        if !self.caches.endpoints.is_synced() || self.caches.services.get(&key).is_some() {
            let addresses = entry::addresses(&changed.subsets);
            wake(&self.queue, key, None, settle(addresses));
        }
    }

    /// A pod has changed.
    pub(crate) fn on_pod(&self, delta: &Delta<Pod>) {
        match delta {
            Delta::Applied { old, new, trace } => {
                let old = old.as_deref();
                if old.is_none_or(|old| entry::differs(old, new)) {
                    self.wake_selecting(new, old, *trace);
                }
            }
            Delta::Deleted { old, trace } => self.wake_selecting(old, None, *trace),
            Delta::Synced => {}
        }
    }

    /// Wakes the services that select a pod as it is, or as it was.
    fn wake_selecting(&self, pod: &Pod, was: Option<&Pod>, trace: Option<TraceContext>) {
        for service in self.caches.services.namespace(&pod.metadata.namespace) {
            if service::selects(&service, pod) || was.is_some_and(|was| service::selects(&service, was)) {
                let key = ObjectKey::of(&service.metadata);
                let delay = self.settle_for(&key);
                wake(&self.queue, key, trace, delay);
            }
        }
    }

    fn settle_for(&self, key: &ObjectKey) -> Duration {
        let endpoints = self.caches.endpoints.get(key);
        endpoints.map_or(Duration::ZERO, |endpoints| settle(entry::addresses(&endpoints.subsets)))
    }

    async fn sync(&self, service: &Service) -> Result<(), ApiError> {
        let key = ObjectKey::of(&service.metadata);
        let pods = self.caches.pods.namespace(&key.namespace);
        let pods = pods.iter().filter(|pod| service::selects(service, pod));
        let existing = self.caches.endpoints.get(&key);
        let Some(wanted) = wanted(service, pods, existing.as_deref()) else {
            return Ok(());
        };
        let written = match existing {
            Some(_) => self.endpoints.update(&wanted).await,
            None => self.endpoints.create(&wanted).await,
        };
        match written {
            // Nothing can be created there any more, and soon all of it is gone.
            Err(error) if error.is_forbidden() && self.caches.is_terminating(&key.namespace) => Ok(()),
            written => written.map(drop),
        }
    }

    /// Deletes the endpoints of a service that is gone, which is asked of api: if the cache were behind, somebody's own
    /// endpoints of a new service would go.
    async fn remove(&self, key: &ObjectKey) -> Result<Next, ApiError> {
        match self.services.namespaced(&key.namespace).get(&key.name).await {
            Ok(_) => return Ok(Next::Soon),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        let endpoints = self.endpoints.namespaced(&key.namespace);
        match endpoints.delete(&key.name, DeleteOptions::default()).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(Next::Event),
        }
    }
}

impl Reconcile for EndpointsLoop {
    const NAME: &'static str = "endpoints";
    type Key = ObjectKey;

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Next, ApiError> {
        match self.caches.services.get(key) {
            Some(service) if service::has_selector(&service) => match self.sync(&service).await {
                // They are there already: the cache will tell.
                Err(error) if error.is_already_exists() => Ok(Next::Soon),
                synced => synced.map(|()| Next::Event),
            },
            Some(_) => Ok(Next::Event),
            None => self.remove(key).await,
        }
    }
}

/// The endpoints that the service should have, if it has others.
fn wanted<'a>(
    service: &Service,
    pods: impl IntoIterator<Item = &'a Arc<Pod>>,
    existing: Option<&Endpoints>,
) -> Option<Endpoints> {
    if existing.is_some_and(|existing| meta::is_deleting(&existing.metadata)) {
        return None;
    }
    let mut wanted = existing.cloned().unwrap_or_default();
    wanted.metadata.namespace.clone_from(&service.metadata.namespace);
    wanted.metadata.name.clone_from(&service.metadata.name);
    wanted.metadata.labels.clone_from(&service.metadata.labels);
    if service::is_headless(service) {
        wanted.metadata.labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    } else {
        wanted.metadata.labels.remove(HEADLESS_LABEL);
    }
    wanted.subsets = entry::subsets(service, pods);
    (existing != Some(&wanted)).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{mk_service, ready_since, with_address};

    fn mk_pods() -> Vec<Arc<Pod>> {
        let ready =
            |name, ip| with_address(ready_since(crate::testing::mk_pod(name, "web", "Running"), 1), ip);
        vec![Arc::new(ready("a", "10.0.0.1")), Arc::new(ready("b", "10.0.0.2"))]
    }

    #[test]
    fn endpoints_are_written_only_if_they_change() {
        let mut service = mk_service("web", &[("http", 80, 8080.into())]);
        service.metadata.labels.insert("team".to_owned(), "a".to_owned());
        let first = wanted(&service, &mk_pods(), None).unwrap();
        assert_eq!((first.metadata.name.as_str(), first.metadata.labels["team"].as_str()), ("web", "a"));
        assert_eq!(first.subsets[0].addresses.len(), 2);

        let mut stored = first;
        stored.metadata.resource_version = "7".to_owned();
        assert_eq!(wanted(&service, &mk_pods(), Some(&stored)), None);
        let mut turned = mk_pods();
        turned.reverse();
        assert_eq!(wanted(&service, &turned, Some(&stored)), None, "the order of pods does not matter");

        let fewer = wanted(&service, &mk_pods()[..1], Some(&stored)).unwrap();
        assert_eq!(fewer.metadata.resource_version, "7", "an update names the version it is based on");
        assert_eq!(fewer.subsets[0].addresses.len(), 1);
        service.metadata.labels.clear();
        assert!(wanted(&service, &mk_pods(), Some(&stored)).is_some(), "labels follow the service's");
    }

    #[test]
    fn a_service_without_pods_has_empty_endpoints() {
        let service = mk_service("web", &[("http", 80, 8080.into())]);
        let empty = wanted(&service, &[], None).unwrap();
        assert!(empty.subsets.is_empty());
        assert_eq!(wanted(&service, &[], Some(&empty)), None);
    }

    #[test]
    fn headless_services_are_marked() {
        let mut service = mk_service("web", &[]);
        let plain = wanted(&service, &[], None).unwrap();
        assert!(!plain.metadata.labels.contains_key(HEADLESS_LABEL));
        service.spec.cluster_ip = service::HEADLESS.to_owned();
        let headless = wanted(&service, &[], Some(&plain)).unwrap();
        assert!(headless.metadata.labels.contains_key(HEADLESS_LABEL));
        service.spec.cluster_ip = "10.96.0.7".to_owned();
        let plain = wanted(&service, &[], Some(&headless)).unwrap();
        assert!(!plain.metadata.labels.contains_key(HEADLESS_LABEL));
    }
}
