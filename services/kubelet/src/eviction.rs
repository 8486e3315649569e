//! Making room when the node runs short: one pod after the other goes, those first that were promised least.
//!
//! Whom it meets is a pure decision; the rest here looks at the pods and tells them.

use std::sync::Arc;

use keelson_base_client::Recorder;
use keelson_base_model::pod;
use keelson_base_model::quantity::Quantity;
use keelson_proto::core::{ObjectReference, Pod};
use tokio::sync::watch;

use crate::node::{Pressure, Shortage};
use crate::plan::Rejection;
use crate::pods::Pods;
use crate::runtime::{ContainerState, Role};
use crate::static_pods::is_static;
use crate::stats::Sampler;
use crate::status;
use crate::worker::View;

/// Pods of this priority or a higher one keep the node or the cluster alive (Kubernetes' value).
const CRITICAL: i32 = 2_000_000_000;

/// What a pod was promised. The order is that of going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Nothing.
    BestEffort,
    /// Something.
    Burstable,
    /// All that it may use.
    Guaranteed,
}

/// A pod that could go.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    uid: String,
    class: Class,
    priority: i32,
    /// Bytes that it uses of what is short; 0 if that is not known.
    used: u64,
    /// Bytes that it asked for.
    requested: u64,
}

/// Follows the pressure on the node, and makes room.
pub(crate) struct Evictor {
    pub(crate) pods: Pods,
    pub(crate) sampler: Arc<Sampler>,
    pub(crate) recorder: Recorder,
    /// How events name the node.
    pub(crate) node: ObjectReference,
    pub(crate) pressure: watch::Receiver<Pressure>,
}

/// The pod that goes next: of the class that was promised least, one that uses more than it asked for, then the least
/// important one, then the one that uses most beyond what it asked for.
fn next(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates.iter().min_by_key(|candidate| {
        let excess = candidate.used.saturating_sub(candidate.requested);
        (candidate.class, excess == 0, candidate.priority, std::cmp::Reverse(excess), candidate.uid.clone())
    })
}

// === impl Evictor ===

impl Evictor {
    /// Runs until dropped. The pressure is told again with each look at the machine, as long as it lasts; one pod goes each
    /// time, and none while the one before is still going.
    pub(crate) async fn run(mut self) {
        while self.pressure.changed().await.is_ok() {
            let pressure = *self.pressure.borrow_and_update();
            let short = [("memory", pressure.memory), ("ephemeral-storage", pressure.disk)];
            if let Some((resource, Some(shortage))) = short.into_iter().find(|(_, short)| short.is_some()) {
                self.relieve(resource, shortage).await;
            }
        }
    }

    async fn relieve(&self, resource: &'static str, shortage: Shortage) {
        let message = format!("Attempting to reclaim {resource}");
        self.recorder.warning(&self.node, "EvictionThresholdMet", message);
        let views = self.pods.views();
        if views.iter().any(|view| is_going(view)) {
            return;
        }
        let used = match resource {
            "memory" => self.sampler.all().await.pods,
            _ => Vec::new(),
        };
        let memory = |uid: &str| {
            let usage = used.iter().find(|pod| pod.uid == uid)?.usage.as_ref()?;
            usage.memory_working_set_bytes
        };
        let pods: Vec<&Pod> =
            views.iter().filter_map(|view| view.pod.as_ref()).filter(|pod| may_go(pod)).collect();
        let candidates: Vec<Candidate> = pods
            .iter()
            .map(|pod| Candidate::of(pod, resource, memory(&pod.metadata.uid).unwrap_or(0)))
            .collect();
        let Some(next) = next(&candidates) else {
            tracing::warn!(resource, "the node runs short, and there is no pod that could go");
            return;
        };
        let message = format!("The node was low on resource: {resource}. {shortage}. ");
        if let Some(pod) = pods.iter().find(|pod| pod.metadata.uid == next.uid) {
            self.recorder.warning(&keelson_base_client::reference(*pod), "Evicted", message.clone());
        }
        self.pods.evict(&next.uid, Rejection { reason: "Evicted".to_owned(), message });
    }
}

/// Whether the pod frees what it has taken already.
fn is_going(view: &View) -> bool {
    let runs = |role: Role, state: &ContainerState| {
        role != Role::Infra && matches!(state, ContainerState::Running { .. })
    };
    let alive = view.containers.iter().any(|c| runs(c.identity.role, &c.state));
    let evicted = |pod: &Pod| {
        let conditions = &pod.status.conditions;
        conditions.iter().any(|is| is.r#type == "DisruptionTarget" && is.reason == "TerminationByKubelet")
    };
    alive && view.pod.as_ref().is_some_and(evicted)
}

fn may_go(pod: &Pod) -> bool {
    let ends = status::is_terminal(&pod.status.phase) || pod.metadata.deletion_timestamp.is_some();
    !ends && !is_static(pod) && pod::priority(pod) < CRITICAL
}

// === impl Candidate ===

impl Candidate {
    fn of(pod: &Pod, resource: &str, used: u64) -> Self {
        let class = match pod::qos_class(pod) {
            "Guaranteed" => Class::Guaranteed,
            "Burstable" => Class::Burstable,
            _ => Class::BestEffort,
        };
        let requests = pod.spec.containers.iter().filter_map(|container| {
            let requests = &container.resources.requests;
            u64::try_from(Quantity::of(requests, resource).value()).ok()
        });
        let requested = requests.sum();
        Self { uid: pod.metadata.uid.clone(), class, priority: pod::priority(pod), used, requested }
    }
}

#[cfg(test)]
mod tests;
