//! Puts right what other tools have written past the registry: addresses and ports held by services that
//! are gone are freed, and those that services have but do not hold are taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_api_store::{Commit, Compare, Error, Expect, Op, Store};
use keelson_proto::Message;
use keelson_proto::core::Service;

use super::reserve::held_by;
use super::{Allocators, address_key, owner, port_key};
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
        let mut wanted: BTreeMap<String, Vec<Arc<Entry>>> = BTreeMap::new();
        for entry in self.services.snapshot().entries.values() {
            let Ok(service) = Service::decode(entry.object.clone()) else { continue };
            for key in held_by(&service) {
                wanted.entry(key).or_default().push(entry.clone());
            }
        }
        for (key, owner) in &held {
            if !wanted.contains_key(key) {
                let expect = self
                    .services
                    .get(owner)
                    .map_or(Expect::Absent, |entry| Expect::ModRevision(entry.revision));
                self.correct(owner, expect, Op::delete(key.clone()), Some(owner)).await?;
            }
        }
        for (key, entries) in wanted {
            let holder = held.get(&key);
            let rightly = holder.is_some_and(|holder| entries.iter().any(|entry| *entry.path == **holder));
            if let (false, Some(entry)) = (rightly, entries.first()) {
                let put = Op::put(key, entry.path.to_string());
                self.correct(&entry.path, Expect::ModRevision(entry.revision), put, holder).await?;
            }
        }
        Ok(())
    }

    fn held(&self) -> BTreeMap<String, String> {
        let addresses = self
            .allocators
            .addresses
            .all()
            .into_iter()
            .map(|(number, owner)| (address_key(number.into()), owner));
        let ports = self.allocators.ports.all().into_iter().map(|(number, owner)| (port_key(number), owner));
        addresses.chain(ports).collect()
    }

    /// Writes or deletes a key if it is still held by `holder` and the service is as expected.
    async fn correct(
        &self,
        service: &str,
        expect: Expect,
        op: Op,
        holder: Option<&String>,
    ) -> Result<(), Error> {
        let key = op.key().to_owned();
        let stored = self.store.get(&key).await?;
        if stored.as_ref().map(owner).as_ref() != holder {
            return Ok(());
        }
        tracing::warn!(%key, ?holder, %service, "putting right who holds this");
        let now = stored.map_or(Expect::Absent, |stored| Expect::ModRevision(stored.mod_revision));
        let service = Compare { key: format!("{}{service}", ServiceStrategy::PREFIX), expect };
        let compares = vec![service, Compare { key, expect: now }];
        self.store.commit(Commit { compares, ops: vec![op] }).await.map(drop)
    }
}
