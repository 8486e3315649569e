//! Pods that have no node yet: ready to be tried, on their way to a node, backing off, or parked until something
//! changes that could help them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use keelson_base_daemon::trace::Cause;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::pod;
use tokio::time::Instant;

use crate::pod::PodInfo;

/// The first delay of a pod whose binding failed, doubled by each further failure up to `MAX_BACKOFF`; as today's
/// Kubernetes does.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// How long a pod stays parked at most: a safety net, should an event that could help it be missed.
const MAX_PARKED: Duration = Duration::from_secs(300);

/// Pods without a node. Ready ones come out by priority, then by age.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: HashMap<ObjectKey, Entry>,
    ready: BTreeMap<Rank, ObjectKey>,
    timers: BTreeSet<(Instant, ObjectKey)>,
    arrivals: u64,
}

/// How many pods are in each part of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Ready, or being tried.
    pub(crate) active: usize,
    /// Waiting for a delay.
    pub(crate) backoff: usize,
    /// Waiting for something to change.
    pub(crate) unschedulable: usize,
}

/// A pod to be tried now.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// The pod.
    pub(crate) pod: Arc<PodInfo>,
    /// The traced change that brought the pod here.
    pub(crate) cause: Option<Cause>,
    /// Whether this is the first reaction to it.
    pub(crate) is_first: bool,
}

#[derive(Debug)]
struct Entry {
    pod: Arc<PodInfo>,
    rank: Rank,
    cause: Option<Cause>,
    /// How often it was tried.
    attempts: u32,
    /// How often binding failed.
    failures: u32,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Ready,
    /// Taken out; [`Queue::park`], [`Queue::retry`] or [`Queue::remove`] comes next.
    Trying,
    /// Comes back by itself.
    BackingOff(Instant),
    /// Comes back when woken, at the latest at this time.
    Parked {
        until: Instant,
        why: Arc<str>,
    },
}

/// The order in which pods are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    priority: Reverse<i32>,
    created: i64,
    arrival: u64,
}

// === impl Queue ===

impl Queue {
    /// Takes in a pod's state. A new pod, and a parked one that asks for something else now, is ready.
    pub(crate) fn insert(&mut self, pod: Arc<PodInfo>, cause: Option<Cause>) {
        if self.refresh(&pod) {
            return;
        }
        self.remove(&pod.key);
        self.arrivals += 1;
        let metadata = &pod.pod.metadata;
        let rank = Rank {
            priority: Reverse(pod::priority(&pod.pod)),
            created: metadata.creation_timestamp.map_or(0, |created| created.seconds),
            arrival: self.arrivals,
        };
        let key = pod.key.clone();
        self.ready.insert(rank, key.clone());
        let entry = Entry { pod, rank, cause, attempts: 0, failures: 0, place: Place::Ready };
        self.entries.insert(key, entry);
    }

    /// Takes in the state of a pod if it is here; answers whether it is.
    pub(crate) fn refresh(&mut self, pod: &Arc<PodInfo>) -> bool {
        let Some(entry) = self.entries.get_mut(&pod.key).filter(|entry| entry.pod.uid() == pod.uid()) else {
            return false;
        };
        let is_alike = entry.pod.is_alike(pod);
        entry.pod = pod.clone();
        if !is_alike && matches!(entry.place, Place::Parked { .. }) {
            self.make_ready(&pod.key);
        }
        true
    }

    /// The pod is gone, has a node, or is not ours any more.
    pub(crate) fn remove(&mut self, key: &ObjectKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.leave(key, &entry.place, entry.rank);
        }
    }

    /// Takes out the ready pod whose turn it is.
    pub(crate) fn take(&mut self) -> Option<Attempt> {
        let (_, key) = self.ready.pop_first()?;
        let entry = self.entries.get_mut(&key)?;
        entry.place = Place::Trying;
        entry.attempts = entry.attempts.saturating_add(1);
        Some(Attempt { pod: entry.pod.clone(), cause: entry.cause, is_first: entry.attempts == 1 })
    }

    /// No node takes the pod now: it waits to be woken.
    pub(crate) fn park(&mut self, key: &ObjectKey, why: &str, now: Instant) {
        let until = now + MAX_PARKED;
        self.put_back(key, until, Place::Parked { until, why: why.into() });
    }

    /// The pod could not be bound: it waits for a delay that grows with its failures. Answers whether this pod is
    /// still here.
    pub(crate) fn retry(&mut self, key: &ObjectKey, uid: &str, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.pod.uid() == uid) else {
            return false;
        };
        let delay = FIRST_BACKOFF.saturating_mul(1_u32.checked_shl(entry.failures).unwrap_or(u32::MAX));
        entry.failures = entry.failures.saturating_add(1);
        let until = now + delay.min(MAX_BACKOFF);
        self.put_back(key, until, Place::BackingOff(until));
        true
    }

    /// Makes the parked pods ready that `could_fit` says yes to.
    pub(crate) fn wake(&mut self, mut could_fit: impl FnMut(&PodInfo) -> bool) {
        let parked = self.entries.iter().filter(|(_, entry)| matches!(entry.place, Place::Parked { .. }));
        let woken = parked.filter(|(_, entry)| could_fit(&entry.pod)).map(|(key, _)| key.clone());
        for key in woken.collect::<Vec<_>>() {
            self.make_ready(&key);
        }
    }

    /// Makes all pods ready, as if none had been tried.
    pub(crate) fn begin_term(&mut self) {
        for key in self.entries.keys().cloned().collect::<Vec<_>>() {
            self.make_ready(&key);
        }
        for entry in self.entries.values_mut() {
            entry.failures = 0;
        }
    }

    /// How many pods are in each part.
    pub(crate) fn pending(&self) -> Pending {
        let mut pending = Pending::default();
        for entry in self.entries.values() {
            *match entry.place {
                Place::Ready | Place::Trying => &mut pending.active,
                Place::BackingOff(_) => &mut pending.backoff,
                Place::Parked { .. } => &mut pending.unschedulable,
            } += 1;
        }
        pending
    }

    /// Makes the pods ready whose time has come.
    pub(crate) fn wake_due(&mut self, now: Instant) {
        while let Some((_, key)) = self.timers.first().filter(|(until, _)| *until <= now).cloned() {
            self.make_ready(&key);
        }
    }

    /// When [`Queue::wake_due`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|(until, _)| *until)
    }

    /// A parked pod in its last known state, and why it is parked.
    pub(crate) fn parked(&self, key: &ObjectKey) -> Option<(&Arc<PodInfo>, &str)> {
        let entry = self.entries.get(key)?;
        match &entry.place {
            Place::Parked { why, .. } => Some((&entry.pod, why)),
            _ => None,
        }
    }

    /// Whether a pod is parked at all.
    pub(crate) fn has_parked(&self) -> bool {
        // Parked pods have a timer, as have those that back off.
        !self.timers.is_empty()
    }

    fn make_ready(&mut self, key: &ObjectKey) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let rank = entry.rank;
        let left = std::mem::replace(&mut entry.place, Place::Ready);
        self.leave(key, &left, rank);
        self.ready.insert(rank, key.clone());
    }

    /// Puts a pod that is being tried to where it waits until `until`.
    fn put_back(&mut self, key: &ObjectKey, until: Instant, place: Place) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let rank = entry.rank;
        let left = std::mem::replace(&mut entry.place, place);
        self.leave(key, &left, rank);
        self.timers.insert((until, key.clone()));
    }

    /// Cleans up after a pod that has left its place.
    fn leave(&mut self, key: &ObjectKey, place: &Place, rank: Rank) {
        match place {
            Place::Ready => {
                self.ready.remove(&rank);
            }
            Place::Trying => {}
            Place::BackingOff(until) | Place::Parked { until, .. } => {
                self.timers.remove(&(*until, key.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
