//! Taints, which today's nodes keep pods away with, and the older switch `spec.unschedulable`, which counts as one.

use keelson_base_model::node;
use keelson_proto::core::Taint;

use crate::pod::PodInfo;
use crate::snapshot::NodeInfo;

/// The taint that `spec.unschedulable` counts as.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

const NO_SCHEDULE: &str = "NoSchedule";

/// Whether the node is open, or the pod may enter closed ones.
pub(super) fn may_enter(pod: &PodInfo, node: &NodeInfo) -> bool {
    if !node.node.spec.unschedulable {
        return true;
    }
    let closed = Taint { key: UNSCHEDULABLE.to_owned(), effect: NO_SCHEDULE.to_owned(), ..Taint::default() };
    pod.pod.spec.tolerations.iter().any(|toleration| node::tolerates(toleration, &closed))
}

/// Why a taint keeps the pod away, if one does.
pub(super) fn untolerated(pod: &PodInfo, node: &NodeInfo) -> Option<String> {
    let effects = [NO_SCHEDULE, "NoExecute"];
    let taint = node::untolerated(&node.node.spec.taints, &pod.pod.spec.tolerations, &effects)?;
    Some(format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value))
}
