//! Puts right what other tools have written past the registry: addresses and ports held by services that
//! are gone are freed, and those that services have but do not hold are taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_api_store::{Commit, Compare, Error, Expect, Op, Store};
use keelson_proto::Message;
use keelson_proto::core::Service;

use super::reserve::held_by;
use super::{Allocators, address_key, port_key};
use crate::cache::{Cache, Entry};
use crate::registry::{ServiceStrategy, Strategy};

/// What compares the held keys with the services.
pub(crate) struct Repair {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) services: Arc<Cache>,
    pub(crate) allocators: Arc<Allocators>,
}

// === impl Repair ===

impl Repair {
    /// One pass. Each correction depends on the service being as it was seen, so that a service that is
    /// created or changed meanwhile is not touched.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn run(&self) -> Result<(), Error> {
        let held = self.held();
        let mut wanted: BTreeMap<String, Arc<Entry>> = BTreeMap::new();
        for entry in self.services.snapshot().entries.values() {
            let Ok(service) = Service::decode(entry.object.clone()) else { continue };
            wanted.extend(held_by(&service).into_iter().map(|key| (key, entry.clone())));
        }
        for (key, owner) in &held {
            if !wanted.contains_key(key) {
                let expect = self.services.get(owner).map_or(Expect::Absent, |entry| Expect::ModRevision(entry.revision));
                tracing::warn!(%key, %owner, "freeing what no service has");
                self.correct(owner, expect, Op::delete(key.clone())).await?;
            }
        }
        for (key, entry) in wanted {
            if !held.contains_key(&key) {
                tracing::warn!(%key, service = %entry.path, "a service has what it does not hold; taking it");
                let put = Op::put(key, entry.path.to_string());
                self.correct(&entry.path, Expect::ModRevision(entry.revision), put).await?;
            }
        }
        Ok(())
    }

    fn held(&self) -> BTreeMap<String, String> {
        let addresses = self.allocators.addresses.all().into_iter().map(|(number, owner)| (address_key(number.into()), owner));
        let ports = self.allocators.ports.all().into_iter().map(|(number, owner)| (port_key(number), owner));
        addresses.chain(ports).collect()
    }

    async fn correct(&self, service: &str, expect: Expect, op: Op) -> Result<(), Error> {
        let compares = vec![Compare { key: format!("{}{service}", ServiceStrategy::PREFIX), expect }];
        self.store.commit(Commit { compares, ops: vec![op] }).await.map(drop)
    }
}
