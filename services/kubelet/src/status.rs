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
use crate::plan::{Assessment, Input, Rejection};

/// Reason of a pod whose activeDeadlineSeconds are over.
const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";

/// The status of `pod` now. What the kubelet does not decide (quality of service, conditions of others) stays.
pub fn compute(pod: &Pod, input: &Input<'_>, assessment: &Assessment<'_>) -> PodStatus {
    let mut status = pod.status.clone();
    if let Some(rejection) = &input.memory.rejection {
        reject(&mut status, rejection, input);
        return status;
    }
    status.start_time.get_or_insert_with(|| input.now.into());
    addresses(pod, &mut status, input, assessment);
    status.init_container_statuses = container::statuses(pod, input, assessment, &assessment.init);
    status.container_statuses = container::statuses(pod, input, assessment, &assessment.apps);
    settle_phase(pod, &mut status, input, assessment);
    condition::update(pod, &mut status, assessment, input.now);
    status
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

/// Sets phase and reason; a pod that has ended stays so.
fn settle_phase(pod: &Pod, status: &mut PodStatus, input: &Input<'_>, assessment: &Assessment<'_>) {
    if is_terminal(&status.phase) {
        return;
    }
    if deadline(pod, status).is_some_and(|at| at <= input.now) {
        status.phase = FAILED.to_owned();
        status.reason = DEADLINE_EXCEEDED.to_owned();
        status.message = "Pod was active on the node longer than the specified deadline".to_owned();
        return;
    }
    status.phase = phase::phase(pod, status, input, assessment).to_owned();
}
