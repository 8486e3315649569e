//! Probes as data: what each of them has found so far, and when it is due again.

use std::time::Duration;

use jiff::Timestamp;
use keelson_proto::core::{Container, ContainerStatus, Probe};

use super::{Action, Input, Key};
use crate::clock::{later, until};
use crate::runtime::{ContainerState, ObservedContainer};

/// A probe's period if nobody said (api fills it in).
const DEFAULT_PERIOD: i32 = 10;

/// Failures in a row that count if nobody said (api fills it in).
const DEFAULT_FAILURES: i32 = 3;

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    /// The other probes wait until it succeeds; the container is killed if it does not.
    Startup,
    /// The container is killed when it fails.
    Liveness,
    /// The container is not ready while it fails.
    Readiness,
}

/// What one probe of one container instance has found so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    /// What it found last, and how often in a row.
    last: Option<(bool, u32)>,
    /// What counts: the last finding that was found often enough.
    verdict: Option<bool>,
    /// When it is due again.
    due_at: Timestamp,
}

/// How far a running container has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Its postStart hook has not ended.
    Greeting,
    /// Its startup probe has not succeeded.
    Starting,
    /// It has started, and is not ready.
    Unready,
    /// It is ready.
    Ready,
}

// === impl ProbeKind ===

impl ProbeKind {
    /// All of them, in the order in which they matter.
    pub const ALL: [Self; 3] = [Self::Startup, Self::Liveness, Self::Readiness];

    /// The probe of this kind that `container` defines.
    pub fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup_probe.as_ref(),
            Self::Liveness => container.liveness_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
        }
    }

    /// Its name, as a word within a sentence.
    pub fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }
}

// === impl Track ===

impl Track {
    /// Nothing found yet.
    fn new(now: Timestamp) -> Self {
        Self { last: None, verdict: None, due_at: now }
    }

    /// Takes what a check of `probe` that began at `begun_at` has found; nothing if it could not be done.
    pub fn note(before: Option<Self>, probe: &Probe, found: Option<bool>, begun_at: Timestamp) -> Self {
        let mut track = before.unwrap_or_else(|| Self::new(begun_at));
        track.due_at = later(begun_at, period(probe));
        let Some(found) = found else { return track };
        let before = track.last.filter(|(last, _)| *last == found).map_or(0, |(_, run)| run);
        let run = before.saturating_add(1);
        track.last = Some((found, run));
        if run >= threshold(probe, found) {
            track.verdict = Some(found);
        }
        track
    }

    /// What counts now; nothing before the first threshold is reached.
    pub fn verdict(&self) -> Option<bool> {
        self.verdict
    }
}

fn period(probe: &Probe) -> Duration {
    let seconds = if probe.period_seconds > 0 { probe.period_seconds } else { DEFAULT_PERIOD };
    Duration::from_secs(u64::from(seconds.unsigned_abs()))
}

/// How often in a row `found` must be found to count.
fn threshold(probe: &Probe, found: bool) -> u32 {
    let wanted = match (found, probe.success_threshold, probe.failure_threshold) {
        (true, wanted, _) => wanted,
        (false, _, 0) => DEFAULT_FAILURES,
        (false, _, wanted) => wanted,
    };
    u32::try_from(wanted).unwrap_or(1).max(1)
}

/// How far the running `instance` of `spec` has come. What the kubelet has forgotten is taken from the status that it
/// wrote of this very instance.
pub(super) fn health(
    spec: &Container,
    instance: &ObservedContainer,
    recorded: Option<&ContainerStatus>,
    input: &Input<'_>,
) -> Health {
    let recorded = recorded.filter(|status| is_of(status, instance));
    let found = |kind: ProbeKind, known: fn(&ContainerStatus) -> bool| {
        let verdict = verdict(input, &instance.id, kind);
        kind.of(spec).is_none() || verdict.unwrap_or_else(|| recorded.is_some_and(known))
    };
    if post_start_is_due(spec, instance, recorded, input) {
        Health::Greeting
    } else if !found(ProbeKind::Startup, |status| status.started == Some(true)) {
        Health::Starting
    } else if found(ProbeKind::Readiness, |status| status.ready) {
        Health::Ready
    } else {
        Health::Unready
    }
}

/// Whether the instance's postStart hook has not ended yet. A container is reported as running only after that.
fn post_start_is_due(
    spec: &Container,
    instance: &ObservedContainer,
    recorded: Option<&ContainerStatus>,
    input: &Input<'_>,
) -> bool {
    let hook = spec.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.as_ref());
    let over = input.memory.post_starts.contains_key(&instance.id);
    hook.is_some() && !over && recorded.is_none_or(|status| status.state.running.is_none())
}

/// The probe that wants the instance `id` to be killed.
pub(super) fn fatal(input: &Input<'_>, id: &str) -> Option<ProbeKind> {
    let fatal = [ProbeKind::Startup, ProbeKind::Liveness];
    fatal.into_iter().find(|kind| verdict(input, id, *kind) == Some(false))
}

/// The probes of a running instance that are due, and when to ask again. While a pod `ends` only its readiness counts.
pub(super) fn due(
    spec: &Container,
    instance: &ObservedContainer,
    health: Health,
    ends: bool,
    input: &Input<'_>,
) -> (Vec<Action>, Option<Timestamp>) {
    let ContainerState::Running { started_at } = instance.state else { return (Vec::new(), None) };
    let (mut actions, mut wake_at) = (Vec::new(), None);
    // What was found broken stays so until it is replaced.
    let ends = ends || fatal(input, &instance.id).is_some();
    for kind in ProbeKind::ALL {
        let Some(probe) = kind.of(spec).filter(|_| is_on(kind, health, ends)) else { continue };
        let action = Action::Probe { id: instance.id.clone(), container: spec.name.clone(), kind };
        if input.busy(&action.key()) {
            continue;
        }
        let delay = Duration::from_secs(u64::try_from(probe.initial_delay_seconds).unwrap_or(0));
        let track = input.memory.probes.get(&(instance.id.clone(), kind));
        let at = track.map_or_else(|| later(started_at, delay), |track| track.due_at);
        // Never further off than it can be: somebody may have set the clock back.
        let set_back = until(input.now, at) > period(probe).max(delay);
        if at <= input.now || set_back {
            actions.push(action);
        } else {
            wake_at = [wake_at, Some(at)].into_iter().flatten().min();
        }
    }
    (actions, wake_at)
}

/// Whether probes of this kind run at all now.
fn is_on(kind: ProbeKind, health: Health, ends: bool) -> bool {
    match kind {
        ProbeKind::Startup => health == Health::Starting && !ends,
        ProbeKind::Liveness => health >= Health::Unready && !ends,
        ProbeKind::Readiness => health >= Health::Unready,
    }
}

/// The checks and hooks under way that nobody waits for any more.
pub(super) fn useless(input: &Input<'_>, ends: bool) -> Vec<Key> {
    let runs = |id: &str| input.observed.iter().any(|c| c.id == id && super::history::is_running(c));
    let useless = |key: &&Key| match key {
        Key::Probe(id, kind) => !runs(id) || (ends && *kind != ProbeKind::Readiness),
        Key::PostStart(id) | Key::PreStop(id) => !runs(id),
        _ => false,
    };
    input.in_flight.keys().filter(useless).cloned().collect()
}

fn verdict(input: &Input<'_>, id: &str, kind: ProbeKind) -> Option<bool> {
    input.memory.probes.get(&(id.to_owned(), kind)).and_then(Track::verdict)
}

/// Whether a recorded status is one of this instance.
fn is_of(status: &ContainerStatus, instance: &ObservedContainer) -> bool {
    status.container_id.rsplit("//").next() == Some(instance.id.as_str())
}
