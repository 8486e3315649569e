//! How good a node is for a pod, from 0 to 10.

mod labels;
mod resources;
mod spreading;

use super::Name;
use crate::pod::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};

/// The best score.
pub(super) const BEST: i64 = 10;

/// A measure that counts with a weight, under the name that policies and verdicts use.
#[derive(Clone, Debug, PartialEq)]
pub struct Priority {
    /// Its name.
    pub name: Name,
    /// How much it counts; 1 by default.
    pub weight: i64,
    /// What it measures.
    pub measure: Measure,
}

/// What a priority measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// How much of cpu and memory would be left.
    LeastRequested,
    /// How evenly cpu and memory would be used.
    Balanced,
    /// How few pods of the same service, or else of the same controller, are there.
    Spreading,
    /// Nothing: every node scores 1.
    Equal,
    /// How few pods of the same service are on nodes with the same value of this label.
    ServiceAntiAffinity {
        /// The key.
        label: String,
    },
    /// Whether the node has (or, with `presence` false, has not) this label.
    LabelPreference {
        /// The key.
        label: String,
        /// Whether it should be there.
        presence: bool,
    },
}

// === impl Priority ===

impl Priority {
    /// A measure under a name of one's own, of weight 1.
    pub fn new(name: impl Into<Name>, measure: Measure) -> Self {
        Self { name: name.into(), weight: 1, measure }
    }

    /// 1.0's default priorities.
    pub fn defaults() -> [Self; 3] {
        [
            Self::new("LeastRequestedPriority", Measure::LeastRequested),
            Self::new("BalancedResourceAllocation", Measure::Balanced),
            Self::new("ServiceSpreadingPriority", Measure::Spreading),
        ]
    }

    /// The priority that a policy names without an argument. Today's name of the spreading one is understood.
    pub fn named(name: &str) -> Option<Self> {
        let name = match name {
            "SelectorSpreadPriority" => "ServiceSpreadingPriority",
            name => name,
        };
        let equal = Self::new("EqualPriority", Measure::Equal);
        Self::defaults().into_iter().chain([equal]).find(|priority| priority.name == name)
    }

    /// The score of each node: 0 to 10.
    pub fn scores(&self, pod: &PodInfo, nodes: &[&NodeInfo], snapshot: &Snapshot) -> Vec<i64> {
        let each = |score: &dyn Fn(&NodeInfo) -> i64| nodes.iter().map(|node| score(node)).collect();
        match &self.measure {
            Measure::LeastRequested => each(&|node| resources::least_requested(pod, node)),
            Measure::Balanced => each(&|node| resources::balanced(pod, node)),
            Measure::Spreading => spreading::by_node(pod, nodes, snapshot),
            Measure::Equal => each(&|_| 1),
            Measure::ServiceAntiAffinity { label } => spreading::by_label(label, pod, nodes, snapshot),
            Measure::LabelPreference { label, presence } => {
                each(&|node| labels::preference(label, *presence, node))
            }
        }
    }
}

#[cfg(test)]
mod tests;
