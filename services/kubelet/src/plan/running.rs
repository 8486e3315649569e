//! Bringing a pod up and keeping it up: volumes, infra, init containers in turn, then app containers.

use std::time::Duration;

use keelson_proto::core::Pod;

use super::assess::{Assessed, Assessment, Next};
use super::history::is_running;
use super::{Action, INFRA, Input, Key, Memory, Plan, Setback, StopReason, VolumeState, garbage};
use crate::clock::later;
use crate::runtime::{ObservedContainer, Role};

/// A pod's grace period if nobody said (api fills it in).
const DEFAULT_GRACE: i64 = 30;

/// The actions for a pod that is to run.
pub(super) fn plan(pod: &Pod, input: &Input<'_>, assessment: &Assessment<'_>) -> Plan {
    let mut plan = Plan::default();
    let due = due(assessment);
    mount_volumes(input, &mut plan);
    stop_outdated(pod, input, assessment, &mut plan);
    if due.iter().any(|container| container.next != Next::Done) {
        start_infra(input, assessment, &mut plan);
    }
    start_containers(input, assessment, &due, &mut plan);
    plan.actions.extend(garbage::collect(input, assessment));
    plan
}

/// The containers whose turn it is: one init container at a time (with those sidecars that already began), or the apps.
fn due<'a, 'b>(assessment: &'b Assessment<'a>) -> Vec<&'b Assessed<'a>> {
    let sidecar = |init: &&Assessed<'_>| init.spec.restart_policy.as_deref() == Some("Always");
    match assessment.current_init() {
        Some(current) => {
            let begun = assessment.init.iter().take(current).filter(sidecar);
            begun.chain(assessment.init.get(current)).collect()
        }
        None => assessment.init.iter().filter(sidecar).chain(&assessment.apps).collect(),
    }
}

fn mount_volumes(input: &Input<'_>, plan: &mut Plan) {
    if input.memory.volumes == VolumeState::Mounted || input.busy(&Key::Volumes) {
        return;
    }
    match held_back(input, Memory::VOLUMES) {
        Some(setback) => plan.wake(Some(setback.retry_at())),
        None => plan.actions.push(Action::MountVolumes),
    }
}

/// Stops what runs from an old definition, and what has lost its infra container.
fn stop_outdated(pod: &Pod, input: &Input<'_>, assessment: &Assessment<'_>, plan: &mut Plan) {
    let infra = assessment.running_infra();
    let grace = pod.spec.termination_grace_period_seconds.unwrap_or(DEFAULT_GRACE);
    let deadline = later(input.now, Duration::from_secs(u64::try_from(grace).unwrap_or(0)));
    let running = input.observed.iter().filter(|c| is_running(c) && c.identity.role != Role::Infra);
    for container in running {
        let replaced = assessment.containers().any(|assessed| assessed.next == Next::Replace(container));
        let reason = match infra {
            Some(infra) if container.created_at < infra.created_at => StopReason::InfraLost,
            Some(_) if replaced => StopReason::SpecChanged,
            Some(_) => continue,
            None => StopReason::InfraLost,
        };
        plan.actions.extend(input.stop(container, deadline, reason));
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

/// Gets images side by side, and starts containers one after the other, in the order of the spec.
fn start_containers(input: &Input<'_>, assessment: &Assessment<'_>, due: &[&Assessed<'_>], plan: &mut Plan) {
    let ready = input.memory.volumes == VolumeState::Mounted;
    let infra: Option<&ObservedContainer> = assessment.running_infra().filter(|_| ready);
    let mut starting = input.starting();
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
