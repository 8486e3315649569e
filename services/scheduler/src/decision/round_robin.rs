//! The slides' "round robin" scheduler: one node after the other.

use super::{Algorithm, Chance, Filter};
use crate::pod::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};

/// The next node that fits after the one chosen last, by name; then from the first again. Nodes that come and go do
/// not change whose turn is next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoundRobin {
    /// What nodes must meet.
    pub filter: Filter,
}

// === impl RoundRobin ===

impl Algorithm for RoundRobin {
    fn filter(&self) -> &Filter {
        &self.filter
    }

    fn choose(
        &self,
        _pod: &PodInfo,
        fitting: &[&NodeInfo],
        _snapshot: &Snapshot,
        chance: &mut Chance,
    ) -> Option<usize> {
        let next = fitting.partition_point(|node| node.name() <= chance.last.as_str());
        if next < fitting.len() { Some(next) } else { (!fitting.is_empty()).then_some(0) }
    }
}
