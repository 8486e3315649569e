//! When each node was last heard of, and what follows from it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When nodes are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    /// How long a node may be silent.
    pub(crate) grace: Duration,
    /// The same for a node that has never spoken.
    pub(crate) startup: Duration,
    /// How long pods stay on a node that is not well.
    pub(crate) eviction: Duration,
}

/// What is known of the nodes' signs of life, by our clock.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    nodes: Mutex<HashMap<String, Observed>>,
}

/// Whether a node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It does, until then at least.
    Alive {
        /// When it is lost unless it is heard of before.
        until: Instant,
    },
    /// It has been silent for too long.
    Lost {
        /// Whether it has ever spoken.
        posted: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct Observed {
    /// When it was last heard of, or first seen.
    heard: Instant,
    posted: bool,
    lost: bool,
    unwell_since: Option<Instant>,
}

// === impl Monitor ===

impl Monitor {
    /// A node exists; `posted` says whether it has ever written its status.
    pub(super) fn appeared(&self, name: &str, posted: bool, now: Instant) {
        let mut nodes = self.lock();
        let node = nodes.entry(name.to_owned()).or_insert_with(|| Observed::new(now));
        node.posted |= posted;
    }

    /// A node has given a sign of life. Answers whether it was lost. (Of a node that has not appeared there is no need
    /// to know: its time begins when it does.)
    pub(super) fn heard(&self, name: &str, now: Instant) -> bool {
        let mut nodes = self.lock();
        let Some(node) = nodes.get_mut(name) else {
            return false;
        };
        node.heard = now;
        node.posted = true;
        std::mem::take(&mut node.lost)
    }

    /// A node does not exist any more.
    pub(super) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Whether a node lives, and from when on it is unwell; `is_well` says whether it is by its own account.
    pub(super) fn judge(&self, name: &str, is_well: bool, now: Instant, timing: &Timing) -> Health {
        let mut nodes = self.lock();
        let node = nodes.entry(name.to_owned()).or_insert_with(|| Observed::new(now));
        let health = node.health(now, timing);
        node.lost = matches!(health, Health::Lost { .. });
        if node.lost || !is_well {
            node.unwell_since.get_or_insert(now);
        } else {
            node.unwell_since = None;
        }
        health
    }

    /// Since when a node has been lost, or not been well by its own account; none if it is well.
    pub(super) fn unwell_since(&self, name: &str) -> Option<Instant> {
        self.lock().get(name)?.unwell_since
    }

    /// The nodes that are not well.
    pub(super) fn unwell(&self) -> Vec<String> {
        let nodes = self.lock();
        let unwell = nodes.iter().filter(|(_, node)| node.unwell_since.is_some());
        unwell.map(|(name, _)| name.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Observed>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Observed ===

impl Observed {
    fn new(now: Instant) -> Self {
        Self { heard: now, posted: false, lost: false, unwell_since: None }
    }

    fn health(&self, now: Instant, timing: &Timing) -> Health {
        let patience = if self.posted { timing.grace } else { timing.startup };
        let until = self.heard + patience;
        if now < until { Health::Alive { until } } else { Health::Lost { posted: self.posted } }
    }
}

// === impl Health ===

impl Health {
    /// When to look again.
    pub(super) fn due(self) -> Option<Instant> {
        match self {
            Self::Alive { until } => Some(until),
            Self::Lost { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        grace: Duration::from_secs(40),
        startup: Duration::from_secs(60),
        eviction: Duration::from_secs(300),
    };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_node_is_lost_when_it_was_silent_for_its_grace() {
        let start = Instant::now();
        let monitor = Monitor::default();
        monitor.appeared("n1", true, start);
        let judge = |after| monitor.judge("n1", true, start + seconds(after), &TIMING);
        assert_eq!(judge(39), Health::Alive { until: start + seconds(40) });
        assert!(!monitor.heard("n1", start + seconds(39)), "it was not lost");
        assert_eq!(judge(78), Health::Alive { until: start + seconds(79) });
        assert_eq!(monitor.unwell_since("n1"), None);
        assert_eq!(judge(79), Health::Lost { posted: true });
        assert_eq!(judge(90), Health::Lost { posted: true });
        assert_eq!(monitor.unwell_since("n1"), Some(start + seconds(79)), "since it was found out");
        assert!(monitor.heard("n1", start + seconds(100)), "it was lost");
        assert_eq!(judge(100), Health::Alive { until: start + seconds(140) });
        assert_eq!(monitor.unwell_since("n1"), None);
    }

    #[test]
    fn a_node_that_never_spoke_has_more_time() {
        let start = Instant::now();
        let monitor = Monitor::default();
        monitor.appeared("n1", false, start);
        let judge = |after| monitor.judge("n1", true, start + seconds(after), &TIMING);
        assert_eq!(judge(59), Health::Alive { until: start + seconds(60) });
        assert_eq!(judge(60), Health::Lost { posted: false });
        monitor.appeared("n1", true, start);
        assert_eq!(judge(60), Health::Lost { posted: true });
    }

    #[test]
    fn a_node_is_unwell_by_its_own_account_too() {
        let start = Instant::now();
        let monitor = Monitor::default();
        assert!(!monitor.heard("n1", start), "it is not known");
        monitor.appeared("n1", true, start);
        monitor.judge("n1", false, start + seconds(1), &TIMING);
        monitor.judge("n1", false, start + seconds(2), &TIMING);
        assert_eq!(monitor.unwell_since("n1"), Some(start + seconds(1)));
        assert_eq!(monitor.unwell(), ["n1"]);
        monitor.judge("n1", true, start + seconds(3), &TIMING);
        assert!(monitor.unwell().is_empty());
        monitor.forget("n1");
        assert_eq!(monitor.unwell_since("n1"), None);
    }
}
