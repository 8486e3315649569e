//! LabelPreference: 1.0's way to prefer nodes by a label.

use super::BEST;
use crate::snapshot::NodeInfo;

/// All if the label is there as preferred, else nothing.
pub(super) fn preference(label: &str, presence: bool, node: &NodeInfo) -> i64 {
    if node.node.metadata.labels.contains_key(label) == presence { BEST } else { 0 }
}
