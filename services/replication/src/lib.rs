//! The control loops: what brings the cluster to where its objects say it should be.
//!
//! | loop | brings about |
//! |---|---|
//! | `replicationcontroller` | as many pods as each replication controller wants |
//! | `endpoints` | for each service with a selector, the addresses of its pods |
//! | `namespace` | that a terminating namespace is emptied, and then goes |
//! | `nodelifecycle` | that a silent node is known as one, and loses its pods after a while |
//! | `garbagecollector` | that what its owner leaves behind goes too, or stays as an orphan |
//! | `podgc` | that pods go whose node does not exist any more |
//!
//! Each loop is a [`WorkQueue`](keelson_base_client::WorkQueue) of keys and a few workers; one informer per kind feeds
//! all of them. What to do is decided by pure functions, one module each.

mod cache;
mod config;
mod control;
mod delete;
mod endpoints;
mod garbage;
mod namespace;
mod node;
mod pod_gc;
mod replication;
mod rpc;

#[cfg(test)]
mod testing;

pub use self::config::{BuildError, Config};

use std::sync::Arc;

use keelson_base_client::{Client, Recorder};
use keelson_base_daemon::admin::{Health, Latch};
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::v1::replication_server::ReplicationServer;
use tonic::service::Routes;

use self::cache::Caches;
use self::control::{LoopState, spawn};
use self::endpoints::EndpointsLoop;
use self::garbage::GarbageLoop;
use self::namespace::NamespaceLoop;
use self::node::NodeLoop;
use self::pod_gc::PodGcLoop;
use self::replication::ReplicationLoop;
use self::rpc::LoopsService;

/// The name of the service: of its tasks, of its health latch and of its events' component.
const NAME: &str = "replication";

/// The control loops, running.
#[derive(Clone, Debug)]
pub struct Replication {
    service: LoopsService,
}

/// The loops that hear of changes. Clones are the same loops.
#[derive(Clone)]
struct Loops {
    replication: Arc<ReplicationLoop>,
    endpoints: Arc<EndpointsLoop>,
    namespace: Arc<NamespaceLoop>,
    node: Arc<NodeLoop>,
    garbage: Arc<GarbageLoop>,
    pod_gc: Arc<PodGcLoop>,
}

// === impl Replication ===

impl Replication {
    /// Starts the loops in tasks named `replication/…`. They begin to work, and the latch `replication` of `health` is
    /// released, once all caches hold what there is.
    ///
    /// # Errors
    /// A number in `config` that makes no sense.
    pub fn build(config: Config, client: Client, tasks: &Tasks, health: &Health) -> Result<Self, BuildError> {
        config.check()?;
        let tasks = tasks.child(NAME);
        let client = client.with_user_agent("keelson-replication");
        let recorder = Recorder::spawn(&tasks, &client, NAME, "");
        let caches = Caches::new();
        let loops = Loops::new(&config, &client, &caches, &recorder);
        let states = loops.spawn_workers(&config, &tasks, &caches);
        loops.spawn_informers(&client, &tasks, &caches);
        release_when_synced(health.register(NAME), &tasks, &caches);
        Ok(Self { service: LoopsService::new(states, caches) })
    }

    /// Adds the gRPC service `keelson.v1.Replication`, which tells how the loops are doing. A caller must have been
    /// identified: without a [`Peer`](keelson_base_daemon::tls::Peer) among the request's extensions it is refused.
    pub fn add_to(&self, routes: Routes) -> Routes {
        routes.add_service(ReplicationServer::new(self.service.clone()))
    }
}

// === impl Loops ===

impl Loops {
    fn new(config: &Config, client: &Client, caches: &Caches, recorder: &Recorder) -> Self {
        Self {
            replication: Arc::new(ReplicationLoop::new(
                client,
                caches.clone(),
                recorder.clone(),
                config.burst_replicas,
            )),
            endpoints: Arc::new(EndpointsLoop::new(client, caches.clone())),
            namespace: Arc::new(NamespaceLoop::new(client, caches.clone())),
            node: Arc::new(NodeLoop::new(client, caches.clone(), recorder.clone(), config.timing())),
            garbage: Arc::new(GarbageLoop::new(client)),
            pod_gc: Arc::new(PodGcLoop::new(client, caches.clone())),
        }
    }

    fn spawn_workers(&self, config: &Config, tasks: &Tasks, caches: &Caches) -> Vec<Arc<LoopState>> {
        vec![
            spawn(tasks, &self.replication, config.concurrent_replicationcontroller_syncs, caches),
            spawn(tasks, &self.endpoints, config.concurrent_endpoint_syncs, caches),
            spawn(tasks, &self.namespace, config.concurrent_namespace_syncs, caches),
            spawn(tasks, &self.node, config.concurrent_node_syncs, caches),
            spawn(tasks, &self.garbage, config.concurrent_gc_syncs, caches),
            spawn(tasks, &self.pod_gc, 1, caches),
        ]
    }
}

/// Ready means that every loop works, which each does as soon as the caches are full.
fn release_when_synced(latch: Latch, tasks: &Tasks, caches: &Caches) {
    let (synced, draining) = (caches.synced(), tasks.draining());
    tasks.spawn("ready", async move {
        tokio::select! {
            () = synced => latch.release(),
            () = draining => {}
        }
    });
}

#[cfg(test)]
mod tests;
