//! What to do for one pod, and what to say about it: a pure function of what is wanted and what is seen.
//!
//! [`plan`] is asked again after everything that happens. It names the actions that can begin now; those that are
//! under way are part of its input, so no container is ever started twice. It promises nothing about the future but
//! [`Plan::wake_at`], the time at which the same input would give another answer.

mod assess;
mod ending;
mod garbage;
mod history;
mod memory;
mod probe;
mod restart;
mod running;
mod stop;

pub use self::assess::{Assessed, Assessment, Next};
pub use self::history::{History, Past};
pub use self::memory::{Crash, Memory, Rejection, Setback, SetbackKind, VolumeState};
pub use self::probe::{Health, ProbeKind, Track};

pub(crate) use self::restart::wanted as is_restarted;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use keelson_proto::core::{Pod, PodStatus};

use crate::runtime::ObservedContainer;
use crate::status;

/// Name of the infra container.
pub const INFRA: &str = "POD";

/// Everything that a plan is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The pod as api has it; absent for containers whose pod nobody knows.
    pub pod: Option<&'a Pod>,
    /// Whether api no longer has the pod.
    pub gone: bool,
    /// The pod's containers, dead ones included.
    pub observed: &'a [ObservedContainer],
    /// What the kubelet remembers of earlier attempts.
    pub memory: &'a Memory,
    /// Actions under way.
    pub in_flight: &'a InFlight,
    /// The node's addresses, the first being the pod's `hostIP`.
    pub host_ips: &'a [IpAddr],
    /// The scheme of container ids: `docker`.
    pub runtime: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// What to do and to say now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// To begin at once, side by side. One with the key of an action under way replaces that.
    pub actions: Vec<Action>,
    /// Actions under way that have lost their purpose.
    pub cancel: Vec<Key>,
    /// The pod's status; absent if there is no pod to have one.
    pub status: Option<PodStatus>,
    /// Ask again at this time, if nothing happens before.
    pub wake_at: Option<Timestamp>,
    /// Nothing is left, and nothing will come: forget the pod.
    pub finished: bool,
}

/// Something to do for a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make the pod's directories and volumes.
    MountVolumes,
    /// Start an infra container.
    StartInfra {
        /// Its attempt number.
        attempt: u32,
    },
    /// Get the image of a container, by its pull policy.
    GetImage {
        /// The container's name.
        container: String,
    },
    /// Start a container whose image is there.
    Start {
        /// The container's name.
        container: String,
        /// Its attempt number.
        attempt: u32,
        /// Id of the infra container to join.
        infra: String,
        /// How long it will wait after its next end; absent if this start is not for a crash.
        next_delay: Option<Duration>,
    },
    /// Run the postStart hook of a container that was just started.
    PostStart {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
    },
    /// Do a check.
    Probe {
        /// The container's id.
        id: String,
        /// Its name.
        container: String,
        /// Which of its probes.
        kind: ProbeKind,
    },
    /// Run the preStop hook of a container that is to be stopped.
    PreStop {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
        /// When the hook is over, whether it has ended or not.
        deadline: Timestamp,
        /// Why the container is stopped, for the event.
        reason: StopReason,
    },
    /// Stop a container.
    Stop {
        /// Its id.
        id: String,
        /// Its name.
        container: String,
        /// When it is killed, if it does not end by itself.
        deadline: Timestamp,
        /// Why, for the event.
        reason: StopReason,
    },
    /// Remove a container that does not run.
    Remove {
        /// Its id.
        id: String,
    },
    /// Unmount the pod's volumes and remove its directories.
    Teardown,
    /// Tell api that nothing is left of the pod.
    ConfirmDeletion,
}

/// What an action is about: two actions of one key are never under way at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The pod's volumes and directories.
    Volumes,
    /// Starting the infra container.
    Infra,
    /// Bringing up the container of this name.
    Container(String),
    /// The postStart hook of the container of this id.
    PostStart(String),
    /// A probe of the container of this id.
    Probe(String, ProbeKind),
    /// The preStop hook of the container of this id.
    PreStop(String),
    /// Ending the container of this id.
    Instance(String),
    /// The deletion in api.
    Deletion,
}

/// Why a container is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The pod is deleted, or its time is up.
    PodEnds,
    /// Its definition changed.
    SpecChanged,
    /// Its probe of this kind failed for good.
    Unhealthy(ProbeKind),
    /// Its postStart hook failed.
    PostStartFailed,
    /// The infra container it belongs to is gone.
    InfraLost,
}

/// Actions under way.
pub type InFlight = BTreeMap<Key, Action>;

/// Decides.
pub fn plan(input: &Input<'_>) -> Plan {
    let Some(pod) = input.pod else {
        return ending::plan(input, None);
    };
    let assessment = Assessment::new(pod, input);
    let status::Computed { status, over } = status::compute(pod, input, &assessment);
    let ends = input.gone || pod.metadata.deletion_timestamp.is_some();
    let mut plan = if ends {
        ending::plan(input, Some(&status))
    } else if over {
        ending::wind_down(input)
    } else {
        running::plan(pod, input, &assessment)
    };
    plan.probes(input, &assessment, ends || over);
    plan.wake(assessment.wake_at);
    plan.wake(status::deadline(pod, &status).filter(|at| !ends && *at > input.now));
    plan.status = Some(status);
    plan
}

// === impl Plan ===

impl Plan {
    /// Asks to be called again at `at` or earlier.
    fn wake(&mut self, at: Option<Timestamp>) {
        self.wake_at = [self.wake_at, at].into_iter().flatten().min();
    }

    /// Adds the probes that are due, and gives up those that nobody waits for.
    fn probes(&mut self, input: &Input<'_>, assessment: &Assessment<'_>, ends: bool) {
        self.cancel.extend(probe::useless(input, ends));
        for assessed in assessment.containers() {
            let (Past::Running(instance), Some(health)) = (assessed.history.past(), assessed.health) else {
                continue;
            };
            let (due, wake_at) = probe::due(assessed.spec, instance, health, ends, input);
            self.actions.extend(due);
            self.wake(wake_at);
        }
    }
}

// === impl Action ===

impl Action {
    /// What it is about.
    pub fn key(&self) -> Key {
        match self {
            Self::MountVolumes | Self::Teardown => Key::Volumes,
            Self::StartInfra { .. } => Key::Infra,
            Self::GetImage { container } | Self::Start { container, .. } => Key::Container(container.clone()),
            Self::PostStart { id, .. } => Key::PostStart(id.clone()),
            Self::Probe { id, kind, .. } => Key::Probe(id.clone(), *kind),
            Self::PreStop { id, .. } => Key::PreStop(id.clone()),
            Self::Stop { id, .. } | Self::Remove { id } => Key::Instance(id.clone()),
            Self::ConfirmDeletion => Key::Deletion,
        }
    }

    /// Whether it only looks.
    pub fn is_probe(&self) -> bool {
        matches!(self, Self::Probe { .. })
    }

    /// Whether it may leave a new container behind.
    pub fn starts_container(&self) -> bool {
        matches!(self, Self::StartInfra { .. } | Self::Start { .. })
    }
}

// === impl Input ===

impl Input<'_> {
    /// Whether an action about `key` is under way.
    fn busy(&self, key: &Key) -> bool {
        self.in_flight.contains_key(key)
    }

    /// Whether a container may come into being at any moment.
    fn starting(&self) -> bool {
        self.in_flight.values().any(Action::starts_container)
    }

    /// A removal of `container`, unless something is already done to it.
    fn remove(&self, container: &ObservedContainer) -> Option<Action> {
        let action = Action::Remove { id: container.id.clone() };
        (!self.busy(&action.key())).then_some(action)
    }
}

#[cfg(test)]
mod tests;
