//! The registries: one generic machine, one small strategy per kind.
//!
//! A [`Registry`] decodes what it is asked to write, lets the kind's [`Strategy`] and admission have their
//! say, and commits with compare-and-set; reads are the watch cache's. [`Noun`] is the same without the
//! kind's type: bytes in, bytes out, which is what the rpc layer serves.

mod apply;
mod clusterrole;
mod clusterrolebinding;
mod configmap;
mod create;
mod delete;
mod endpoints;
mod endpointslice;
mod event;
mod lease;
mod limitrange;
mod managed;
mod mutate;
mod namespace;
mod node;
mod noun;
mod patch;
mod persistentvolume;
mod persistentvolumeclaim;
mod pod;
mod podtemplate;
mod read;
mod replicationcontroller;
mod resourcequota;
mod role;
mod rolebinding;
mod secret;
mod service;
mod serviceaccount;
mod stored;
mod strategy;
mod token;
mod traced;
mod update;

use std::borrow::Cow;
use std::sync::Arc;

use keelson_api_store::Store;
use keelson_proto::{Message as _, Object};

pub(crate) use self::clusterrole::ClusterRoleStrategy;
pub(crate) use self::clusterrolebinding::ClusterRoleBindingStrategy;
pub(crate) use self::configmap::ConfigMapStrategy;
pub(crate) use self::endpoints::EndpointsStrategy;
pub(crate) use self::endpointslice::EndpointSliceStrategy;
pub(crate) use self::event::EventStrategy;
pub(crate) use self::lease::LeaseStrategy;
pub(crate) use self::limitrange::LimitRangeStrategy;
pub(crate) use self::managed::Managing;
pub(crate) use self::namespace::NamespaceStrategy;
pub(crate) use self::node::NodeStrategy;
pub(crate) use self::noun::Noun;
pub(crate) use self::persistentvolume::PersistentVolumeStrategy;
pub(crate) use self::persistentvolumeclaim::PersistentVolumeClaimStrategy;
pub(crate) use self::pod::PodStrategy;
pub(crate) use self::podtemplate::PodTemplateStrategy;
pub(crate) use self::replicationcontroller::ReplicationControllerStrategy;
pub(crate) use self::resourcequota::ResourceQuotaStrategy;
pub(crate) use self::role::RoleStrategy;
pub(crate) use self::rolebinding::RoleBindingStrategy;
pub(crate) use self::secret::SecretStrategy;
pub(crate) use self::service::ServiceStrategy;
pub(crate) use self::serviceaccount::ServiceAccountStrategy;
pub(crate) use self::stored::{Encoded, Stored};
pub(crate) use self::strategy::{Deletion, Reservation, Strategy};
pub(crate) use self::update::Part;

use crate::admission::Admission;
use crate::auth::Access;
use crate::cache::{Cache, Listener};

/// The registry of one kind.
pub(crate) struct Registry<S> {
    strategy: S,
    store: Arc<dyn Store>,
    cache: Arc<Cache>,
    admission: Arc<Admission>,
    access: Arc<Access>,
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// A registry over a store, its kind's cache, and what may refuse a write.
    pub(crate) fn new(
        strategy: S,
        store: Arc<dyn Store>,
        cache: Arc<Cache>,
        admission: Arc<Admission>,
        access: Arc<Access>,
    ) -> Arc<Self> {
        Arc::new(Self { strategy, store, cache, admission, access })
    }

    /// All objects that the cache holds, decoded; those that cannot be are left out.
    pub(crate) fn cached(&self) -> Vec<S::Object> {
        let snapshot = self.cache.snapshot();
        snapshot.entries.values().filter_map(|entry| S::Object::decode(entry.object.clone()).ok()).collect()
    }

    /// Has somebody hear of every change of the kind's objects before readers do.
    pub(crate) fn tell(&self, listener: Arc<dyn Listener>) {
        self.cache.tell(listener);
    }

    /// What may refuse a write, or a connection.
    pub(crate) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The path of an object below the kind's prefix.
    fn path(namespace: &str, name: &str) -> String {
        if S::Object::KIND.namespaced { format!("{namespace}/{name}") } else { name.to_owned() }
    }

    fn key(path: &str) -> String {
        format!("{}{path}", S::PREFIX)
    }
}

/// The values of an object's selectable fields.
fn fields_of<'a>(
    names: &'static [&'static str],
    value: impl Fn(&str) -> Option<Cow<'a, str>>,
) -> Vec<(&'static str, String)> {
    let stored = names.iter().filter(|name| !name.starts_with("metadata."));
    stored.filter_map(|name| Some((*name, value(name)?.into_owned()))).collect()
}
