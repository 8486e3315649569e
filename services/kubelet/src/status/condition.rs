//! The pod's conditions: yes-or-no facts with the time of their last change.

use jiff::Timestamp;
use keelson_proto::core::{ContainerStatus, Pod, PodCondition, PodStatus};

use super::phase::{FAILED, SUCCEEDED};
use crate::plan::{Assessment, Input};

/// A fact before it has a time.
struct Fact {
    kind: &'static str,
    holds: bool,
    reason: &'static str,
    message: String,
}

/// Brings the kubelet's conditions up to date; those of others stay behind them.
pub(super) fn update(pod: &Pod, status: &mut PodStatus, assessment: &Assessment<'_>, input: &Input<'_>) {
    let containers = containers_ready(status);
    let ready = ready(pod, status, &containers);
    let facts = [
        Fact::new("PodReadyToStartContainers", assessment.running_infra().is_some()),
        initialized(status, assessment),
        ready,
        containers,
        Fact::new("PodScheduled", true),
    ];
    let disruption = input.memory.eviction.as_ref().map(|eviction| Fact {
        kind: "DisruptionTarget",
        holds: true,
        reason: "TerminationByKubelet",
        message: eviction.message.clone(),
    });
    let facts: Vec<Fact> = facts.into_iter().chain(disruption).collect();
    let others = status.conditions.iter().filter(|c| facts.iter().all(|fact| fact.kind != c.r#type));
    let others: Vec<PodCondition> = others.cloned().collect();
    let ours = facts.iter().map(|fact| fact.at(&status.conditions, input.now));
    let conditions = ours.chain(others).collect();
    status.conditions = conditions;
}

fn initialized(status: &PodStatus, assessment: &Assessment<'_>) -> Fact {
    let missing = match assessment.current_init() {
        Some(current) => names(status.init_container_statuses.iter().skip(current)),
        None => return Fact::new("Initialized", true),
    };
    let message = format!("containers with incomplete status: [{missing}]");
    Fact { kind: "Initialized", holds: false, reason: "ContainersNotInitialized", message }
}

fn containers_ready(status: &PodStatus) -> Fact {
    let kind = "ContainersReady";
    match status.phase.as_str() {
        SUCCEEDED => return Fact { kind, holds: false, reason: "PodCompleted", message: String::new() },
        FAILED => return Fact { kind, holds: false, reason: "PodFailed", message: String::new() },
        _ => {}
    }
    let unready = names(status.container_statuses.iter().filter(|container| !container.ready));
    if unready.is_empty() {
        return Fact::new(kind, true);
    }
    let message = format!("containers with unready status: [{unready}]");
    Fact { kind, holds: false, reason: "ContainersNotReady", message }
}

/// Ready: its containers are, and so are the readiness gates, which others set.
fn ready(pod: &Pod, status: &PodStatus, containers: &Fact) -> Fact {
    let open = |gate: &str| status.conditions.iter().any(|c| c.r#type == gate && c.status == "True");
    let gates = pod.spec.readiness_gates.iter().map(|gate| gate.condition_type.as_str());
    let closed: Vec<&str> = gates.filter(|gate| !open(gate)).collect();
    let kind = "Ready";
    if !containers.holds || closed.is_empty() {
        return Fact { kind, message: containers.message.clone(), ..*containers };
    }
    let message = format!("the status of pod readiness gates is not True: {closed:?}");
    Fact { kind, holds: false, reason: "ReadinessGatesNotReady", message }
}

fn names<'a>(containers: impl Iterator<Item = &'a ContainerStatus>) -> String {
    containers.map(|container| container.name.as_str()).collect::<Vec<_>>().join(" ")
}

// === impl Fact ===

impl Fact {
    fn new(kind: &'static str, holds: bool) -> Self {
        Self { kind, holds, reason: "", message: String::new() }
    }

    /// The condition, with the time of the change if this is one.
    fn at(&self, before: &[PodCondition], now: Timestamp) -> PodCondition {
        let status = if self.holds { "True" } else { "False" };
        let before = before.iter().find(|condition| condition.r#type == self.kind);
        let unchanged = before.filter(|condition| condition.status == status);
        PodCondition {
            r#type: self.kind.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message.clone(),
            last_transition_time: unchanged.map_or_else(|| Some(now.into()), |c| c.last_transition_time),
            observed_generation: before.map_or(0, |condition| condition.observed_generation),
            last_probe_time: None,
        }
    }
}
