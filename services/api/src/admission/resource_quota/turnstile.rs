//! One write at a time of those to a namespace with quotas.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use keelson_base_model::status::ApiError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turnstiles of namespaces that are written to.
#[derive(Default)]
pub(super) struct Turnstiles(Mutex<HashMap<String, Weak<Turnstile>>>);

/// Lets one write through at a time.
pub(super) struct Turnstile {
    gate: Arc<Semaphore>,
    /// The revision that the last one wrote, which the next one has to see.
    reached: AtomicU64,
}

// === impl Turnstiles ===

impl Turnstiles {
    /// The turnstile of a namespace. It is remembered as long as somebody has it.
    pub(super) fn of(&self, namespace: &str) -> Arc<Turnstile> {
        // Each change is one call on the map, so that a panic elsewhere leaves it whole.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(namespace).and_then(Weak::upgrade) {
            return known;
        }
        all.retain(|_, turnstile| turnstile.strong_count() > 0);
        let made = Arc::new(Turnstile { gate: Arc::new(Semaphore::new(1)), reached: AtomicU64::new(0) });
        all.insert(namespace.to_owned(), Arc::downgrade(&made));
        made
    }
}

// === impl Turnstile ===

impl Turnstile {
    /// Waits for one's turn, which lasts until the answer is dropped. In the order of asking.
    ///
    /// # Errors
    /// None that happens: the gate is never closed.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.gate.clone().acquire_owned().await.map_err(ApiError::internal)
    }

    /// What has to be seen before anything is decided.
    pub(super) fn reached(&self) -> u64 {
        self.reached.load(Ordering::Acquire)
    }

    /// Something was written.
    pub(super) fn reach(&self, revision: u64) {
        self.reached.fetch_max(revision, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_passes_and_the_next_knows_how_far_it_went() {
        let all = Turnstiles::default();
        let (first, other) = (all.of("a"), all.of("b"));
        let turn = first.turn().await.unwrap();
        assert!(other.turn().await.is_ok(), "namespaces do not wait for one another");
        let second = all.of("a");
        assert_eq!(second.gate.available_permits(), 0);
        first.reach(7);
        drop((turn, first));
        let _turn = second.turn().await.unwrap();
        assert_eq!(second.reached(), 7);
        drop(other);
        all.of("c");
        assert_eq!(all.0.lock().unwrap().len(), 2, "what nobody has is forgotten");
    }
}
