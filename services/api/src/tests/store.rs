//! A store that can be replaced under an api's feet, as when somebody restores a backup.

use std::sync::{Arc, RwLock};

use futures::StreamExt;
use futures::future::BoxFuture;
use keelson_api_store::{
    Commit, CommitOutcome, Embedded, EmbeddedConfig, Error, KeyValue, RangeRequest, RangeResponse, Revision,
    Store, WatchStream,
};
use tempfile::TempDir;
use tokio::sync::watch;

/// Answers from one store, and later from another; watches break when it is replaced.
pub(super) struct Replaceable {
    now: RwLock<Arc<dyn Store>>,
    replaced: watch::Sender<bool>,
}

impl Replaceable {
    pub(super) fn new(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { now: RwLock::new(store), replaced: watch::Sender::new(false) })
    }

    pub(super) fn replace(&self, store: Arc<dyn Store>) {
        *self.now.write().unwrap() = store;
        self.replaced.send_replace(true);
    }

    fn now(&self) -> Arc<dyn Store> {
        self.now.read().unwrap().clone()
    }
}

impl Store for Replaceable {
    fn name(&self) -> String {
        self.now().name()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<KeyValue>, Error>> {
        Box::pin(async move { self.now().get(key).await })
    }

    fn range(&self, request: RangeRequest) -> BoxFuture<'_, Result<RangeResponse, Error>> {
        Box::pin(async move { self.now().range(request).await })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome, Error>> {
        Box::pin(async move { self.now().commit(commit).await })
    }

    fn watch(&self, from: Revision) -> BoxFuture<'_, Result<WatchStream, Error>> {
        let mut replaced = self.replaced.subscribe();
        replaced.mark_unchanged();
        Box::pin(async move {
            let changes = self.now().watch(from).await?;
            Ok(changes.take_until(async move { replaced.changed().await }).boxed())
        })
    }

    fn head(&self) -> BoxFuture<'_, Result<Revision, Error>> {
        Box::pin(async move { self.now().head().await })
    }

    fn compact(&self, up_to: Revision) -> BoxFuture<'_, Result<Revision, Error>> {
        Box::pin(async move { self.now().compact(up_to).await })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move { self.now().close().await })
    }
}

/// An embedded store in a directory of its own.
pub(super) async fn mk_store(name: &str) -> (Arc<dyn Store>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(EmbeddedConfig::new(dir.path().join(name))).unwrap();
    (Arc::new(store), dir)
}
