//! Which nodes could run a pod.

use super::{Predicate, Refusal, Unschedulable};
use crate::pod::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};

/// All that a node must meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    predicates: Vec<Predicate>,
}

// === impl Filter ===

impl Filter {
    /// What nodes must meet in any case, then 1.0's default predicates.
    pub fn new() -> Self {
        Self::of(Predicate::defaults())
    }

    /// What nodes must meet in any case, then `predicates`.
    pub fn of(predicates: impl IntoIterator<Item = Predicate>) -> Self {
        Self { predicates: Predicate::mandatory().into_iter().chain(predicates).collect() }
    }

    /// The predicates, in the order in which they are asked.
    pub fn predicates(&self) -> &[Predicate] {
        &self.predicates
    }

    /// The nodes that could run the pod, by name.
    ///
    /// # Errors
    /// For each node the reasons of the first predicate that refuses, as Kubernetes counts them.
    pub fn fitting<'a>(
        &self,
        pod: &PodInfo,
        snapshot: &'a Snapshot,
    ) -> Result<Vec<&'a NodeInfo>, Unschedulable> {
        let mut fitting = Vec::new();
        let mut unschedulable = Unschedulable::default();
        for node in snapshot.nodes() {
            match self.first_refusals(pod, node, snapshot) {
                refusals if refusals.is_empty() => fitting.push(node),
                // Nobody reads the reasons once one node fits.
                refusals if fitting.is_empty() => unschedulable.add(refusals),
                _ => {}
            }
        }
        if fitting.is_empty() { Err(unschedulable) } else { Ok(fitting) }
    }

    /// Whether the node could run the pod.
    pub fn fits(&self, pod: &PodInfo, node: &NodeInfo, snapshot: &Snapshot) -> bool {
        self.first_refusals(pod, node, snapshot).is_empty()
    }

    /// All that speaks against the node.
    pub fn refusals(&self, pod: &PodInfo, node: &NodeInfo, snapshot: &Snapshot) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        for predicate in &self.predicates {
            predicate.check(pod, node, snapshot, &mut refusals);
        }
        refusals
    }

    /// Whether a verdict on one node may depend on services, or on pods of other nodes.
    pub fn looks_around(&self) -> bool {
        self.predicates.iter().any(Predicate::looks_around)
    }

    fn first_refusals(&self, pod: &PodInfo, node: &NodeInfo, snapshot: &Snapshot) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        for predicate in &self.predicates {
            predicate.check(pod, node, snapshot, &mut refusals);
            if !refusals.is_empty() {
                break;
            }
        }
        refusals
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::new()
    }
}
