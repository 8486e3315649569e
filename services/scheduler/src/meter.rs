//! What the scheduler counts, under kube-scheduler's names.

use std::time::Duration;

use keelson_base_daemon::admin::{CALL_SECONDS, Counter, Histogram, Labels, Metrics};

use crate::driver::Shared;

/// Counts decisions and binds. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    scheduled: Attempts,
    unschedulable: Attempts,
    failed: Attempts,
    decisions: Histogram,
    binds: Histogram,
}

/// Attempts with one result.
#[derive(Clone, Debug)]
struct Attempts {
    count: Counter,
    seconds: Histogram,
}

// === impl Meter ===

impl Meter {
    /// The meter of the scheduler `profile`, whose queue and caches `shared` has.
    pub(crate) fn new(metrics: &Metrics, profile: &str, shared: &Shared) -> Self {
        tell_sizes(metrics, shared);
        Self {
            scheduled: Attempts::new(metrics, "scheduled", profile),
            unschedulable: Attempts::new(metrics, "unschedulable", profile),
            failed: Attempts::new(metrics, "error", profile),
            decisions: metrics.histogram(
                "scheduler_scheduling_algorithm_duration_seconds",
                "Time to choose a node, or to find that there is none",
                &CALL_SECONDS,
            ),
            binds: metrics.histogram(
                "scheduler_binding_duration_seconds",
                "Time until api had bound a pod, or refused to",
                &CALL_SECONDS,
            ),
        }
    }

    /// A decision was made.
    pub(crate) fn decided(&self, after: Duration) {
        self.decisions.observe(after.as_secs_f64());
    }

    /// No node was found.
    pub(crate) fn unschedulable(&self, after: Duration) {
        self.unschedulable.add(after);
    }

    /// A pod was bound, or could not be, `after` the attempt began and `bind` after the call did.
    pub(crate) fn bound(&self, is_bound: bool, after: Duration, bind: Duration) {
        self.binds.observe(bind.as_secs_f64());
        if is_bound { self.scheduled.add(after) } else { self.failed.add(after) }
    }
}

// === impl Attempts ===

impl Attempts {
    fn new(metrics: &Metrics, result: &'static str, profile: &str) -> Self {
        let labels: Labels = vec![("profile", profile.to_owned()), ("result", result.to_owned())];
        Self {
            count: metrics
                .counter_family("scheduler_schedule_attempts", "Attempts to schedule pods, by their result")
                .get_or_create_owned(&labels),
            seconds: metrics
                .histogram_family(
                    "scheduler_scheduling_attempt_duration_seconds",
                    "Time of attempts to schedule pods: decision and binding",
                    &CALL_SECONDS,
                )
                .get_or_create_owned(&labels),
        }
    }

    fn add(&self, after: Duration) {
        self.count.inc();
        self.seconds.observe(after.as_secs_f64());
    }
}

/// Tells when scraped how much there is.
fn tell_sizes(metrics: &Metrics, shared: &Shared) {
    let pending =
        metrics.readings("scheduler_pending_pods", "Pods without a node, by where they are in the queue");
    for queue in ["active", "backoff", "unschedulable"] {
        let shared = shared.clone();
        pending.set(vec![("queue", queue.to_owned())], move || {
            let pending = shared.state().pending();
            let count = match queue {
                "active" => pending.active,
                "backoff" => pending.backoff,
                _ => pending.unschedulable,
            };
            count as f64
        });
    }
    let sizes = metrics.readings("scheduler_cache_size", "Nodes, pods on them, and pods assumed on them");
    for (index, kind) in ["nodes", "pods", "assumed_pods"].into_iter().enumerate() {
        let shared = shared.clone();
        sizes.set(vec![("type", kind.to_owned())], move || shared.state().sizes()[index] as f64);
    }
}
