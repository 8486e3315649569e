//! Snapshot and queue together: what follows from each change, without any I/O.

use std::collections::BTreeSet;
use std::sync::Arc;

use keelson_base_daemon::trace::Cause;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::pod;
use keelson_proto::core::{Node, Pod, ReplicationController, Service};
use tokio::time::Instant;

use crate::config::DEFAULT_SCHEDULER;
use crate::decision::{Algorithm, Chance, Explanation, Unschedulable};
use crate::pod::PodInfo;
use crate::queue::{Attempt, Pending, Queue};
use crate::snapshot::Snapshot;

/// All that the scheduler knows.
pub(crate) struct State {
    scheduler_name: String,
    algorithm: Box<dyn Algorithm>,
    chance: Chance,
    snapshot: Snapshot,
    queue: Queue,
    /// Nodes that offer more, or something else, than when parked pods were last tried on them.
    changed: BTreeSet<String>,
    /// Whether something changed that may help a parked pod on any node.
    changed_all: bool,
}

// === impl State ===

impl State {
    /// Knows nothing yet.
    pub(crate) fn new(scheduler_name: String, algorithm: Box<dyn Algorithm>, chance: Chance) -> Self {
        Self {
            scheduler_name,
            algorithm,
            chance,
            snapshot: Snapshot::new(),
            queue: Queue::default(),
            changed: BTreeSet::new(),
            changed_all: false,
        }
    }

    /// A pod is new or has changed.
    pub(crate) fn apply_pod(&mut self, pod: Arc<Pod>, cause: Option<Cause>) {
        let info = Arc::new(PodInfo::new(pod));
        let (key, pod) = (&info.key, &info.pod);
        if pod::is_terminal(pod) {
            self.forget_pod(key);
        } else if pod::is_assigned(pod) {
            self.queue.remove(key);
            let freed = self.snapshot.observe(info);
            self.changed.extend(freed);
            self.look_around();
        } else if self.snapshot.is_assumed(key, info.uid()) {
            // Seen as it was before its binding.
            self.queue.refresh(&info);
        } else {
            let freed = self.snapshot.remove(key);
            self.changed.extend(freed);
            match self.is_ours(pod) {
                true => self.queue.insert(info, cause),
                false => self.queue.remove(key),
            }
        }
    }

    /// A pod is gone.
    pub(crate) fn delete_pod(&mut self, key: &ObjectKey) {
        self.forget_pod(key);
    }

    /// A node is new or has changed.
    pub(crate) fn apply_node(&mut self, node: Arc<Node>) {
        let name = node.metadata.name.clone();
        if self.snapshot.apply_node(node) {
            self.changed.insert(name);
            self.look_around();
        }
    }

    /// A node is gone.
    pub(crate) fn delete_node(&mut self, name: &str) {
        self.snapshot.delete_node(name);
        self.look_around();
    }

    /// A service is new or has changed.
    pub(crate) fn apply_service(&mut self, service: &Service) {
        self.snapshot.apply_service(service);
        self.look_around();
    }

    /// A service is gone.
    pub(crate) fn delete_service(&mut self, key: &ObjectKey) {
        self.snapshot.delete_service(key);
        self.look_around();
    }

    /// A replication controller is new or has changed.
    pub(crate) fn apply_controller(&mut self, controller: &ReplicationController) {
        self.snapshot.apply_controller(controller);
    }

    /// A replication controller is gone.
    pub(crate) fn delete_controller(&mut self, key: &ObjectKey) {
        self.snapshot.delete_controller(key);
    }

    /// How many nodes there are to choose from.
    pub(crate) fn nodes(&self) -> usize {
        self.snapshot.nodes().count()
    }

    /// Nothing is under way, whatever was: no pod is assumed anywhere, and all that have no node are to be tried.
    pub(crate) fn begin_term(&mut self) {
        self.snapshot.forget_assumed();
        self.queue.begin_term();
        self.changed.clear();
        self.changed_all = false;
    }

    /// How many pods are in each part of the queue.
    pub(crate) fn pending(&self) -> Pending {
        self.queue.pending()
    }

    /// How many nodes and pods on them are known, and how many of these pods are only assumed there.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        self.snapshot.sizes()
    }

    /// The pod whose turn it is, which must then be [decided](Self::decide) on before anything else changes. `None`
    /// if there is nothing to do before [`State::next_due`] or the next change.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Attempt> {
        self.queue.wake_due(now);
        self.wake_helped();
        self.queue.take()
    }

    /// Decides on a pod: it is now assumed on the node, or parked.
    pub(crate) fn decide(&mut self, pod: &Arc<PodInfo>, now: Instant) -> Result<String, Unschedulable> {
        let choice = self.algorithm.schedule(pod, &self.snapshot, &mut self.chance);
        match &choice {
            Ok(node) => self.snapshot.assume(pod.clone(), node),
            Err(unschedulable) => self.queue.park(&pod.key, &unschedulable.to_string(), now),
        }
        choice
    }

    /// When there is something to do though nothing changes.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.queue.next_due()
    }

    /// A pod was bound. It stays assumed until the watch shows it.
    pub(crate) fn bound(&mut self, pod: &PodInfo) {
        if self.snapshot.is_assumed(&pod.key, pod.uid()) {
            self.queue.remove(&pod.key);
        }
    }

    /// A pod could not be bound. Answers whether it will be tried again; else it is gone, or has a node.
    pub(crate) fn not_bound(&mut self, pod: &PodInfo, now: Instant) -> bool {
        let freed = self.snapshot.forget(&pod.key, pod.uid());
        self.changed.extend(freed);
        self.queue.retry(&pod.key, pod.uid(), now)
    }

    /// A parked pod in its last known state, and why it is parked.
    pub(crate) fn parked(&self, key: &ObjectKey) -> Option<(Arc<PodInfo>, String)> {
        self.queue.parked(key).map(|(pod, why)| (pod.clone(), why.to_owned()))
    }

    /// Chooses for somebody who asks; on these machines if any are given. Nothing is assumed.
    pub(crate) fn choose(&mut self, pod: &PodInfo, machines: Vec<Node>) -> Result<String, Unschedulable> {
        if machines.is_empty() {
            return self.algorithm.schedule(pod, &self.snapshot, &mut self.chance);
        }
        let given = self.snapshot.with_machines(machines);
        self.algorithm.schedule(pod, &given, &mut self.chance)
    }

    /// Explains where the pod would go now. A pod that has a node is judged as if it had not.
    pub(crate) fn explain(&self, pod: &PodInfo) -> Explanation {
        let without = self.snapshot.without(&pod.key);
        self.algorithm.explain(pod, without.as_ref().unwrap_or(&self.snapshot), &self.chance)
    }

    /// Whether we are to find a node for the pod: it asks for us, nothing gates it, and it is not going away.
    fn is_ours(&self, pod: &Pod) -> bool {
        let asked = match pod.spec.scheduler_name.as_str() {
            "" => DEFAULT_SCHEDULER,
            name => name,
        };
        let is_going = pod.metadata.deletion_timestamp.is_some();
        asked == self.scheduler_name && pod.spec.scheduling_gates.is_empty() && !is_going
    }

    fn forget_pod(&mut self, key: &ObjectKey) {
        self.queue.remove(key);
        if let Some(freed) = self.snapshot.remove(key) {
            self.changed.insert(freed);
            self.look_around();
        }
    }

    /// Something changed that matters to predicates that look beyond one node.
    fn look_around(&mut self) {
        self.changed_all |= self.algorithm.filter().looks_around();
    }

    /// Makes the parked pods ready that fit on a node that has changed.
    fn wake_helped(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        let all = std::mem::take(&mut self.changed_all);
        if !self.queue.has_parked() || (changed.is_empty() && !all) {
            return;
        }
        let (snapshot, filter) = (&self.snapshot, self.algorithm.filter());
        let nodes: Vec<_> = changed.iter().filter_map(|name| snapshot.node(name)).collect();
        self.queue.wake(|pod| all || nodes.iter().any(|node| filter.fits(pod, node, snapshot)));
    }
}

#[cfg(test)]
mod tests;
