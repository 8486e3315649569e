//! Whether anything still happens on a stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long nothing may happen before a stream is ended: Kubernetes' streaming idle timeout.
pub(crate) const IDLE: Duration = Duration::from_secs(4 * 60 * 60);

/// When something last happened. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    begun: Instant,
    /// Milliseconds from the beginning.
    last: Arc<AtomicU64>,
}

// === impl Activity ===

impl Activity {
    /// Something happens now.
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), last: Arc::default() }
    }

    /// Something has happened.
    pub(crate) fn touch(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// The same, but for what is no sign of life.
    pub(crate) fn touch_unless(&self, is_none: bool) {
        if !is_none {
            self.touch();
        }
    }

    /// Waits until nothing has happened for `limit`.
    pub(crate) async fn idle(&self, limit: Duration) {
        loop {
            let until = self.begun + Duration::from_millis(self.last.load(Ordering::Relaxed)) + limit;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_happens_puts_the_end_off() {
        let activity = Activity::new();
        let touching = activity.clone();
        let begun = Instant::now();
        tokio::spawn(async move {
            tokio::time::sleep(IDLE / 2).await;
            touching.touch();
        });
        activity.idle(IDLE).await;
        assert_eq!(begun.elapsed(), IDLE / 2 + IDLE);
    }
}
