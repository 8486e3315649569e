//! The node lifecycle loop: a silent node is known as one, and loses its pods after a while.
//!
//! A node shows that it lives by renewing its lease, or by a new heartbeat in its status. When that was is measured by
//! our clock, from when we saw it: nodes' clocks may be wrong, and what is long past when we start is given its time
//! again. Nothing is polled: a node's key comes back when its next deadline is due.

mod health;
mod marks;

pub(crate) use self::health::Timing;

use std::sync::Arc;

use keelson_base_client::{Api, ApiError, Client, Delta, Recorder, WorkQueue, reference};
use keelson_base_model::node::{is_ready, ready_condition};
use keelson_base_model::{conditions, meta, pod};
use keelson_proto::coordination::Lease;
use keelson_proto::core::{Node, Pod};
use keelson_proto::meta::Time;
use tokio::time::Instant;

use self::health::{Health, Monitor};
use crate::cache::Caches;
use crate::control::{Next, Reconcile, queue};
use crate::delete;

/// The node lifecycle loop. Its keys are names of nodes.
pub(crate) struct NodeLoop {
    queue: WorkQueue<String>,
    caches: Caches,
    nodes: Api<Node>,
    pods: Api<Pod>,
    recorder: Recorder,
    timing: Timing,
    monitor: Monitor,
}

// === impl NodeLoop ===

impl NodeLoop {
    /// The loop.
    pub(crate) fn new(client: &Client, caches: Caches, recorder: Recorder, timing: Timing) -> Self {
        Self {
            queue: queue(),
            caches,
            nodes: client.api(),
            pods: client.api(),
            recorder,
            timing,
            monitor: Monitor::default(),
        }
    }

    /// A node has changed.
    pub(crate) fn on_node(&self, delta: &Delta<Node>) {
        match delta {
            Delta::Applied { old, new, trace } => {
                let (name, now) = (&new.metadata.name, Instant::now());
                self.monitor.appeared(name, heartbeat(new).is_some(), now);
                let old = old.as_deref();
                if old.is_some_and(|old| heartbeat(old) != heartbeat(new)) {
                    self.monitor.heard(name, now);
                }
                let is_resync = old.is_some_and(|old| std::ptr::eq(old, &**new));
                if is_resync || old.is_none_or(|old| concerns(old, new)) {
                    self.queue.add_caused(name.clone(), *trace);
                }
                if is_ready(new) && !old.is_some_and(is_ready) {
                    // Evictions wait as long as no node is well.
                    self.monitor.unwell().into_iter().for_each(|name| self.queue.add(name));
                }
            }
            Delta::Deleted { old, .. } => self.monitor.forget(&old.metadata.name),
            Delta::Synced => {}
        }
    }

    /// A lease has changed: its node lives. A renewal only moves the deadline, which is read when the old one is due,
    /// unless the node counted as lost.
    pub(crate) fn on_lease(&self, delta: &Delta<Lease>) {
        let Delta::Applied { old, new, trace } = delta else {
            return;
        };
        let renewed = old.as_ref().is_none_or(|old| old.spec.renew_time != new.spec.renew_time);
        if renewed && self.monitor.heard(&new.metadata.name, Instant::now()) {
            self.queue.add_caused(new.metadata.name.clone(), *trace);
        }
    }

    async fn sync(&self, node: &Node) -> Result<Next, ApiError> {
        let name = &node.metadata.name;
        let now = Instant::now();
        let health = self.monitor.judge(name, is_well(node), now, &self.timing);
        let mut current = node.clone();
        if let Health::Lost { posted } = health
            && marks::mark_lost(&mut current, posted, Time::now())
        {
            current = self.nodes.update_status(&current).await?;
            let message = format!("Node {name} status is now: NodeNotReady");
            self.recorder.normal(&reference(node), "NodeNotReady", message);
            tracing::warn!(node = %name, "node has not been heard of in time");
        }
        let tainted = marks::tainted(&current, Time::now());
        if let Some(tainted) = &tainted {
            self.nodes.update(tainted).await?;
        }
        let pods = self.caches.pods_on(name);
        if matches!(health, Health::Lost { .. }) {
            self.mark_unready(&pods).await?;
        }
        let eviction = self.evict(&current, &pods, now).await?;
        let due = [health.due(), eviction].into_iter().flatten().min();
        Ok(due.map_or(Next::Event, |due| Next::After(due.saturating_duration_since(now))))
    }

    /// Says of the pods of a lost node that they are not ready, so that nobody sends traffic there.
    async fn mark_unready(&self, pods: &[Arc<Pod>]) -> Result<(), ApiError> {
        for pod in pods.iter().filter(|pod| pod::is_ready(pod)) {
            let mut unready = Pod::clone(pod);
            marks::mark_unready(&mut unready, Time::now());
            match self.pods.update_status(&unready).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
            self.recorder.warning(&reference(&**pod), "NodeNotReady", "Node is not ready");
        }
        Ok(())
    }

    /// Deletes the pods that a node has kept for too long while it was not well; answers when the next are due. As long
    /// as no node is well at all, it is rather us or the network, and there is nowhere to go.
    async fn evict(&self, node: &Node, pods: &[Arc<Pod>], now: Instant) -> Result<Option<Instant>, ApiError> {
        let Some(since) = self.monitor.unwell_since(&node.metadata.name) else {
            return Ok(None);
        };
        if !self.caches.nodes.list().iter().any(|node| is_ready(node)) {
            return Ok(None);
        }
        let (victims, due) = marks::evictions(pods, node, since, self.timing.eviction, now);
        for pod in victims {
            let message =
                format!("Marking for deletion Pod {} from Node {}", pod::key(&pod), node.metadata.name);
            self.recorder.normal(&reference(&*pod), "NodeControllerEviction", message);
            let pods = self.pods.namespaced(&pod.metadata.namespace);
            match pods.delete(&pod.metadata.name, delete::seen(&pod.metadata)).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(due)
    }
}

impl Reconcile for NodeLoop {
    const NAME: &'static str = "nodelifecycle";
    type Key = String;

    fn queue(&self) -> &WorkQueue<String> {
        &self.queue
    }

    async fn reconcile(&self, name: &String) -> Result<Next, ApiError> {
        match self.caches.node(name) {
            Some(node) if !meta::is_deleting(&node.metadata) => self.sync(&node).await,
            _ => Ok(Next::Event),
        }
    }
}

/// When a node's kubelet last wrote its status; none if it never did.
fn heartbeat(node: &Node) -> Option<Time> {
    ready_condition(node)?.last_heartbeat_time
}

/// Whether a node's kubelet has no complaint. What we have written ourselves, that nothing is known, is none.
fn is_well(node: &Node) -> bool {
    ready_condition(node).is_none_or(|ready| ready.status != conditions::FALSE)
}

/// Whether there may be something to do about a change of a node.
fn concerns(old: &Node, new: &Node) -> bool {
    let ready = |node: &Node| ready_condition(node).map(|ready| ready.status.clone());
    old.metadata.uid != new.metadata.uid || ready(old) != ready(new) || old.spec.taints != new.spec.taints
}
