//! The service account loop: every namespace has an account `default`, which its pods run as if they name none.

use keelson_base_client::{Api, ApiError, Client, Delta, MetadataOf, WorkQueue};
use keelson_base_model::key::ObjectKey;
use keelson_base_model::namespace;
use keelson_proto::Object as _;
use keelson_proto::core::{Namespace, ServiceAccount};

use crate::cache::Caches;
use crate::control::{Next, Reconcile, queue};

/// The account that every namespace has.
const DEFAULT: &str = "default";

/// The service account loop. Its keys are namespaces.
pub(crate) struct ServiceAccountLoop {
    queue: WorkQueue<String>,
    caches: Caches,
    accounts: Api<ServiceAccount>,
}

// === impl ServiceAccountLoop ===

impl ServiceAccountLoop {
    /// The loop.
    pub(crate) fn new(client: &Client, caches: Caches) -> Self {
        Self { queue: queue(), caches, accounts: client.api() }
    }

    /// A namespace has changed, perhaps by beginning to be.
    pub(crate) fn on_namespace(&self, delta: &Delta<Namespace>) {
        if let Delta::Applied { new, trace, .. } = delta {
            self.queue.add_caused(new.metadata.name.clone(), *trace);
        }
    }

    /// An account has changed, perhaps by going.
    pub(crate) fn on_account(&self, delta: &Delta<MetadataOf<ServiceAccount>>) {
        if let Delta::Deleted { old, trace } = delta
            && old.metadata().name == DEFAULT
        {
            self.queue.add_caused(old.metadata().namespace.clone(), *trace);
        }
    }
}

impl Reconcile for ServiceAccountLoop {
    const NAME: &'static str = "serviceaccount";
    type Key = String;

    fn queue(&self) -> &WorkQueue<String> {
        &self.queue
    }

    async fn reconcile(&self, name: &String) -> Result<Next, ApiError> {
        let namespace = self.caches.namespaces.get(&ObjectKey::cluster(name.as_str()));
        let has = self.caches.accounts.get(&ObjectKey::new(name.as_str(), DEFAULT)).is_some();
        if is_missed(namespace.as_deref(), has) {
            let mut account = ServiceAccount::default();
            account.metadata.namespace.clone_from(name);
            DEFAULT.clone_into(&mut account.metadata.name);
            made(self.accounts.create(&account).await)?;
        }
        Ok(Next::Event)
    }
}

/// Whether the account is to be made.
fn is_missed(namespace: Option<&Namespace>, has: bool) -> bool {
    !has && namespace.is_some_and(|namespace| !namespace::is_terminating(namespace))
}

/// Whether something is there after it was to be created, or need not be any more.
pub(crate) fn made<K>(created: Result<K, ApiError>) -> Result<(), ApiError> {
    match created {
        Err(error) if error.is_already_exists() || error.is_not_found() || is_closing(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// Whether a namespace takes nothing new any more.
fn is_closing(error: &ApiError) -> bool {
    let causes = error.status().details.as_ref().map(|details| details.causes.as_slice());
    causes.unwrap_or_default().iter().any(|cause| cause.reason == "NamespaceTerminating")
}

#[cfg(test)]
mod tests {
    use keelson_proto::meta::Time;

    use super::*;

    #[test]
    fn a_namespace_that_stays_gets_its_account() {
        let mut going = Namespace::default();
        going.metadata.deletion_timestamp = Some(Time::now());
        let open = Namespace::default();
        let table = [
            (None, false, false),
            (Some(&open), false, true),
            (Some(&open), true, false),
            (Some(&going), false, false),
        ];
        for (namespace, has, expected) in table {
            assert_eq!(is_missed(namespace, has), expected, "{namespace:?} {has}");
        }
    }
}
