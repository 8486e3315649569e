//! What may change or refuse a write besides the kind's own rules: an ordered chain of plugins, one file each.
//!
//! A plugin decides from the caches alone, without waiting: what it refuses is asked once more when the caches have
//! caught up with the store, so that a client may create a namespace, an account and a pod in one breath. What must
//! still be so when the object is stored (that its namespace is open, what its quotas have left) goes into the commit.

mod always;
mod always_pull_images;
mod chain;
mod default_toleration_seconds;
mod deny_exec;
mod limit_ranger;
mod namespace_auto_provision;
mod namespace_exists;
mod namespace_lifecycle;
mod node_restriction;
mod resource_quota;
mod security_context_deny;
mod service_account;
mod subject;

pub use self::chain::AdmissionConfig;
pub(crate) use self::namespace_lifecycle::IMMORTAL;
pub(crate) use self::node_restriction::NODE_LEASES;
pub(crate) use self::resource_quota::{Charge, mark_of};
pub(crate) use self::subject::Subject;

use std::ops::Bound;
use std::sync::Arc;

use futures::future::BoxFuture;
use keelson_api_store::{Compare, Store};
use keelson_base_model::status::ApiError;
use keelson_proto::core::{Pod, ResourceQuota};
use keelson_proto::{Kind, Object};

use self::resource_quota::Quotas;
use crate::auth::Caller;
use crate::cache::{Cache, Entry, Progress};
use crate::errors::from_store;
use crate::registry::Stored;

/// What plugins look things up in.
#[derive(Clone)]
pub(crate) struct Lookups {
    /// The store.
    pub(crate) store: Arc<dyn Store>,
    /// How far the caches have come.
    pub(crate) progress: Progress,
    /// Namespaces.
    pub(crate) namespaces: Arc<Cache>,
    /// Limit ranges.
    pub(crate) limit_ranges: Arc<Cache>,
    /// Resource quotas.
    pub(crate) resource_quotas: Arc<Cache>,
    /// Service accounts.
    pub(crate) service_accounts: Arc<Cache>,
}

/// Who writes, and how.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Who.
    pub(crate) caller: &'a Caller,
    /// Whether nothing will be stored.
    pub(crate) dry_run: bool,
}

/// A connection that somebody wants to a pod, a service or a node.
pub(crate) struct Connect<'a> {
    /// Who.
    pub(crate) caller: &'a Caller,
    /// To what kind of object.
    pub(crate) kind: &'static Kind,
    /// Its namespace; "" for nodes.
    pub(crate) namespace: &'a str,
    /// Its name.
    pub(crate) name: &'a str,
    /// "exec", "attach", "portforward" or "proxy".
    pub(crate) subresource: &'a str,
    /// The pod that it leads to, if it is a pod's.
    pub(crate) pod: Option<&'a Pod>,
}

/// One plugin of the chain. The provided methods have nothing to say.
pub(crate) trait Plugin: Send + Sync + 'static {
    /// Brings about what must be there before an object is looked at, or waits for it.
    fn prepare<'a>(
        &'a self,
        ask: Ask<'a>,
        new: &'a dyn Subject,
    ) -> Option<BoxFuture<'a, Result<(), ApiError>>> {
        let _ = (ask, new);
        None
    }

    /// Completes or refuses a new object, before its kind's rules are looked at. `terms` is what must still be so when
    /// it is stored. May be called again with what it has completed.
    ///
    /// # Errors
    /// Why not.
    fn admit(&self, ask: Ask<'_>, new: &mut dyn Subject, terms: &mut Vec<Compare>) -> Result<(), ApiError> {
        let _ = (ask, new, terms);
        Ok(())
    }

    /// Refuses a new object, once all plugins have completed it.
    ///
    /// # Errors
    /// Why not.
    fn validate(&self, ask: Ask<'_>, new: &dyn Subject) -> Result<(), ApiError> {
        let _ = (ask, new);
        Ok(())
    }

    /// Refuses a change.
    ///
    /// # Errors
    /// Why not.
    fn update(&self, ask: Ask<'_>, new: &dyn Subject, old: &dyn Subject) -> Result<(), ApiError> {
        let _ = (ask, new, old);
        Ok(())
    }

    /// Refuses a deletion.
    ///
    /// # Errors
    /// Why not.
    fn delete(&self, ask: Ask<'_>, old: &dyn Subject) -> Result<(), ApiError> {
        let _ = (ask, old);
        Ok(())
    }

    /// Refuses a connection.
    ///
    /// # Errors
    /// Why not.
    fn connect(&self, connect: &Connect<'_>) -> Result<(), ApiError> {
        let _ = connect;
        Ok(())
    }
}

/// The plugins of an api, in order.
pub(crate) struct Admission {
    plugins: Vec<Box<dyn Plugin>>,
    quotas: Option<Quotas>,
    lookups: Lookups,
}

// === impl Admission ===

impl Admission {
    /// The plugins that `config` names.
    pub(crate) fn new(config: &AdmissionConfig, lookups: Lookups) -> Arc<Self> {
        let names = config.names();
        let plugins = names.iter().filter_map(|name| chain::plugin(name, config, &lookups)).collect();
        let quotas = names.contains(&chain::RESOURCE_QUOTA).then(|| Quotas::new(&lookups));
        Arc::new(Self { plugins, quotas, lookups })
    }

    /// Completes a new object that has its defaults, or refuses it. Answers with what the commit must hold to, for
    /// instance that its namespace is open still.
    ///
    /// # Errors
    /// NotFound if its namespace is missing, Forbidden for most else.
    pub(crate) async fn create<K: Object>(
        &self,
        ask: Ask<'_>,
        object: &mut K,
    ) -> Result<Vec<Compare>, ApiError> {
        for plugin in &self.plugins {
            if let Some(prepared) = plugin.prepare(ask, object) {
                prepared.await?;
            }
        }
        if let Ok(terms) = self.admit(ask, object) {
            return Ok(terms);
        }
        // The caches may not have heard yet of what is missed.
        self.catch_up().await?;
        self.admit(ask, object)
    }

    fn admit(&self, ask: Ask<'_>, object: &mut dyn Subject) -> Result<Vec<Compare>, ApiError> {
        let mut terms = Vec::new();
        self.plugins.iter().try_for_each(|plugin| plugin.admit(ask, object, &mut terms))?;
        self.plugins.iter().try_for_each(|plugin| plugin.validate(ask, object))?;
        Ok(terms)
    }

    /// Whether an object may be changed so.
    ///
    /// # Errors
    /// Forbidden.
    pub(crate) fn update<K: Object>(&self, caller: &Caller, new: &K, old: &K) -> Result<(), ApiError> {
        let ask = Ask { caller, dry_run: false };
        self.plugins.iter().try_for_each(|plugin| plugin.update(ask, new, old))
    }

    /// Whether an object may be deleted.
    ///
    /// # Errors
    /// Forbidden.
    pub(crate) fn delete<K: Object>(&self, caller: &Caller, object: &K) -> Result<(), ApiError> {
        let ask = Ask { caller, dry_run: false };
        self.plugins.iter().try_for_each(|plugin| plugin.delete(ask, object))
    }

    /// Whether somebody may connect to a pod, a service or a node. Who may at all is known already.
    ///
    /// # Errors
    /// Forbidden.
    pub(crate) fn connect(&self, connect: &Connect<'_>) -> Result<(), ApiError> {
        let Connect { caller, namespace, name, subresource, .. } = connect;
        let admitted = self.plugins.iter().try_for_each(|plugin| plugin.connect(connect));
        if let Err(error) = &admitted {
            tracing::info!(user = %caller.user, namespace, name, subresource, %error, "connection refused");
        }
        admitted
    }

    /// What the quotas of its namespace must be charged in the same commit as a write. None if there are none, or
    /// nothing that they count becomes more.
    ///
    /// # Errors
    /// Forbidden if a quota would be exceeded; and the store's.
    pub(crate) async fn charge<K: Object>(
        &self,
        old: Option<&K>,
        new: &K,
        dry_run: bool,
    ) -> Result<Option<Charge>, ApiError> {
        let Some(quotas) = self.quotas.as_ref().filter(|_| K::KIND.namespaced) else { return Ok(None) };
        quotas.charge(old.map(|old| old as &dyn Subject), new, dry_run).await
    }

    /// What must be so when a change is stored, besides what it charges: of a quota whose status says something new, that
    /// nothing was stored on account of it since `revision`, at which it was `old`.
    ///
    /// # Errors
    /// Conflict if something was; and the store's.
    pub(crate) async fn counted<K: Object>(
        &self,
        old: &K,
        new: &K,
        revision: u64,
    ) -> Result<Option<Compare>, ApiError> {
        let (old, new): (&dyn Subject, &dyn Subject) = (old, new);
        match (&self.quotas, old.of::<ResourceQuota>(), new.of::<ResourceQuota>()) {
            (Some(quotas), Some(old), Some(new)) if old.status.used != new.status.used => {
                quotas.counted(old, revision).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn catch_up(&self) -> Result<(), ApiError> {
        let head = self.lookups.store.head().await.map_err(from_store)?;
        self.lookups.progress.reach(head).await
    }
}

/// What a cache holds of a namespace.
fn entries<'a>(cache: &Cache, namespace: &'a str) -> impl Iterator<Item = Arc<Entry>> + use<'a> {
    let snapshot = cache.snapshot();
    let from = format!("{namespace}/");
    let found: Vec<_> = snapshot
        .entries
        .range::<(Bound<&str>, Bound<&str>), str>((Bound::Included(from.as_str()), Bound::Unbounded))
        .map(|(_, entry)| entry)
        .take_while(|entry| entry.namespace() == namespace)
        .cloned()
        .collect();
    found.into_iter()
}

/// The same, decoded.
fn in_namespace<K: Object>(cache: &Cache, namespace: &str) -> Result<Vec<K>, ApiError> {
    let decoded = |entry: Arc<Entry>| Ok(Stored::from_cache(&entry.object, entry.revision)?.object);
    entries(cache, namespace).map(decoded).collect()
}
