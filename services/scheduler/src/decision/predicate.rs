//! What a node must meet to run a pod.

mod affinity;
mod disks;
mod labels;
mod ports;
mod resources;
mod taints;

use super::Name;
use crate::pod::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};

/// What a node must meet, under the name that policies and verdicts use.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicate {
    name: Name,
    rule: Rule,
}

/// The rule of a predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The node's kubelet is ready.
    Ready,
    /// Nobody has closed the node, or the pod tolerates that.
    Schedulable,
    /// The pod tolerates the node's taints that keep pods away.
    Taints,
    /// The pod asks for no node by name, or for this one.
    HostName,
    /// The node has the labels of the pod's node selector and meets its required node affinity.
    NodeSelector,
    /// No pod there has a port that the pod needs.
    Ports,
    /// What the pods request together fits, and so does their number.
    Resources,
    /// No pod there uses a disk that the pod needs and that cannot be shared.
    Disks,
    /// The node has (or, with `presence` false, has not) all of these labels.
    LabelsPresence {
        /// The keys.
        labels: Vec<String>,
        /// Whether they must be there.
        presence: bool,
    },
    /// The pods of a service stay on nodes with the same values of these labels.
    ServiceAffinity {
        /// The keys.
        labels: Vec<String>,
    },
}

/// Why a predicate refuses a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The predicate.
    pub predicate: Name,
    /// Why, in the words that are counted in messages.
    pub reason: Name,
    /// The numbers compared, if numbers were.
    pub amounts: Option<Amounts>,
}

/// The numbers that a predicate compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// What is counted: `cpu` (in thousandths), `memory` (in bytes), `pods` …
    pub resource: Name,
    /// How much the pod asks for.
    pub requested: i64,
    /// How much the pods on the node have asked for.
    pub used: i64,
    /// How much the node has.
    pub capacity: i64,
}

// === impl Predicate ===

impl Predicate {
    /// A rule under a name of one's own.
    pub fn new(name: impl Into<Name>, rule: Rule) -> Self {
        Self { name: name.into(), rule }
    }

    /// What holds whatever a policy says.
    pub fn mandatory() -> [Self; 3] {
        [
            Self::new("CheckNodeReady", Rule::Ready),
            Self::new("CheckNodeUnschedulable", Rule::Schedulable),
            Self::new("PodToleratesNodeTaints", Rule::Taints),
        ]
    }

    /// 1.0's default predicates, in the order in which today's Kubernetes asks.
    pub fn defaults() -> [Self; 5] {
        [
            Self::new("HostName", Rule::HostName),
            Self::new("MatchNodeSelector", Rule::NodeSelector),
            Self::new("PodFitsPorts", Rule::Ports),
            Self::new("PodFitsResources", Rule::Resources),
            Self::new("NoDiskConflict", Rule::Disks),
        ]
    }

    /// The predicate that a policy names without an argument. Today's names of 1.0's predicates are understood.
    pub fn named(name: &str) -> Option<Self> {
        let name = match name {
            "PodFitsHostPorts" => "PodFitsPorts",
            name => name,
        };
        Self::mandatory().into_iter().chain(Self::defaults()).find(|predicate| predicate.name == name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds to `refusals` what speaks against the node.
    pub fn check(&self, pod: &PodInfo, node: &NodeInfo, snapshot: &Snapshot, refusals: &mut Vec<Refusal>) {
        let refused = |reason: &'static str| Some(Name::Borrowed(reason));
        let reason = match &self.rule {
            Rule::Resources => return resources::check(&self.name, pod, node, refusals),
            Rule::Ready if !node.is_ready => refused("node(s) were not ready"),
            Rule::Schedulable if !taints::may_enter(pod, node) => refused("node(s) were unschedulable"),
            Rule::Taints => taints::untolerated(pod, node).map(Name::Owned),
            Rule::HostName if !["", node.name()].contains(&pod.node_name()) => {
                refused("node(s) didn't match the requested node name")
            }
            Rule::NodeSelector if !affinity::matches(pod, node) => {
                refused("node(s) didn't match Pod's node affinity/selector")
            }
            Rule::Ports if !ports::are_free(pod, node) => {
                refused("node(s) didn't have free ports for the requested pod ports")
            }
            Rule::Disks if disks::conflict(pod, node) => refused("node(s) had no available disk"),
            Rule::LabelsPresence { labels, presence } if !labels::are_as_wanted(labels, *presence, node) => {
                refused("node(s) didn't have the requested labels")
            }
            Rule::ServiceAffinity { labels } if !labels::are_of_service(labels, pod, node, snapshot) => {
                refused("node(s) didn't match service affinity")
            }
            _ => None,
        };
        refusals.extend(reason.map(|reason| Refusal { predicate: self.name.clone(), reason, amounts: None }));
    }

    /// Whether a verdict on one node may depend on services, or on pods of other nodes.
    pub(super) fn looks_around(&self) -> bool {
        matches!(self.rule, Rule::ServiceAffinity { .. })
    }
}

#[cfg(test)]
mod tests;
