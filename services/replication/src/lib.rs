//! The control loops: what brings the cluster to where its objects say it should be.
//!
//! | loop | brings about |
//! |---|---|
//! | `replicationcontroller` | as many pods as each replication controller wants |
//! | `endpoints` | for each service, the addresses of its pods, as endpoints and in slices |
//! | `namespace` | that a terminating namespace is emptied, and then goes |
//! | `nodelifecycle` | that a silent node is known as one, and loses its pods after a while |
//! | `garbagecollector` | that what its owner leaves behind goes too, or stays as an orphan |
//! | `podgc` | that pods go whose node does not exist any more |
//! | `resourcequota` | that quotas say what is used |
//! | `serviceaccount` | that every namespace has an account for its pods |
//! | `token` | that secrets have their account's token, and go with it |
//! | `rootca` | that every namespace knows the cluster's authority |
//!
//! Each loop is a [`WorkQueue`](keelson_base_client::WorkQueue) of keys and a few workers; one informer per kind feeds
//! all of them. What to do is decided by pure functions, one module each.

mod cache;
mod config;
mod control;
mod delete;
mod endpoints;
mod garbage;
mod hearers;
mod loops;
mod namespace;
mod node;
mod owned;
mod pod_gc;
mod replication;
mod resourcequota;
mod root_ca;
mod rpc;
mod serviceaccount;
mod token;

#[cfg(test)]
mod testing;

pub use self::config::{BuildError, Config};

use keelson_base_client::leader::{Election, Office, Term};
use keelson_base_client::{Client, Recorder};
use keelson_base_daemon::admin::{Health, Latch, Metrics};
use keelson_base_daemon::tasks::{Drain, Tasks};
use keelson_proto::v1::replication_server::ReplicationServer;
use tokio::sync::watch;
use tonic::service::Routes;

use self::cache::Caches;
use self::hearers::Hearers;
use self::loops::Loops;
use self::rpc::LoopsService;

/// The name of the service: of its tasks, of its health latch and of its events' component.
const NAME: &str = "replication";

/// The lease of the loops in office, in `kube-system`.
const LEASE: &str = "keelson-replication";

/// The control loops, running.
#[derive(Clone, Debug)]
pub struct Replication {
    service: LoopsService,
}

/// What a term is begun with.
struct Acting {
    config: Config,
    caches: Caches,
    hearers: Hearers,
}

// === impl Replication ===

impl Replication {
    /// Starts the loops in tasks named `replication/…`. They begin to work, and the latch `replication` of `health` is
    /// released, once all caches hold what there is.
    ///
    /// Where several are elected from, those that stand by follow the cluster and are ready as well; that costs each the
    /// memory of its caches, and saves reading all of the cluster when its turn comes (see `hearers`).
    ///
    /// # Errors
    /// A number in `config` that makes no sense.
    pub fn build(
        config: Config,
        client: Client,
        tasks: &Tasks,
        health: &Health,
        metrics: &Metrics,
    ) -> Result<Self, BuildError> {
        config.check()?;
        let tasks = tasks.child(NAME);
        let client = client.with_user_agent("keelson-replication").with_metrics(metrics);
        let recorder = Recorder::spawn(&tasks, &client, NAME, "");
        let election = config.leader_election.map(|timing| Election::new(&client, LEASE, timing, metrics));
        let office = election.as_ref().map_or_else(Office::always, Election::office);
        let caches = Caches::new();
        let make = {
            let (config, caches, metrics) = (config.clone(), caches.clone(), metrics.clone());
            let client = client.within(&office);
            move || Loops::new(&config, &client, &caches, &recorder, &metrics)
        };
        let hearers = Hearers::new(&caches, make);
        hearers.spawn_informers(&client, &tasks);
        if let Some(identity) = &config.root_ca {
            tasks.spawn("renewals", tell_renewals(identity.renewals(), hearers.clone(), tasks.drain()));
        }
        release_when_synced(health.register(NAME), &tasks, &caches);
        let service = LoopsService::new(hearers.clone(), caches.clone());
        let (acting, ours) = (Acting { config, caches, hearers }, tasks.clone());
        tasks.spawn_critical("lead", async move {
            match election {
                Some(election) => election.run(&ours, |term| acting.run(term, true)).await,
                None => acting.run(Term::new(&ours), false).await,
            }
        });
        Ok(Self { service })
    }

    /// Adds the gRPC service `keelson.v1.Replication`, which tells how the loops are doing. A caller must have been
    /// identified: without a [`Peer`](keelson_base_daemon::tls::Peer) among the request's extensions it is refused.
    pub fn add_to(&self, routes: Routes) -> Routes {
        routes.add_service(ReplicationServer::new(self.service.clone()))
    }
}

// === impl Acting ===

impl Acting {
    /// Works until the term ends. One that was elected first reads what its predecessor wrote last: a controller that
    /// has not seen its pods yet would make them again.
    fn run(&self, term: Term, is_elected: bool) -> impl Future<Output = ()> + Send + use<> {
        let (config, caches, hearers) = (self.config.clone(), self.caches.clone(), self.hearers.clone());
        async move {
            let draining = term.tasks().draining();
            if is_elected {
                tokio::select! {
                    () = caches.refresh() => {}
                    () = term.tasks().draining() => return,
                }
            }
            hearers.begin_work().spawn_workers(&config, term.tasks(), &caches);
            draining.await;
            hearers.end_work();
        }
    }
}

/// Tells the loops whenever the cluster's authorities may have changed.
async fn tell_renewals(mut renewals: watch::Receiver<()>, hearers: Hearers, drain: Drain) {
    loop {
        tokio::select! {
            () = drain.signaled() => return,
            changed = renewals.changed() => if changed.is_err() { return },
        }
        hearers.loops().on_renewal();
    }
}

/// Ready means that every loop works, or could, which each does as soon as the caches are full.
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
