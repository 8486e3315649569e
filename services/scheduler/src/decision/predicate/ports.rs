//! PodFitsPorts: 1.0 compared numbers only; today address and protocol count, too.

use keelson_base_model::pod;

use crate::pod::PodInfo;
use crate::snapshot::NodeInfo;

/// Whether all ports of the node that the pod needs are free there.
pub(super) fn are_free(pod: &PodInfo, node: &NodeInfo) -> bool {
    !pod::host_ports(&pod.pod).any(|port| node.load.has_port(&port))
}
