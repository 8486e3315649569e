//! The kubelet's own Node: registered once, reported when something changes, alive by its Lease.
//!
//! The Lease is renewed every ten seconds; the status is written when it changes, when somebody else wrote over it, and
//! every five minutes.

mod lease;
mod machine;
mod own;
mod pressure;
mod register;
mod status;

pub(crate) use self::machine::{Machine, disk};
pub(crate) use self::own::OwnNode;
pub(crate) use self::pressure::{Pressure, Shortage};
pub use self::pressure::{Threshold, Thresholds};
pub(crate) use self::status::info as system_info;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keelson_base_client::{Api, Cache, Client, Delta, Informer, Recorder, WatchScope, reference};
use keelson_base_daemon::admin::Latch;
use keelson_base_daemon::backoff::Backoff;
use keelson_base_daemon::tasks::Tasks;
use keelson_base_model::key::ObjectKey;
use keelson_proto::core::{Node, ObjectReference};
use keelson_proto::resource::Quantity;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};

use self::lease::Heartbeat;
use crate::clock::{Clock, until};
use crate::config::Config;
use crate::runtime::RuntimeInfo;

/// How often the Lease is renewed and the machine looked at (Kubernetes' values).
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The longest time without a report of an unchanged status.
const REPORT: Duration = Duration::from_secs(300);

/// What never changes of this node.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) port: u16,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) capacity: BTreeMap<String, Quantity>,
    pub(crate) machine: Machine,
    pub(crate) runtime: RuntimeInfo,
}

/// Why the runtime cannot run pods now; nothing if it can.
pub(crate) type RuntimeFault = Option<String>;

/// Keeps the Node current.
pub(crate) struct Reporter {
    facts: Arc<Facts>,
    nodes: Api<Node>,
    cache: Cache<Node>,
    /// Told when somebody changed our Node.
    changed: Arc<Notify>,
    fault: watch::Receiver<RuntimeFault>,
    heartbeat: Heartbeat,
    recorder: Recorder,
    clock: Clock,
    root_dir: std::path::PathBuf,
    thresholds: Thresholds,
    /// What the machine is short of, told at each look as long as it lasts.
    pressure: watch::Sender<Pressure>,
    reported_at: Timestamp,
}

// === impl Facts ===

impl Facts {
    /// What `config`, this machine and its runtime say.
    pub(crate) fn new(config: &Config, machine: Machine, runtime: RuntimeInfo) -> Self {
        let mut capacity = machine.capacity();
        capacity.insert("pods".to_owned(), Quantity { string: config.max_pods.to_string() });
        let own =
            config.capacity.iter().map(|(name, amount)| (name.clone(), Quantity { string: amount.clone() }));
        capacity.extend(own);
        let mut labels = config.labels.clone();
        labels.extend([
            ("kubernetes.io/hostname".to_owned(), config.node_name.clone()),
            ("kubernetes.io/os".to_owned(), "linux".to_owned()),
            ("kubernetes.io/arch".to_owned(), machine::architecture().to_owned()),
        ]);
        Self {
            name: config.node_name.clone(),
            addresses: config.addresses(),
            port: config.port,
            labels,
            capacity,
            machine,
            runtime,
        }
    }
}

// === impl Reporter ===

impl Reporter {
    /// A reporter whose view of its Node is kept current in a task of `tasks`.
    pub(crate) fn new(
        facts: Arc<Facts>,
        config: &Config,
        client: &Client,
        recorder: Recorder,
        fault: watch::Receiver<RuntimeFault>,
        tasks: &Tasks,
    ) -> Self {
        let nodes = client.api::<Node>();
        let changed = Arc::new(Notify::new());
        let told = changed.clone();
        let field_selector = format!("metadata.name={}", facts.name);
        let scope = WatchScope { field_selector, ..WatchScope::default() };
        let cache = Informer::spawn(tasks, nodes.clone(), scope, move |_: Delta<Node>| told.notify_one());
        let heartbeat = Heartbeat::new(client.api(), &facts.name);
        let (clock, root_dir) = (config.clock.clone(), config.root_dir.clone());
        Self {
            facts,
            nodes,
            cache,
            changed,
            fault,
            heartbeat,
            recorder,
            clock,
            root_dir,
            thresholds: config.eviction_hard,
            pressure: watch::Sender::default(),
            reported_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// What the machine is short of; told at each look as long as it is.
    pub(crate) fn pressure(&self) -> watch::Receiver<Pressure> {
        self.pressure.subscribe()
    }

    /// The node as api has it.
    pub(crate) fn node(&self) -> OwnNode {
        OwnNode::new(self.cache.clone(), self.facts.clone())
    }

    /// Registers the node, releases `registered`, and reports until dropped.
    pub(crate) async fn run(mut self, registered: Latch) {
        let about = self.about_node();
        self.recorder.normal(&about, "Starting", "Starting kubelet.");
        self.register().await;
        registered.release();
        let mut ticks = interval(HEARTBEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.look();
                    self.renew().await;
                }
                () = self.changed.notified() => {}
                Ok(()) = self.fault.changed() => {}
            }
            self.report().await;
        }
    }

    /// Looks at what the machine is short of.
    fn look(&self) {
        let now = Pressure::read(&self.root_dir, &self.thresholds);
        self.pressure.send_if_modified(|before| {
            *before = now;
            now != Pressure::default()
        });
    }

    /// Makes the Node, or takes over the one that is there; tries until it succeeds.
    async fn register(&mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(7));
        loop {
            let wanted = self.wanted();
            match register::register(&self.nodes, wanted).await {
                Ok(node) => {
                    self.heartbeat.owner(&node);
                    return self.report_on(&node).await;
                }
                Err(error) => tracing::warn!(node = %self.facts.name, %error, "cannot register the node"),
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// Writes the status if there is anything new to say. A Node that somebody deleted is registered again.
    async fn report(&mut self) {
        let key = ObjectKey::new("", self.facts.name.as_str());
        match self.cache.get(&key) {
            Some(node) => self.report_on(&node).await,
            // Registered a moment ago, and the cache is yet to hear of it.
            None if until(self.reported_at, self.clock.now()) < HEARTBEAT => {}
            None if self.cache.is_synced() => self.register().await,
            None => {}
        }
    }

    async fn report_on(&mut self, node: &Node) {
        let now = self.clock.now();
        let pressure = Pressure::read(&self.root_dir, &self.thresholds);
        let fault = self.fault.borrow_and_update().clone();
        let mut status = status::compute(&node.status, &self.facts, &pressure, fault.as_deref(), now);
        let due = until(self.reported_at, now) >= REPORT;
        if status == node.status && !due {
            return;
        }
        status::stamp(&mut status, now);
        let turned_ready = !status::is_ready(&node.status) && status::is_ready(&status);
        let reported = Node { metadata: node.metadata.clone(), status, ..Node::default() };
        match self.nodes.update_status(&reported).await {
            Ok(_) => {
                self.reported_at = now;
                if turned_ready {
                    let message = format!("Node {} status is now: NodeReady", self.facts.name);
                    self.recorder.normal(&self.about_node(), "NodeReady", message);
                }
            }
            // The cache will bring the change that came first, and with it the next try.
            Err(error) if error.is_conflict() || error.is_not_found() => {}
            Err(error) => tracing::warn!(node = %self.facts.name, %error, "cannot report the node's status"),
        }
    }

    async fn renew(&mut self) {
        if let Err(error) = self.heartbeat.beat(self.clock.now()).await {
            tracing::warn!(node = %self.facts.name, %error, "cannot renew the node's lease");
        }
    }

    /// The Node as it is registered.
    fn wanted(&self) -> Node {
        let mut node = Node::default();
        node.metadata.name.clone_from(&self.facts.name);
        node.metadata.labels.clone_from(&self.facts.labels);
        let now = self.clock.now();
        let pressure = Pressure::read(&self.root_dir, &self.thresholds);
        let fault = self.fault.borrow().clone();
        node.status = status::compute(&node.status, &self.facts, &pressure, fault.as_deref(), now);
        status::stamp(&mut node.status, now);
        node
    }

    /// How events name the node: by name where others have a uid, as Kubernetes does.
    pub(crate) fn about_node(&self) -> ObjectReference {
        let mut node = Node::default();
        node.metadata.name.clone_from(&self.facts.name);
        node.metadata.uid.clone_from(&self.facts.name);
        reference(&node)
    }
}
