//! What the kubelet says of a pod: its status, from what is seen and what comes next. Pure.

mod condition;
mod container;
mod phase;

pub use self::phase::{FAILED, PENDING, RUNNING, SUCCEEDED, is_terminal};

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use keelson_proto::core::{HostIp, Pod, PodIp, PodStatus};
use keelson_proto::meta::Time;

use crate::clock::later;
use crate::plan::{Action, Assessment, Input, Rejection};
use crate::runtime::{ContainerState, ObservedContainer, Role};

/// Reason of a pod whose activeDeadlineSeconds are over.
const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";

/// What there is to say of a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Computed {
    /// Its status.
    pub status: PodStatus,
    /// It has ended for good, or is to: whatever of it still runs is stopped. Its phase says so when nothing runs any more,
    /// since what it has taken of the node is free only then.
    pub over: bool,
}

/// The status of `pod` now. What the kubelet does not decide (quality of service, conditions of others) stays.
pub fn compute(pod: &Pod, input: &Input<'_>, assessment: &Assessment<'_>) -> Computed {
    let mut status = pod.status.clone();
    if let Some(rejection) = &input.memory.rejection {
        reject(&mut status, rejection, input);
        return Computed { status, over: true };
    }
    status.start_time.get_or_insert_with(|| input.now.into());
    addresses(pod, &mut status, input, assessment);
    let doom = doom(pod, &status, input);
    let ends = input.gone || pod.metadata.deletion_timestamp.is_some() || doom.is_some();
    let context = container::Context { pod, input, assessment, ends };
    status.init_container_statuses = context.statuses(&assessment.init);
    status.container_statuses = context.statuses(&assessment.apps);
    let over = settle_phase(pod, &mut status, input, assessment, doom.as_ref());
    condition::update(pod, &mut status, assessment, input);
    Computed { status, over }
}

/// When the pod's time is over: activeDeadlineSeconds after its start.
pub fn deadline(pod: &Pod, status: &PodStatus) -> Option<Timestamp> {
    let seconds = u64::try_from(pod.spec.active_deadline_seconds?).ok()?;
    let start = Timestamp::from_second(status.start_time.as_ref()?.seconds).ok()?;
    Some(later(start, Duration::from_secs(seconds))).filter(|_| !is_terminal(&status.phase))
}

fn reject(status: &mut PodStatus, rejection: &Rejection, input: &Input<'_>) {
    status.phase = FAILED.to_owned();
    status.reason.clone_from(&rejection.reason);
    status.message = format!("Pod was rejected: {}", rejection.message);
    status.start_time.get_or_insert_with(|| Time::from(input.now));
}

fn addresses(pod: &Pod, status: &mut PodStatus, input: &Input<'_>, assessment: &Assessment<'_>) {
    let text = |ips: &[IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>();
    let host = text(input.host_ips);
    status.host_ip = host.first().cloned().unwrap_or_default();
    status.host_ips = host.iter().map(|ip| HostIp { ip: ip.clone() }).collect();
    let own = match assessment.running_infra() {
        Some(_) if pod.spec.host_network => host,
        Some(infra) => text(&infra.addresses),
        // Its last address stays with a pod that has ended.
        None if is_terminal(&status.phase) || pod.metadata.deletion_timestamp.is_some() => return,
        None => Vec::new(),
    };
    status.pod_ip = own.first().cloned().unwrap_or_default();
    status.pod_ips = own.into_iter().map(|ip| PodIp { ip }).collect();
}

/// Why a pod has to end although it could go on.
fn doom(pod: &Pod, status: &PodStatus, input: &Input<'_>) -> Option<Rejection> {
    if is_terminal(&status.phase) {
        return Some(Rejection { reason: status.reason.clone(), message: status.message.clone() });
    }
    let late = deadline(pod, status).filter(|at| *at <= input.now).map(|_| Rejection {
        reason: DEADLINE_EXCEEDED.to_owned(),
        message: "Pod was active on the node longer than the specified deadline".to_owned(),
    });
    input.memory.eviction.clone().or(late)
}

/// Sets phase and reason, and tells whether the pod is over; one that has ended stays so.
fn settle_phase(
    pod: &Pod,
    status: &mut PodStatus,
    input: &Input<'_>,
    assessment: &Assessment<'_>,
    doom: Option<&Rejection>,
) -> bool {
    if is_terminal(&status.phase) {
        return true;
    }
    let phase = phase::phase(pod, status, input, assessment);
    let over = doom.is_some() || is_terminal(phase);
    if over && is_alive(input) {
        status.phase = if status.phase == PENDING { PENDING } else { RUNNING }.to_owned();
        return true;
    }
    status.phase = phase.to_owned();
    if let Some(doom) = doom {
        status.phase = FAILED.to_owned();
        status.reason.clone_from(&doom.reason);
        status.message.clone_from(&doom.message);
    }
    over
}

/// Whether any of the pod's own containers runs, or is about to.
fn is_alive(input: &Input<'_>) -> bool {
    let runs = |c: &ObservedContainer| matches!(c.state, ContainerState::Running { .. });
    let starting = input.in_flight.values().any(|action| matches!(action, Action::Start { .. }));
    starting || input.observed.iter().any(|c| c.identity.role != Role::Infra && runs(c))
}
