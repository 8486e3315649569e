//! What the kubelet remembers of a pod beyond what the runtime shows. All of it may be lost: a restarted kubelet
//! waits a little longer or shorter, and comes to the same end.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::probe::{ProbeKind, Track};
use crate::clock::later;
use crate::runtime::{ImageStatus, ObservedContainer};

/// First delay after a failure, and the longest (Kubernetes' values).
pub(super) const FIRST_DELAY: Duration = Duration::from_secs(10);
pub(super) const MAX_DELAY: Duration = Duration::from_secs(300);

/// Memory of one pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The node will not run the pod.
    pub rejection: Option<Rejection>,
    /// The pod's volumes.
    pub volumes: VolumeState,
    /// When volumes that are there are to be made anew: what they are made from has changed, or gets too old.
    pub refresh_at: Option<Timestamp>,
    /// Images that were got and not yet used, by container name: one image serves one start.
    pub images: BTreeMap<String, ImageStatus>,
    /// What failed last, by container name (the infra container's is `POD`), and for the volumes.
    pub setbacks: BTreeMap<String, Setback>,
    /// Restarts of crashing containers, by container name.
    pub crashes: BTreeMap<String, Crash>,
    /// Last words of ended containers, by id.
    pub messages: BTreeMap<String, String>,
    /// What probes have found, by container id.
    pub probes: BTreeMap<(String, ProbeKind), Track>,
    /// PostStart hooks that have ended, by container id: whether they succeeded.
    pub post_starts: BTreeMap<String, bool>,
    /// PreStop hooks that have ended, well or not, by container id: when.
    pub pre_stops: BTreeMap<String, Timestamp>,
    /// Containers that are being ended, by id: the first deadline they were given.
    pub stopping: BTreeMap<String, Timestamp>,
    /// The node needs what the pod takes.
    pub eviction: Option<Rejection>,
    /// When api no longer had the pod.
    pub gone_since: Option<Timestamp>,
    /// Volumes and directories are removed.
    pub torn_down: bool,
    /// Api knows that nothing is left.
    pub confirmed: bool,
    /// Api will not take the status: do not wait for it.
    pub status_refused: bool,
}

/// Why the node does not run a pod, or does so no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// One word.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// Whether the pod's volumes are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VolumeState {
    /// Not yet.
    #[default]
    Absent,
    /// Made by this kubelet process.
    Mounted,
}

/// What kind of step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetbackKind {
    /// The image could not be pulled.
    Pull,
    /// The image is not there and must not be pulled.
    NeverPull,
    /// The image's name is none.
    ImageName,
    /// The container's definition cannot be met: a reference that leads nowhere.
    Config,
    /// The runtime would not create or start it.
    Create,
    /// A volume could not be made.
    Volume,
}

/// A step that failed and is tried again later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setback {
    /// What kind of step.
    pub kind: SetbackKind,
    /// The error, in words.
    pub message: String,
    /// When it failed.
    pub failed_at: Timestamp,
    /// How long to wait.
    pub delay: Duration,
}

/// A crashing container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// How long to wait after its next end.
    pub delay: Duration,
}

// === impl Memory ===

impl Memory {
    /// Key of the volumes' setback; no container can have this name.
    pub const VOLUMES: &'static str = "/volumes";

    /// Notes a failure; the next attempt waits twice as long as the one before.
    pub fn failed(&mut self, name: &str, kind: SetbackKind, message: String, now: Timestamp) {
        let before = self.setbacks.get(name).filter(|setback| setback.kind == kind);
        let delay = before.map_or(FIRST_DELAY, |setback| doubled(setback.delay));
        self.setbacks.insert(name.to_owned(), Setback { kind, message, failed_at: now, delay });
    }

    /// Asks for the volumes to be made anew at `at`, if not before.
    pub fn refresh(&mut self, at: Option<Timestamp>) {
        self.refresh_at = [self.refresh_at, at].into_iter().flatten().min();
    }

    /// Forgets what failed for want of something that the pod refers to.
    pub fn retry_references(&mut self) {
        self.setbacks.retain(|_, setback| !matches!(setback.kind, SetbackKind::Volume | SetbackKind::Config));
    }

    /// Notes that a step of `name` succeeded.
    pub fn succeeded(&mut self, name: &str) {
        self.setbacks.remove(name);
    }

    /// Forgets what belongs to containers that are not there any more.
    pub fn keep(&mut self, observed: &[ObservedContainer]) {
        let there = |id: &String| observed.iter().any(|container| container.id == *id);
        self.messages.retain(|id, _| there(id));
        self.probes.retain(|(id, _), _| there(id));
        self.post_starts.retain(|id, _| there(id));
        self.pre_stops.retain(|id, _| there(id));
        self.stopping.retain(|id, _| there(id));
    }

    /// Forgets what a container has to wait for: its next start is due at once.
    pub fn forgive(&mut self, name: &str) {
        self.succeeded(name);
        self.crashes.insert(name.to_owned(), Crash { delay: Duration::ZERO });
    }

    /// Notes that a container is started again, with the delay that its next end will cost.
    pub fn restarted(&mut self, name: &str, next_delay: Duration) {
        self.crashes.insert(name.to_owned(), Crash { delay: next_delay });
    }
}

// === impl Setback ===

impl Setback {
    /// When to try again.
    pub fn retry_at(&self) -> Timestamp {
        later(self.failed_at, self.delay)
    }
}

/// Twice the delay, up to the longest.
pub(super) fn doubled(delay: Duration) -> Duration {
    delay.saturating_mul(2).min(MAX_DELAY)
}
