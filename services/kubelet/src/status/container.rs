//! The status of one container.

use keelson_proto::core::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    Pod,
};

use crate::plan::{
    Assessed, Assessment, Health, History, INFRA, Input, Memory, Next, Past, Setback, SetbackKind,
};
use crate::runtime::{self, Exit, ObservedContainer};

/// Exit code of a container of which no trace is left: as if killed (Kubernetes' value).
const LOST: i32 = 137;

/// What the statuses of a pod's containers have in common.
pub(super) struct Context<'a> {
    pub(super) pod: &'a Pod,
    pub(super) input: &'a Input<'a>,
    pub(super) assessment: &'a Assessment<'a>,
    /// Nothing of the pod is started again.
    pub(super) ends: bool,
}

// === impl Context ===

impl Context<'_> {
    /// The statuses of `containers`, in their order.
    pub(super) fn statuses(&self, containers: &[Assessed<'_>]) -> Vec<ContainerStatus> {
        containers.iter().map(|container| self.status(container)).collect()
    }

    fn status(&self, assessed: &Assessed<'_>) -> ContainerStatus {
        let (spec, history, input) = (assessed.spec, &assessed.history, self.input);
        let mut status = ContainerStatus {
            name: spec.name.clone(),
            image: spec.image.clone(),
            restart_count: i32::try_from(history.restarts()).unwrap_or(i32::MAX),
            started: Some(false),
            last_state: earlier(input, history),
            ..ContainerStatus::default()
        };
        let ended = match (history.past(), assessed.health) {
            // Nobody is to rely on it before its hook has ended.
            (Past::None, _) | (Past::Running(_), None | Some(Health::Greeting)) => None,
            (Past::Running(container), Some(health)) => {
                describe(&mut status, input, container);
                let started_at = started_at(container);
                status.state.running = Some(ContainerStateRunning { started_at: started_at.map(Into::into) });
                status.ready = health == Health::Ready;
                status.started = Some(health >= Health::Unready);
                return status;
            }
            (Past::Exited(container, exit), _) => {
                describe(&mut status, input, container);
                Some(terminated(input, container, exit))
            }
            (Past::Recorded(end), _) => {
                copy(&mut status, history);
                Some(end.clone())
            }
            (Past::Lost, _) => {
                copy(&mut status, history);
                Some(lost(&status))
            }
        };
        match (self.waiting(assessed, ended.is_some()), ended) {
            (Some(waiting), ended) => {
                status.state.waiting = Some(waiting);
                if ended.is_some() {
                    status.last_state = ContainerState { terminated: ended, ..ContainerState::default() };
                }
            }
            (None, ended) => status.state.terminated = ended,
        }
        if status.state.terminated.as_ref().is_some_and(|end| end.exit_code == 0) {
            // An init container that did its work is ready, as a pod's readers expect.
            status.ready = self.assessment.init.iter().any(|init| init.spec.name == spec.name);
        }
        status
    }

    /// Why a container that does not run is waiting; absent if it is not.
    fn waiting(&self, assessed: &Assessed<'_>, ran: bool) -> Option<ContainerStateWaiting> {
        let wait = |reason: &str, message: String| {
            Some(ContainerStateWaiting { reason: reason.to_owned(), message })
        };
        match &assessed.next {
            _ if self.ends && ran => None,
            Next::Crashed { delay } => {
                let metadata = &self.pod.metadata;
                let message = format!(
                    "back-off {} restarting failed container={} pod={}_{}({})",
                    go_duration(delay.as_secs()),
                    assessed.spec.name,
                    metadata.name,
                    metadata.namespace,
                    metadata.uid
                );
                wait("CrashLoopBackOff", message)
            }
            Next::Held { setback, fresh } => {
                let (reason, message) = explain(setback, *fresh, &assessed.spec.image);
                wait(reason, message)
            }
            _ if ran => None,
            _ if self.assessment.current_init().is_some() => wait("PodInitializing", String::new()),
            _ => wait("ContainerCreating", obstacle(self.input)),
        }
    }
}

/// Image and id, from the runtime.
fn describe(status: &mut ContainerStatus, input: &Input<'_>, container: &ObservedContainer) {
    status.image.clone_from(&container.image);
    status.image_id = format!("{}://{}", input.runtime, container.image_id);
    status.container_id = format!("{}://{}", input.runtime, container.id);
}

/// Image and id, as last recorded.
fn copy(status: &mut ContainerStatus, history: &History<'_>) {
    if let Some(recorded) = history.recorded() {
        status.image_id.clone_from(&recorded.image_id);
        status.container_id.clone_from(&recorded.container_id);
    }
}

fn started_at(container: &ObservedContainer) -> Option<jiff::Timestamp> {
    match &container.state {
        runtime::ContainerState::Running { started_at } => Some(*started_at),
        _ => None,
    }
}

/// How the run before the present one ended.
fn earlier(input: &Input<'_>, history: &History<'_>) -> ContainerState {
    let previous = history.previous();
    if let Some(container) = previous
        && let runtime::ContainerState::Exited(exit) = &container.state
    {
        return ContainerState {
            terminated: Some(terminated(input, container, exit)),
            ..ContainerState::default()
        };
    }
    let recorded = history.recorded().filter(|_| history.restarts() > 0);
    recorded.map(|status| status.last_state.clone()).unwrap_or_default()
}

fn terminated(input: &Input<'_>, container: &ObservedContainer, exit: &Exit) -> ContainerStateTerminated {
    let reason = match exit {
        Exit { oom_killed: true, .. } => "OOMKilled",
        Exit { error, .. } if !error.is_empty() => "ContainerCannotRun",
        Exit { code: 0, .. } => "Completed",
        _ => "Error",
    };
    let words = input.memory.messages.get(&container.id).filter(|message| !message.is_empty());
    ContainerStateTerminated {
        exit_code: exit.code,
        reason: reason.to_owned(),
        message: words.unwrap_or(&exit.error).clone(),
        started_at: exit.started_at.map(Into::into),
        finished_at: Some(exit.finished_at.into()),
        container_id: format!("{}://{}", input.runtime, container.id),
        ..ContainerStateTerminated::default()
    }
}

fn lost(status: &ContainerStatus) -> ContainerStateTerminated {
    ContainerStateTerminated {
        exit_code: LOST,
        reason: "ContainerStatusUnknown".to_owned(),
        message: "The container is gone from the container runtime, and with it how it ended".to_owned(),
        container_id: status.container_id.clone(),
        ..ContainerStateTerminated::default()
    }
}

/// What keeps all containers of the pod from starting.
fn obstacle(input: &Input<'_>) -> String {
    let setbacks = &input.memory.setbacks;
    let setback = setbacks.get(Memory::VOLUMES).or_else(|| setbacks.get(INFRA));
    setback.map(|setback| setback.message.clone()).unwrap_or_default()
}

/// Reason and message of a failure: the error itself at first, then that the next try is awaited.
fn explain(setback: &Setback, fresh: bool, image: &str) -> (&'static str, String) {
    let message = setback.message.clone();
    match setback.kind {
        SetbackKind::Pull if fresh => ("ErrImagePull", message),
        SetbackKind::Pull => ("ImagePullBackOff", format!("Back-off pulling image \"{image}\": {message}")),
        SetbackKind::NeverPull => ("ErrImageNeverPull", message),
        SetbackKind::ImageName => ("InvalidImageName", message),
        SetbackKind::Config => ("CreateContainerConfigError", message),
        SetbackKind::Create => ("CreateContainerError", message),
        SetbackKind::Volume => ("ContainerCreating", message),
    }
}

/// Seconds as Go spells a duration: `10s`, `2m40s`, `5m0s`.
fn go_duration(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, s) => format!("{s}s"),
        (m, s) => format!("{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spelled_as_go_spells_them() {
        let table = [(0, "0s"), (10, "10s"), (60, "1m0s"), (160, "2m40s"), (300, "5m0s")];
        for (seconds, text) in table {
            assert_eq!(go_duration(seconds), text);
        }
    }
}
