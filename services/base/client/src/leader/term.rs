//! The time during which one of several candidates acts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keelson_base_daemon::tasks::Tasks;
use keelson_base_model::status::ApiError;
use tokio::time::Instant;

/// Until an end that never comes, in microseconds.
const FOR_EVER: u64 = u64::MAX;

/// What a candidate may do: writes, while it leads. Clones are the same office.
///
/// A client made by [`Client::within`](crate::Client::within) asks before each write. What is asked is the monotonic
/// clock, which goes on while the process is stopped: one that sleeps through the end of its term finds it over when it
/// wakes, before any timer has fired.
#[derive(Clone)]
pub struct Office {
    shared: Arc<Shared>,
}

/// A leader's time in office. Clones are the same term.
#[derive(Clone, Debug)]
pub struct Term {
    tasks: Tasks,
}

struct Shared {
    lease: String,
    founded: Instant,
    /// Until when writes may begin: microseconds after `founded`.
    until: AtomicU64,
}

// === impl Office ===

impl Office {
    /// The office of somebody who needs no election.
    pub fn always() -> Self {
        Self::new(String::new(), FOR_EVER)
    }

    /// The office that goes with a lease; yet vacant.
    pub(super) fn of(lease: String) -> Self {
        Self::new(lease, 0)
    }

    fn new(lease: String, until: u64) -> Self {
        let shared = Shared { lease, founded: Instant::now(), until: AtomicU64::new(until) };
        Self { shared: Arc::new(shared) }
    }

    /// Whether writes may begin.
    pub fn is_held(&self) -> bool {
        self.remaining().is_some()
    }

    /// How long writes may still begin; none if they may not.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let until = self.shared.until.load(Ordering::Acquire);
        if until == FOR_EVER {
            return Some(Duration::MAX);
        }
        let left = Duration::from_micros(until).checked_sub(self.shared.founded.elapsed());
        left.filter(|left| !left.is_zero())
    }

    /// The same.
    ///
    /// # Errors
    /// ServiceUnavailable if they may not: nothing was sent.
    pub(crate) fn check(&self) -> Result<Duration, ApiError> {
        self.remaining().ok_or_else(|| {
            let lease = &self.shared.lease;
            let vacant =
                format!("not sent: the lease {lease} is not held, and somebody else may lead by now");
            ApiError::service_unavailable(vacant)
        })
    }

    /// The lease was written.
    pub(super) fn hold(&self, until: Instant) {
        let after = until.saturating_duration_since(self.shared.founded).as_micros();
        self.shared.until.store(u64::try_from(after).unwrap_or(FOR_EVER - 1), Ordering::Release);
    }

    /// No more writes, whatever was promised.
    pub(super) fn vacate(&self) {
        self.shared.until.store(0, Ordering::Release);
    }
}

impl fmt::Debug for Office {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Office").field("lease", &self.shared.lease).finish_non_exhaustive()
    }
}

// === impl Term ===

impl Term {
    /// A term that lasts as long as `tasks`.
    pub fn new(tasks: &Tasks) -> Self {
        Self { tasks: tasks.clone() }
    }

    /// The tasks of the term: asked to finish when it ends, and gone before anybody here stands again.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_office_is_vacant_when_its_time_is_over_though_no_timer_has_fired() {
        let office = Office::of("kube-system/x".to_owned());
        assert!(!office.is_held());
        tokio::time::advance(Duration::from_secs(100)).await;
        office.hold(Instant::now() + Duration::from_secs(10));
        assert_eq!(office.check(), Ok(Duration::from_secs(10)));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(office.is_held());
        tokio::time::advance(Duration::from_secs(1)).await;
        let error = office.check().unwrap_err();
        assert_eq!(error.code(), 503);
        assert!(error.message().starts_with("not sent: the lease kube-system/x is not held"), "{error}");
        office.hold(Instant::now() + Duration::from_secs(10));
        assert!(office.is_held());
        office.vacate();
        assert!(!office.is_held());
        assert!(Office::always().is_held());
    }
}
