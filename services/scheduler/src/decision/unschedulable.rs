//! Why no node takes a pod, in the words that kubectl's users know.

use std::collections::BTreeMap;
use std::fmt;

use super::{Name, Refusal};

/// Why no node takes a pod: how often each reason was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unschedulable {
    nodes: usize,
    reasons: BTreeMap<Name, usize>,
}

// === impl Unschedulable ===

impl Unschedulable {
    /// Counts a node that refuses.
    pub(super) fn add(&mut self, refusals: Vec<Refusal>) {
        self.nodes += 1;
        for refusal in refusals {
            *self.reasons.entry(refusal.reason).or_default() += 1;
        }
    }
}

/// As in Kubernetes: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`
impl fmt::Display for Unschedulable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nodes == 0 {
            return f.write_str("no nodes available to schedule pods");
        }
        let mut reasons: Vec<String> =
            self.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        reasons.sort_unstable();
        write!(f, "0/{} nodes are available: {}.", self.nodes, reasons.join(", "))
    }
}

impl std::error::Error for Unschedulable {}
