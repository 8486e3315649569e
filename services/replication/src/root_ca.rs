//! The root CA loop: every namespace has a config map `kube-root-ca.crt`, by which its pods know the API's certificate.

use keelson_base_client::{Api, ApiError, Client, Delta, WorkQueue};
use keelson_base_daemon::tls::LiveIdentity;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::namespace;
use keelson_proto::core::{ConfigMap, Namespace};

use crate::cache::{Caches, ROOT_CA};
use crate::control::{Next, Reconcile, queue};
use crate::serviceaccount::made;

/// The key that holds the certificates.
const KEY: &str = "ca.crt";

/// The annotation that tells a reader what the map is for.
const DESCRIPTION: &str = "kubernetes.io/description";
const WHAT_FOR: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/// The root CA loop. Its keys are namespaces.
pub(crate) struct RootCaLoop {
    queue: WorkQueue<String>,
    caches: Caches,
    maps: Api<ConfigMap>,
    /// Whose authorities are told; none if nobody has said.
    identity: Option<LiveIdentity>,
}

// === impl RootCaLoop ===

impl RootCaLoop {
    /// The loop.
    pub(crate) fn new(client: &Client, caches: Caches, identity: Option<LiveIdentity>) -> Self {
        Self { queue: queue(), caches, maps: client.api(), identity }
    }

    /// A namespace has changed, perhaps by beginning to be.
    pub(crate) fn on_namespace(&self, delta: &Delta<Namespace>) {
        if let Delta::Applied { new, trace, .. } = delta {
            self.queue.add_caused(new.metadata.name.clone(), *trace);
        }
    }

    /// One of the maps has changed, or is gone.
    pub(crate) fn on_map(&self, delta: &Delta<ConfigMap>) {
        let (map, trace) = match delta {
            Delta::Applied { new, trace, .. } => (new, trace),
            Delta::Deleted { old, trace } => (old, trace),
            Delta::Synced => return,
        };
        self.queue.add_caused(map.metadata.namespace.clone(), *trace);
    }

    /// The authorities have changed.
    pub(crate) fn on_renewal(&self) {
        for namespace in self.caches.namespaces.list() {
            self.queue.add(namespace.metadata.name.clone());
        }
    }
}

impl Reconcile for RootCaLoop {
    const NAME: &'static str = "rootca";
    type Key = String;

    fn queue(&self) -> &WorkQueue<String> {
        &self.queue
    }

    async fn reconcile(&self, name: &String) -> Result<Next, ApiError> {
        let Some(pem) = self.identity.as_ref().map(|identity| identity.current().ca_pem.clone()) else {
            return Ok(Next::Event);
        };
        let namespace = self.caches.namespaces.get(&ObjectKey::cluster(name.as_str()));
        if namespace.is_none_or(|namespace| namespace::is_terminating(&namespace)) {
            return Ok(Next::Event);
        }
        let seen = self.caches.root_cas.get(&ObjectKey::new(name.as_str(), ROOT_CA));
        match wanted(name, seen.as_deref(), &pem) {
            Some(map) if seen.is_none() => made(self.maps.create(&map).await)?,
            Some(map) => match self.maps.update(&map).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            },
            None => {}
        }
        Ok(Next::Event)
    }
}

/// The map as it is to be written; none if it is right.
fn wanted(namespace: &str, seen: Option<&ConfigMap>, pem: &str) -> Option<ConfigMap> {
    if seen.is_some_and(|seen| seen.data.len() == 1 && seen.data.get(KEY).is_some_and(|is| is == pem)) {
        return None;
    }
    let mut map = seen.cloned().unwrap_or_default();
    namespace.clone_into(&mut map.metadata.namespace);
    ROOT_CA.clone_into(&mut map.metadata.name);
    map.metadata.annotations.insert(DESCRIPTION.to_owned(), WHAT_FOR.to_owned());
    map.data = [(KEY.to_owned(), pem.to_owned())].into();
    Some(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_holds_the_certificates_and_nothing_else() {
        let made = wanted("web", None, "PEM").unwrap();
        assert_eq!((made.metadata.namespace.as_str(), made.metadata.name.as_str()), ("web", ROOT_CA));
        assert_eq!(made.data[KEY], "PEM");
        assert_eq!(wanted("web", Some(&made), "PEM"), None);
        let renewed = wanted("web", Some(&made), "NEW").unwrap();
        assert_eq!(renewed.data[KEY], "NEW");
        let mut spoilt = made.clone();
        spoilt.data.insert("other".to_owned(), String::new());
        assert_eq!(wanted("web", Some(&spoilt), "PEM"), Some(made));
    }
}
