//! A store whose calls are counted. The names are those of kube-apiserver, whatever the store is.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use keelson_api_store::{
    Commit, CommitOutcome, Error, KeyValue, RangeRequest, RangeResponse, Revision, Store, WatchStream,
};
use keelson_base_daemon::admin::{CALL_SECONDS, Counter, Histogram, Metrics, Tags};
use tokio::time::Instant;

use crate::reach::Reach;

/// A store whose calls are counted.
pub(crate) struct MeteredStore {
    store: Arc<dyn Store>,
    get: Meter,
    list: Meter,
    commit: Meter,
    watch: Meter,
    head: Meter,
    compact: Meter,
}

/// Counts the calls of one operation.
struct Meter {
    calls: Counter,
    errors: Counter,
    seconds: Histogram,
    reach: Reach,
}

// === impl MeteredStore ===

impl MeteredStore {
    /// Counts the calls of `store`, and notes in `reach` whether it answers.
    pub(crate) fn new(store: Arc<dyn Store>, metrics: &Metrics, reach: &Reach) -> Self {
        let meter = |operation| Meter::new(metrics, operation, reach.clone());
        Self {
            store,
            get: meter("get"),
            list: meter("list"),
            commit: meter("txn"),
            watch: meter("watch"),
            head: meter("head"),
            compact: meter("compact"),
        }
    }
}

impl Store for MeteredStore {
    fn name(&self) -> String {
        self.store.name()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<KeyValue>, Error>> {
        self.get.counted(self.store.get(key))
    }

    fn range(&self, request: RangeRequest) -> BoxFuture<'_, Result<RangeResponse, Error>> {
        self.list.counted(self.store.range(request))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome, Error>> {
        self.commit.counted(self.store.commit(commit))
    }

    fn watch(&self, from: Revision) -> BoxFuture<'_, Result<WatchStream, Error>> {
        self.watch.counted(self.store.watch(from))
    }

    fn head(&self) -> BoxFuture<'_, Result<Revision, Error>> {
        self.head.counted(self.store.head())
    }

    fn compact(&self, up_to: Revision) -> BoxFuture<'_, Result<Revision, Error>> {
        self.compact.counted(self.store.compact(up_to))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.store.close()
    }
}

// === impl Meter ===

impl Meter {
    fn new(metrics: &Metrics, operation: &'static str, reach: Reach) -> Self {
        let tags: Tags<1> = [("operation", operation.into())];
        let counter = |name, help| metrics.counter_family(name, help).get_or_create_owned(&tags);
        let seconds = metrics.histogram_family(
            "etcd_request_duration_seconds",
            "Time that calls to the store took, whichever store it is",
            &CALL_SECONDS,
        );
        Self {
            calls: counter("etcd_requests", "Calls to the store, whichever store it is"),
            errors: counter("etcd_request_errors", "Calls to the store that failed"),
            seconds: seconds.get_or_create_owned(&tags),
            reach,
        }
    }

    fn counted<'a, T: 'a>(
        &'a self,
        call: BoxFuture<'a, Result<T, Error>>,
    ) -> BoxFuture<'a, Result<T, Error>> {
        self.calls.inc();
        let begun = Instant::now();
        async move {
            let answer = call.await;
            self.seconds.observe(begun.elapsed().as_secs_f64());
            self.reach.note(&answer);
            if answer.is_err() {
                self.errors.inc();
            }
            answer
        }
        .boxed()
    }
}
