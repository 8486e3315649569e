//! Taking a pod down: containers side by side, then infra, then everything that is left; and telling api.

use std::time::Duration;

use jiff::Timestamp;
use keelson_proto::core::{Container, Pod, PodStatus};

use super::history::is_running;
use super::{Action, Input, Key, Plan, StopReason};
use crate::clock::later;
use crate::runtime::{ObservedContainer, Role};

/// Grace if neither the pod nor its containers say any.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// What a container of a pod has whose node runs short (Kubernetes' value).
const EVICTION_GRACE: Duration = Duration::from_secs(1);

/// The actions for a pod that is being deleted, or that api no longer has. `status` is what should be in api before
/// its containers vanish.
pub(super) fn plan(input: &Input<'_>, status: Option<&PodStatus>) -> Plan {
    let mut plan = wind_down(input);
    let running = input.observed.iter().any(is_running);
    if running || input.starting() || !plan.actions.is_empty() {
        return plan;
    }
    let reported = input.gone || input.memory.status_refused || input.pod.map(|pod| &pod.status) == status;
    if !reported {
        return plan;
    }
    if !input.observed.is_empty() {
        plan.actions.extend(input.observed.iter().filter_map(|container| input.remove(container)));
    } else if !input.memory.torn_down {
        if !input.busy(&Key::Volumes) {
            plan.actions.push(Action::Teardown);
        }
    } else if input.gone {
        plan.finished = input.in_flight.is_empty();
    } else if !input.memory.confirmed && !input.busy(&Key::Deletion) {
        plan.actions.push(Action::ConfirmDeletion);
    }
    plan
}

/// Stops whatever runs; what is dead stays, for its logs.
pub(super) fn wind_down(input: &Input<'_>) -> Plan {
    let mut plan = Plan::default();
    let useless = |action: &&Action| matches!(action, Action::GetImage { .. } | Action::PostStart { .. });
    plan.cancel = input.in_flight.values().filter(useless).map(Action::key).collect();
    let (infra, others): (Vec<_>, Vec<_>) =
        input.observed.iter().filter(|c| is_running(c)).partition(|c| c.identity.role == Role::Infra);
    for container in &others {
        let deadline = deadline(container, input);
        if deadline <= input.now || is_its_turn(container, &others, input.pod) {
            plan.stop(input, container, deadline, StopReason::PodEnds);
        } else {
            plan.wake(Some(deadline));
        }
    }
    if others.is_empty() && !input.starting() {
        // Nothing is left that it could serve, so it needs no grace.
        infra.iter().for_each(|container| plan.stop(input, container, input.now, StopReason::PodEnds));
    }
    plan
}

/// Whether `container` is stopped now: sidecars serve the others, so they go last, in the reverse of their order.
fn is_its_turn(container: &ObservedContainer, running: &[&ObservedContainer], pod: Option<&Pod>) -> bool {
    let place = |container: &ObservedContainer| {
        let init = pod.map(|pod| pod.spec.init_containers.as_slice()).unwrap_or_default();
        let sidecar = |spec: &Container| spec.restart_policy.as_deref() == Some("Always");
        init.iter().position(|spec| spec.name == container.identity.container && sidecar(spec))
    };
    let Some(mine) = place(container) else { return true };
    running.iter().all(|other| place(other).is_some_and(|place| place <= mine))
}

/// When a container is killed: the pod's own deadline if its deletion has one, else its grace from when it began to end.
fn deadline(container: &ObservedContainer, input: &Input<'_>) -> Timestamp {
    if input.memory.eviction.is_some() {
        return later(input.now, EVICTION_GRACE);
    }
    let grace = input.pod.and_then(grace).unwrap_or(container.identity.grace);
    let begun = input.memory.gone_since.unwrap_or(input.now);
    let latest = later(begun, grace);
    let stamped = input.pod.and_then(|pod| pod.metadata.deletion_timestamp.as_ref());
    match stamped.and_then(|at| Timestamp::from_second(at.seconds).ok()) {
        // Not later than the grace from now: the two clocks may differ.
        Some(at) => at.min(latest),
        None => latest,
    }
}

/// The grace of the deletion, or of the pod.
fn grace(pod: &Pod) -> Option<Duration> {
    let seconds = pod.metadata.deletion_grace_period_seconds.or(pod.spec.termination_grace_period_seconds);
    seconds.map_or(Some(DEFAULT_GRACE), |seconds| u64::try_from(seconds).ok().map(Duration::from_secs))
}
