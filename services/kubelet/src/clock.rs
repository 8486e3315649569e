//! What time it is, as a value: tests run on tokio's clock, which they can stop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A source of wall-clock time. Clones are the same clock.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

// === impl Clock ===

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { now: Arc::new(Timestamp::now) }
    }

    /// A clock that starts at `start` and goes as fast as tokio's, which tests may pause.
    pub fn tokio(start: Timestamp) -> Self {
        let origin = Instant::now();
        Self { now: Arc::new(move || later(start, origin.elapsed())) }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// The time `after` later, or the end of time.
pub(crate) fn later(at: Timestamp, after: Duration) -> Timestamp {
    at.checked_add(after).unwrap_or(Timestamp::MAX)
}

/// How long from `now` until `at`; zero if that is past.
pub(crate) fn until(now: Timestamp, at: Timestamp) -> Duration {
    at.duration_since(now).try_into().unwrap_or(Duration::ZERO)
}
