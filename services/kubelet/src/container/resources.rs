//! A container's shares and limits, from its requests and limits.

use keelson_base_model::quantity::Quantity;
use keelson_proto::core::{Container, Pod};

use crate::runtime::Resources;

/// The kernel's least weight.
const MIN_SHARES: u64 = 2;
/// Least quota that the kernel takes: a hundredth of a core.
const MIN_QUOTA: u64 = 1_000;

/// Order of killing (Kubernetes' values): the infra container last, then pods that asked for all they may use, ...
const INFRA_SCORE: i32 = -998;
const GUARANTEED_SCORE: i32 = -997;
const BEST_EFFORT_SCORE: i32 = 1000;

/// The infra container's: it needs next to nothing, and a pod dies with it.
pub(super) fn infra() -> Resources {
    Resources { cpu_shares: MIN_SHARES, oom_score_adj: INFRA_SCORE, ..Resources::default() }
}

/// An app container's.
pub(super) fn app(pod: &Pod, container: &Container, node_memory: i64, pids: u64) -> Resources {
    let (requests, limits) = (&container.resources.requests, &container.resources.limits);
    let positive = |amount: i64| u64::try_from(amount).unwrap_or(0);
    let cpu_limit = positive(Quantity::of(limits, "cpu").milli());
    let cpu = if requests.contains_key("cpu") {
        positive(Quantity::of(requests, "cpu").milli())
    } else {
        cpu_limit
    };
    Resources {
        cpu_shares: (cpu.saturating_mul(1024) / 1000).clamp(MIN_SHARES, 262_144),
        cpu_quota: if cpu_limit == 0 { 0 } else { cpu_limit.saturating_mul(100).max(MIN_QUOTA) },
        memory: positive(Quantity::of(limits, "memory").value()),
        pids,
        oom_score_adj: score(pod, container, node_memory),
    }
}

/// The kernel kills first who uses most beyond what was asked for.
fn score(pod: &Pod, container: &Container, node_memory: i64) -> i32 {
    match pod.status.qos_class.as_str() {
        "Guaranteed" => return GUARANTEED_SCORE,
        "BestEffort" => return BEST_EFFORT_SCORE,
        _ => {}
    }
    let request = Quantity::of(&container.resources.requests, "memory").value();
    let share = request.saturating_mul(1000).checked_div(node_memory).unwrap_or(0);
    i32::try_from(1000 - share).unwrap_or(2).clamp(2, 999)
}
