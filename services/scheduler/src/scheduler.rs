//! The service: what starts, and what others can call.

use std::path::PathBuf;

use keelson_base_client::leader::{Election, Office, Term};
use keelson_base_client::{Client, MAX_MESSAGE, Recorder};
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::v1::scheduler_server::SchedulerServer;
use tonic::service::Routes;

use crate::config::{Config, Provider};
use crate::decision::{Algorithm, Best, Chance, Policy, PolicyError, Random, RoundRobin};
use crate::driver::{Caches, Driver, Shared};
use crate::grpc::Service;
use crate::meter::Meter;
use crate::state::State;

/// The lease of the scheduler in office, in `kube-system`.
const LEASE: &str = "keelson-scheduler";

/// A running scheduler.
#[derive(Clone)]
pub struct Scheduler {
    service: Service,
}

/// What a term is begun with.
struct Acting {
    client: Client,
    shared: Shared,
    caches: Caches,
    recorder: Recorder,
    meter: Meter,
}

/// A scheduler that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The policy file cannot be read.
    #[error("cannot read --scheduler-policy-file {}: {source}", path.display())]
    ReadPolicy {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The policy file does not say what can be done.
    #[error("cannot use --scheduler-policy-file {}: {source}", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PolicyError,
    },
    /// The times of the election make no sense.
    #[error("{0}")]
    Election(String),
}

// === impl Scheduler ===

impl Scheduler {
    /// Starts the tasks `scheduler/…`. The component `scheduler` of `health` is ready once the cluster's state has
    /// been read.
    ///
    /// Where several schedulers are elected from, those that stand by follow the cluster's state all the same: they
    /// answer `Explain`, and when their turn comes they begin with the next pod, not with a list of the cluster. That
    /// costs each the memory of its caches.
    ///
    /// # Errors
    /// A policy file that cannot be used, or times of an election that make no sense.
    pub fn build(
        config: Config,
        client: Client,
        tasks: &Tasks,
        health: &Health,
        metrics: &Metrics,
    ) -> Result<Self, BuildError> {
        let algorithm = algorithm(&config)?;
        let tasks = tasks.child("scheduler");
        let latch = health.register("scheduler");
        let state = State::new(config.scheduler_name.clone(), algorithm, Chance::new());
        let shared = Shared::new(state);
        let client = client.with_metrics(metrics);
        let caches = Caches::follow(&tasks, &client, &shared);
        let meter = Meter::new(metrics, &config.scheduler_name, &shared);
        let election = match config.leader_election {
            None => None,
            Some(timing) => {
                timing.check().map_err(BuildError::Election)?;
                Some(Election::new(&client, LEASE, timing, metrics))
            }
        };
        let office = election.as_ref().map_or_else(Office::always, Election::office);
        let recorder = Recorder::spawn(&tasks, &client, &config.scheduler_name, "");
        let acting = Acting {
            client: client.within(&office),
            shared: shared.clone(),
            caches: caches.clone(),
            recorder,
            meter,
        };
        let (synced, draining) = (caches.clone(), tasks.draining());
        tasks.spawn("ready", async move {
            tokio::select! {
                () = synced.synced() => latch.release(),
                () = draining => {}
            }
        });
        let ours = tasks.clone();
        tasks.spawn_critical("lead", async move {
            match election {
                Some(election) => election.run(&ours, |term| acting.run(term, true)).await,
                None => acting.run(Term::new(&ours), false).await,
            }
        });
        Ok(Self { service: Service { shared, caches } })
    }

    /// Adds the gRPC service `keelson.v1.Scheduler`.
    #[must_use]
    pub fn add_to(&self, routes: Routes) -> Routes {
        let server = SchedulerServer::new(self.service.clone());
        let server = server.max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
        routes.add_service(server)
    }
}

// === impl Acting ===

impl Acting {
    /// Decides and binds until the term ends. One that was elected first reads what its predecessor bound last, whose
    /// pods take up room.
    fn run(&self, term: Term, is_elected: bool) -> impl Future<Output = ()> + Send + use<> {
        let (caches, shared) = (self.caches.clone(), self.shared.clone());
        let (client, recorder, meter) = (self.client.clone(), self.recorder.clone(), self.meter.clone());
        async move {
            let work = async {
                match is_elected {
                    true => caches.refresh().await,
                    false => caches.synced().await,
                }
                // Of an earlier term nothing is left under way: what it assumed and was not seen to come true, did not.
                shared.begin_term();
                Driver::new(term.tasks(), &client, shared, recorder, meter).run().await
            };
            tokio::select! {
                never = work => match never {},
                () = term.tasks().draining() => {}
            }
        }
    }
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler").finish_non_exhaustive()
    }
}

fn algorithm(config: &Config) -> Result<Box<dyn Algorithm>, BuildError> {
    let Policy { filter, priorities } = match &config.scheduler_policy_file {
        None => Policy::default(),
        Some(path) => {
            let path = path.clone();
            match std::fs::read(&path) {
                Ok(text) => Policy::parse(&text).map_err(|source| BuildError::Policy { path, source })?,
                Err(source) => return Err(BuildError::ReadPolicy { path, source }),
            }
        }
    };
    Ok(match config.scheduler_provider {
        Provider::Default => Box::new(Best { filter, priorities }),
        Provider::Random => Box::new(Random { filter }),
        Provider::RoundRobin => Box::new(RoundRobin { filter }),
    })
}
