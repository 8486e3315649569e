//! Where every container of a pod stands, and what comes next for it.

use std::time::Duration;

use jiff::Timestamp;
use keelson_proto::core::{Container, ContainerStatus, Pod};

use super::history::{History, Past};
use super::memory::Setback;
use super::probe::{self, Health};
use super::{INFRA, Input, StopReason, restart};
use crate::container;
use crate::runtime::{Exit, ObservedContainer};

/// How long a failed pull is shown as the error itself before it is shown as waiting for the next try.
const SHOW_ERROR: Duration = Duration::from_secs(2);

/// Where the containers of a pod stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment<'a> {
    /// The infra container.
    pub infra: History<'a>,
    /// The init containers, in order.
    pub init: Vec<Assessed<'a>>,
    /// The app containers, in order.
    pub apps: Vec<Assessed<'a>>,
    /// When something in here changes by itself.
    pub wake_at: Option<Timestamp>,
}

/// Where one container stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessed<'a> {
    /// Its definition.
    pub spec: &'a Container,
    /// What became of it so far.
    pub history: History<'a>,
    /// What comes next.
    pub next: Next<'a>,
    /// How far it has come, if it runs.
    pub health: Option<Health>,
}

/// What comes next for a container.
#[derive(Clone, Debug, PartialEq)]
pub enum Next<'a> {
    /// It runs, as it should.
    Keep,
    /// It runs, and must not any longer.
    Kill(&'a ObservedContainer, StopReason),
    /// It starts as soon as all is ready for it.
    Start {
        /// The delay its next end will cost; absent if this start is not the container's fault.
        next_delay: Option<Duration>,
    },
    /// It crashed and waits.
    Crashed {
        /// How long in all.
        delay: Duration,
    },
    /// A step failed, and it waits.
    Held {
        /// What failed.
        setback: &'a Setback,
        /// Show the failure, not the waiting.
        fresh: bool,
    },
    /// It has run, and will not again.
    Done,
}

// === impl Assessment ===

impl<'a> Assessment<'a> {
    /// Looks at every container of `pod`.
    pub fn new(pod: &'a Pod, input: &Input<'a>) -> Self {
        let mut wake_at: Option<Timestamp> = None;
        let mut assess = |specs: &'a [Container], recorded: &'a [ContainerStatus], init: bool| {
            let one = |spec: &'a Container| {
                let history = History::new(&spec.name, false, input.observed, recorded);
                let (next, wake) = next(pod, spec, init, &history, input);
                wake_at = [wake_at, wake].into_iter().flatten().min();
                let health = match history.past() {
                    Past::Running(it) => Some(probe::health(spec, it, history.recorded(), input)),
                    _ => None,
                };
                Assessed { spec, history, next, health }
            };
            specs.iter().map(one).collect::<Vec<_>>()
        };
        let init = assess(&pod.spec.init_containers, &pod.status.init_container_statuses, true);
        let apps = assess(&pod.spec.containers, &pod.status.container_statuses, false);
        Self { infra: History::new(INFRA, true, input.observed, &[]), init, apps, wake_at }
    }

    /// The running infra container.
    pub fn running_infra(&self) -> Option<&'a ObservedContainer> {
        match self.infra.past() {
            Past::Running(infra) => Some(infra),
            _ => None,
        }
    }

    /// The position of the init container whose turn it is; absent when all have done their work. Once an app
    /// container has been started they count as done, whatever the runtime remembers.
    pub fn current_init(&self) -> Option<usize> {
        if self.apps.iter().any(|app| app.history.past() != Past::None) {
            return None;
        }
        self.init.iter().position(|init| !init.is_initialized())
    }

    /// All containers but infra.
    pub fn containers(&self) -> impl Iterator<Item = &Assessed<'a>> {
        self.init.iter().chain(&self.apps)
    }
}

// === impl Assessed ===

impl Assessed<'_> {
    /// Whether, as an init container, it goes on beside the others.
    pub fn is_sidecar(&self) -> bool {
        self.spec.restart_policy.as_deref() == Some("Always")
    }

    /// Whether, as an init container, it lets the next one begin.
    pub fn is_initialized(&self) -> bool {
        match self.history.past() {
            Past::Running(_) => self.is_sidecar() && self.health >= Some(Health::Unready),
            Past::Exited(_, exit) => exit.code == 0,
            Past::Recorded(terminated) => terminated.exit_code == 0,
            Past::None | Past::Lost => false,
        }
    }
}

/// What comes next for `spec`, and when that changes by itself.
fn next<'a>(
    pod: &Pod,
    spec: &Container,
    init: bool,
    history: &History<'a>,
    input: &Input<'a>,
) -> (Next<'a>, Option<Timestamp>) {
    let start = |next_delay| held(&spec.name, input).unwrap_or((Next::Start { next_delay }, None));
    match history.past() {
        Past::None => start(None),
        Past::Running(it) => match fault(spec, it, input) {
            Some(reason) => (Next::Kill(it, reason), None),
            None => (Next::Keep, None),
        },
        // Stopped because it changed; or it ended by itself just then, which comes to the same.
        Past::Exited(it, _) if it.identity.hash != container::hash(spec) => start(None),
        Past::Exited(it, exit) if !restart::wanted(pod, spec, init, code(it, exit, input)) => {
            (Next::Done, None)
        }
        Past::Exited(_, exit) => {
            let crash = input.memory.crashes.get(&spec.name);
            let restart = restart::restart(exit, history.restarts(), crash);
            if restart.at > input.now {
                return (Next::Crashed { delay: restart.delay }, Some(restart.at));
            }
            start(Some(restart.next_delay))
        }
        Past::Recorded(end) if !restart::wanted(pod, spec, init, end.exit_code) => (Next::Done, None),
        Past::Lost if pod.spec.restart_policy == "Never" => (Next::Done, None),
        Past::Recorded(_) | Past::Lost => start(None),
    }
}

/// Why a running container must not run any longer.
fn fault(spec: &Container, it: &ObservedContainer, input: &Input<'_>) -> Option<StopReason> {
    if it.identity.hash != container::hash(spec) {
        return Some(StopReason::SpecChanged);
    }
    if input.memory.post_starts.get(&it.id) == Some(&false) {
        return Some(StopReason::PostStartFailed);
    }
    probe::fatal(input, &it.id).map(StopReason::Unhealthy)
}

/// How a container ended, for the restart policy: one that was killed as broken did not succeed, whatever it says.
fn code(it: &ObservedContainer, exit: &Exit, input: &Input<'_>) -> i32 {
    let broken =
        input.memory.post_starts.get(&it.id) == Some(&false) || probe::fatal(input, &it.id).is_some();
    if broken && exit.code == 0 { 1 } else { exit.code }
}

/// Whether a failure holds the container back.
fn held<'a>(name: &str, input: &Input<'a>) -> Option<(Next<'a>, Option<Timestamp>)> {
    let setback = input.memory.setbacks.get(name)?;
    let fresh_until = crate::clock::later(setback.failed_at, SHOW_ERROR);
    let fresh = input.now < fresh_until;
    let wake = if fresh { fresh_until } else { setback.retry_at() };
    (setback.retry_at() > input.now).then_some((Next::Held { setback, fresh }, Some(wake)))
}
