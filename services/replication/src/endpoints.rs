//! The endpoints loop: for each service with a selector, the addresses of its pods under the service's name, and the
//! same in endpoint slices. Endpoints of a service without a selector are somebody else's: they are mirrored in slices.
//!
//! A pod that changes wakes the services that select it or did, and only if what endpoints tell of it has changed.

mod entry;
mod mirror;
mod slices;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::{Api, ApiError, Client, Delta, Expectations, WorkQueue};
use keelson_base_daemon::trace::Cause;
use keelson_base_model::endpointslice::{MANAGED_BY, SERVICE_NAME};
use keelson_base_model::key::ObjectKey;
use keelson_base_model::{meta, owner, service};
use keelson_proto::core::{Endpoints, Pod, Service};
use keelson_proto::discovery::EndpointSlice;
use keelson_proto::meta::DeleteOptions;

use self::slices::Head;
use crate::cache::Caches;
use crate::control::{Next, Reconcile, queue, settle, wake};

/// The label by which endpoints say that their service has no address of its own.
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// Who writes slices of services with a selector: the name that Kubernetes' own loop has.
const MANAGER: &str = "endpointslice-controller.k8s.io";

/// The endpoints loop.
pub(crate) struct EndpointsLoop {
    queue: WorkQueue<ObjectKey>,
    caches: Caches,
    /// Slices, by their service, that have been written and not been seen yet.
    expectations: Expectations,
    endpoints: Api<Endpoints>,
    slices: Api<EndpointSlice>,
    services: Api<Service>,
}

// === impl EndpointsLoop ===

impl EndpointsLoop {
    /// The loop.
    pub(crate) fn new(client: &Client, caches: Caches) -> Self {
        Self {
            queue: queue(),
            caches,
            expectations: Expectations::new(),
            endpoints: client.api(),
            slices: client.api(),
            services: client.api(),
        }
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

    /// A slice has changed. As with endpoints, those of services that are gone are looked at when the loop begins.
    pub(crate) fn on_slice(&self, delta: &Delta<EndpointSlice>) {
        let changed = match delta {
            Delta::Applied { new, .. } => new,
            Delta::Deleted { old, .. } => old,
            Delta::Synced => return,
        };
        let Some(key) = service_of(changed) else { return };
        match delta {
            Delta::Applied { old: None, .. } => self.expectations.creation_observed(&key),
            Delta::Deleted { old, .. } => self.expectations.deletion_observed(&key, &old.metadata.uid),
            _ => {}
        }
        if !self.caches.slices.is_synced() || self.caches.services.get(&key).is_some() {
            wake(&self.queue, key, None, settle(changed.endpoints.len()));
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
    fn wake_selecting(&self, pod: &Pod, was: Option<&Pod>, trace: Option<Cause>) {
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

    /// Brings the endpoints of a service with a selector, and its slices, to what its pods are.
    async fn sync(&self, service: &Service) -> Result<Next, ApiError> {
        let key = ObjectKey::of(&service.metadata);
        // Before the caches are read: what is seen later would be counted as if it were there now.
        let trusted = self.expectations.satisfied(&key);
        let pods = self.caches.pods.namespace(&key.namespace);
        let pods: Vec<_> = pods.iter().filter(|pod| service::selects(service, pod)).collect();
        let existing = self.caches.endpoints.get(&key);
        if let Some(wanted) = wanted(service, pods.iter().copied(), existing.as_deref()) {
            let written = match existing {
                Some(_) => self.endpoints.update(&wanted).await,
                None => self.endpoints.create(&wanted).await,
            };
            match written {
                // Nothing can be created there any more, and soon all of it is gone.
                Err(error) if error.is_forbidden() && self.caches.is_terminating(&key.namespace) => {
                    return Ok(Next::Event);
                }
                // They are there already: the cache will tell.
                Err(error) if error.is_already_exists() => return Ok(Next::Soon),
                written => drop(written?),
            }
        }
        if trusted {
            self.write_slices(&key, Some((head(service), entry::sliced(service, pods)))).await?;
        }
        Ok(Next::Event)
    }

    /// Brings the slices of a service without a selector to what somebody says of its endpoints.
    async fn mirror(&self, key: &ObjectKey) -> Result<Next, ApiError> {
        if self.expectations.satisfied(key) {
            let endpoints = self.caches.endpoints.get(key).filter(|endpoints| mirror::is_mirrored(endpoints));
            let told = endpoints.map(|endpoints| (mirror::head(&endpoints), mirror::wanted(&endpoints)));
            self.write_slices(key, told).await?;
        }
        Ok(Next::Event)
    }

    /// Deletes the endpoints and slices of a service that is gone, which is asked of api: if the cache were behind,
    /// somebody's own endpoints of a new service would go.
    async fn remove(&self, key: &ObjectKey) -> Result<Next, ApiError> {
        match self.services.namespaced(&key.namespace).get(&key.name).await {
            Ok(_) => return Ok(Next::Soon),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        self.write_slices(key, None).await?;
        self.expectations.forget(key);
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
            Some(service) if service::has_selector(&service) => self.sync(&service).await,
            Some(_) => self.mirror(key).await,
            None => self.remove(key).await,
        }
    }
}

/// The service that a slice is of, if one of our managers writes it.
fn service_of(slice: &EndpointSlice) -> Option<ObjectKey> {
    let metadata = &slice.metadata;
    let manager = metadata.labels.get(MANAGED_BY)?;
    let service = metadata.labels.get(SERVICE_NAME)?;
    [MANAGER, mirror::MANAGER]
        .contains(&manager.as_str())
        .then(|| ObjectKey::new(metadata.namespace.as_str(), service.as_str()))
}

/// By what the cache finds the slices of a service.
pub(crate) fn slice_index(slice: &EndpointSlice) -> Vec<String> {
    service_of(slice).iter().map(ToString::to_string).collect()
}

/// What the slices of a service have in their metadata. They go with the service.
fn head(service: &Service) -> Head {
    Head {
        namespace: service.metadata.namespace.clone(),
        service: service.metadata.name.clone(),
        labels: labels(service),
        owner: owner::controller_reference(service),
        manager: MANAGER,
    }
}

/// The labels of a service's endpoints: its own, and whether it is headless.
fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone();
    if service::is_headless(service) {
        labels.insert(HEADLESS_LABEL.to_owned(), String::new());
    } else {
        labels.remove(HEADLESS_LABEL);
    }
    labels
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
    wanted.metadata.labels = labels(service);
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
