//! `NamespaceAutoProvision`: a namespace that is not there is made when something is created in it.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use keelson_api_store::{Commit, CommitOutcome, Compare, Expect, Op, Store};
use keelson_base_model::status::ApiError;
use keelson_base_model::{meta, namespace};
use keelson_proto::core::Namespace;
use keelson_proto::meta::Time;

use super::{Ask, Lookups, Plugin, Subject};
use crate::cache::{Cache, Progress};
use crate::errors::{from_store, refused};
use crate::registry::{Encoded, NamespaceStrategy, Strategy as _};

/// Makes namespaces that are missed.
pub(super) struct NamespaceAutoProvision {
    store: Arc<dyn Store>,
    progress: Progress,
    namespaces: Arc<Cache>,
}

// === impl NamespaceAutoProvision ===

impl NamespaceAutoProvision {
    pub(super) fn new(lookups: &Lookups) -> Self {
        Self {
            store: lookups.store.clone(),
            progress: lookups.progress.clone(),
            namespaces: lookups.namespaces.clone(),
        }
    }

    async fn provide(&self, name: &str) -> Result<(), ApiError> {
        let mut made = new_namespace(name)?;
        let key = format!("{}{name}", NamespaceStrategy::PREFIX);
        let put = Op::put(key.clone(), Encoded::new(&mut made).value);
        let commit = Commit { compares: vec![Compare { key, expect: Expect::Absent }], ops: vec![put] };
        // Whoever has made it meanwhile, the caches have to hear of it.
        let (CommitOutcome::Committed { revision, .. } | CommitOutcome::Conflict { revision, .. }) =
            self.store.commit(commit).await.map_err(from_store)?;
        self.progress.reach(revision).await
    }
}

impl Plugin for NamespaceAutoProvision {
    fn prepare<'a>(
        &'a self,
        ask: Ask<'a>,
        new: &'a dyn Subject,
    ) -> Option<BoxFuture<'a, Result<(), ApiError>>> {
        let name = new.meta().namespace.as_str();
        let is_missed = new.kind().namespaced && !ask.dry_run && self.namespaces.get(name).is_none();
        is_missed.then(|| self.provide(name).boxed())
    }
}

/// A namespace as a client would have made it.
fn new_namespace(name: &str) -> Result<Namespace, ApiError> {
    let mut made = Namespace::default();
    name.clone_into(&mut made.metadata.name);
    meta::prepare_create(&mut made.metadata, uuid::Uuid::new_v4().to_string(), Time::now());
    namespace::set_defaults(&mut made);
    namespace::prepare_create(&mut made);
    refused(&made, namespace::validate(&made))?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_an_ordinary_namespace() {
        let made = new_namespace("fresh").unwrap();
        assert_eq!((made.status.phase.as_str(), made.spec.finalizers.len()), ("Active", 1));
        assert!(!made.metadata.uid.is_empty());
        assert_eq!(new_namespace("No Name").unwrap_err().code(), 422);
    }
}
