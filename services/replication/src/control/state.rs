//! How a loop is doing.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keelson_base_client::ApiError;
use keelson_proto::meta::Time;
use keelson_proto::v1::LoopStatus;

/// How a loop is doing. Workers count, callers of the gRPC service read.
pub(crate) struct LoopState {
    name: &'static str,
    depth: Box<dyn Fn() -> usize + Send + Sync>,
    syncs: AtomicU64,
    errors: AtomicU64,
    last: Mutex<Last>,
}

/// What happened last.
#[derive(Clone, Debug, Default)]
struct Last {
    error: String,
    error_time: Option<Time>,
    sync_time: Option<Time>,
}

// === impl LoopState ===

impl LoopState {
    /// A loop that has done nothing yet; `depth` reads how many keys wait.
    pub(crate) fn new(name: &'static str, depth: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self {
            name,
            depth: Box::new(depth),
            syncs: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            last: Mutex::default(),
        }
    }

    /// A sync ended well.
    pub(crate) fn succeeded(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.last().sync_time = Some(Time::now());
    }

    /// A sync failed.
    pub(crate) fn failed(&self, error: &ApiError) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last();
        last.error = error.to_string();
        last.error_time = Some(Time::now());
    }

    /// The state as it is told.
    pub(crate) fn status(&self, synced: bool) -> LoopStatus {
        let last = self.last().clone();
        LoopStatus {
            name: self.name.to_owned(),
            synced,
            queue_depth: (self.depth)() as u64,
            syncs: self.syncs.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            last_error: last.error,
            last_error_time: last.error_time,
            last_sync_time: last.sync_time,
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LoopState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopState").field("name", &self.name).finish_non_exhaustive()
    }
}
