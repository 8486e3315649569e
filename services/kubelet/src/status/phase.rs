//! Where a pod is in its life, from the states of its containers.

use keelson_proto::core::{ContainerStatus, Pod, PodStatus};

use crate::plan::{Assessment, Input, Next};

/// Not everything runs yet.
pub const PENDING: &str = "Pending";
/// Everything was started.
pub const RUNNING: &str = "Running";
/// Everything ended, and well.
pub const SUCCEEDED: &str = "Succeeded";
/// Everything ended, and not everything well; or the node would not have the pod.
pub const FAILED: &str = "Failed";

/// How many containers are in which state.
#[derive(Default)]
struct Count {
    waiting: usize,
    running: usize,
    ended: usize,
    failed: usize,
}

/// Whether a pod in this phase has ended for good.
pub fn is_terminal(phase: &str) -> bool {
    matches!(phase, SUCCEEDED | FAILED)
}

/// The phase of a pod with these container statuses (Kubernetes' rules).
pub(super) fn phase(
    pod: &Pod,
    status: &PodStatus,
    input: &Input<'_>,
    assessment: &Assessment<'_>,
) -> &'static str {
    let policy = pod.spec.restart_policy.as_str();
    let apps = Count::of(&status.container_statuses);
    let ends = input.gone || pod.metadata.deletion_timestamp.is_some();
    if ends && apps.ended == status.container_statuses.len() && apps.ended > 0 {
        return if apps.failed == 0 { SUCCEEDED } else { FAILED };
    }
    if let Some(current) = assessment.current_init() {
        let failed = status.init_container_statuses.get(current).is_some_and(ended_badly);
        return if failed && policy == "Never" { FAILED } else { PENDING };
    }
    match apps {
        Count { waiting: 1.., .. } => PENDING,
        Count { running: 1.., .. } => RUNNING,
        Count { ended: 0, .. } => PENDING,
        // What ended is not over if it is started again, for whatever reason.
        _ if assessment.apps.iter().any(|app| app.next != Next::Done) => RUNNING,
        Count { failed: 0, .. } => SUCCEEDED,
        _ => FAILED,
    }
}

fn ended_badly(status: &ContainerStatus) -> bool {
    status.state.terminated.as_ref().is_some_and(|end| end.exit_code != 0)
}

// === impl Count ===

impl Count {
    fn of(statuses: &[ContainerStatus]) -> Self {
        let mut count = Self::default();
        for status in statuses {
            let waiting = status.state.waiting.is_some();
            let end = status.state.terminated.as_ref();
            // Waiting between two runs counts as ended: the pod was running, and is between two attempts.
            let end = end.or_else(|| status.last_state.terminated.as_ref().filter(|_| waiting));
            match end {
                _ if status.state.running.is_some() => count.running += 1,
                Some(end) => {
                    count.ended += 1;
                    count.failed += usize::from(end.exit_code != 0);
                }
                None => count.waiting += 1,
            }
        }
        count
    }
}
