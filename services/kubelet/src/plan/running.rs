//! Bringing a pod up and keeping it up: volumes, infra, init containers in turn, then app containers.

use std::time::Duration;

use keelson_proto::core::Pod;

use super::assess::{Assessed, Assessment, Next};
use super::history::{Past, is_running};
use super::stop::spec_of;
use super::{
    Action, Health, INFRA, Input, Key, Memory, Plan, ProbeKind, Setback, StopReason, VolumeState, garbage,
};
use crate::clock::later;
use crate::runtime::{ObservedContainer, Role};

/// A pod's grace period if nobody said (api fills it in).
const DEFAULT_GRACE: i64 = 30;

/// The actions for a pod that is to run.
pub(super) fn plan(pod: &Pod, input: &Input<'_>, assessment: &Assessment<'_>) -> Plan {
    let mut plan = Plan::default();
    let due = due(assessment);
    mount_volumes(input, &mut plan);
    stop_broken(pod, input, assessment, &mut plan);
    greet(input, assessment, &mut plan);
    if due.iter().any(|container| container.next != Next::Done) {
        start_infra(input, assessment, &mut plan);
    }
    start_containers(input, assessment, &due, &mut plan);
    plan.actions.extend(garbage::collect(input, assessment));
    plan
}

/// The containers whose turn it is: one init container at a time (with those sidecars that already began), or the apps.
fn due<'a, 'b>(assessment: &'b Assessment<'a>) -> Vec<&'b Assessed<'a>> {
    let sidecar = |init: &&Assessed<'_>| init.is_sidecar();
    match assessment.current_init() {
        Some(current) => {
            let begun = assessment.init.iter().take(current).filter(sidecar);
            begun.chain(assessment.init.get(current)).collect()
        }
        None => assessment.init.iter().filter(sidecar).chain(&assessment.apps).collect(),
    }
}

fn mount_volumes(input: &Input<'_>, plan: &mut Plan) {
    if input.busy(&Key::Volumes) {
        return;
    }
    let refresh_at = input.memory.refresh_at;
    if input.memory.volumes == VolumeState::Mounted && refresh_at.is_none_or(|at| at > input.now) {
        return plan.wake(refresh_at);
    }
    match held_back(input, Memory::VOLUMES) {
        Some(setback) => plan.wake(Some(setback.retry_at())),
        None => plan.actions.push(Action::MountVolumes),
    }
}

/// Stops what runs from an old definition, what is broken, and what has lost its infra container.
fn stop_broken(pod: &Pod, input: &Input<'_>, assessment: &Assessment<'_>, plan: &mut Plan) {
    let infra = assessment.running_infra();
    let running = input.observed.iter().filter(|c| is_running(c) && c.identity.role != Role::Infra);
    for container in running {
        let fault = assessment.containers().find_map(|assessed| match assessed.next {
            Next::Kill(it, reason) if it.id == container.id => Some(reason),
            _ => None,
        });
        let reason = match (infra, fault) {
            (Some(infra), _) if container.created_at < infra.created_at => StopReason::InfraLost,
            (Some(_), Some(reason)) => reason,
            (Some(_), None) => continue,
            (None, _) => StopReason::InfraLost,
        };
        plan.stop(input, container, later(input.now, grace(pod, container, reason)), reason);
    }
}

/// How long a container has to end: what the probe says that it failed, or else the pod.
fn grace(pod: &Pod, container: &ObservedContainer, reason: StopReason) -> Duration {
    let probe = |kind: ProbeKind| kind.of(spec_of(pod, container)?)?.termination_grace_period_seconds;
    let own = match reason {
        StopReason::Unhealthy(kind) => probe(kind),
        _ => None,
    };
    let seconds = own.or(pod.spec.termination_grace_period_seconds).unwrap_or(DEFAULT_GRACE);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Runs the postStart hooks of what was just started.
fn greet(input: &Input<'_>, assessment: &Assessment<'_>, plan: &mut Plan) {
    let greeting =
        assessment.containers().filter(|it| it.health == Some(Health::Greeting) && it.next == Next::Keep);
    for assessed in greeting {
        let Past::Running(instance) = assessed.history.past() else { continue };
        let action = Action::PostStart { id: instance.id.clone(), container: assessed.spec.name.clone() };
        if !input.busy(&action.key()) {
            plan.actions.push(action);
        }
    }
}

/// Starts an infra container, once nothing uses the old one's namespaces any more.
fn start_infra(input: &Input<'_>, assessment: &Assessment<'_>, plan: &mut Plan) {
    if assessment.running_infra().is_some() || input.busy(&Key::Infra) {
        return;
    }
    let in_use = input.observed.iter().any(is_running);
    if in_use || !assessment.infra.unstarted.is_empty() {
        return;
    }
    match held_back(input, INFRA) {
        Some(setback) => plan.wake(Some(setback.retry_at())),
        None => plan.actions.push(Action::StartInfra { attempt: assessment.infra.next_attempt() }),
    }
}

/// Gets images side by side, and starts containers one after the other, in the order of the spec, each when the
/// postStart hook of the one before has ended.
fn start_containers(input: &Input<'_>, assessment: &Assessment<'_>, due: &[&Assessed<'_>], plan: &mut Plan) {
    let ready = input.memory.volumes == VolumeState::Mounted;
    let infra: Option<&ObservedContainer> = assessment.running_infra().filter(|_| ready);
    let greeting = assessment.containers().any(|it| it.health == Some(Health::Greeting));
    let mut starting = input.starting() || greeting;
    for assessed in due {
        let name = &assessed.spec.name;
        let Next::Start { next_delay } = assessed.next else { continue };
        if input.busy(&Key::Container(name.clone())) || !assessed.history.unstarted.is_empty() {
            continue;
        }
        if !input.memory.images.contains_key(name) {
            plan.actions.push(Action::GetImage { container: name.clone() });
        } else if let (Some(infra), false) = (infra, starting) {
            starting = true;
            plan.actions.push(Action::Start {
                container: name.clone(),
                attempt: assessed.history.next_attempt(),
                infra: infra.id.clone(),
                next_delay,
            });
        }
    }
}

/// The failure for which `name` still has to wait.
fn held_back<'a>(input: &Input<'a>, name: &str) -> Option<&'a Setback> {
    input.memory.setbacks.get(name).filter(|setback| setback.retry_at() > input.now)
}
