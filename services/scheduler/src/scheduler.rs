//! The service: what starts, and what others can call.

use std::path::PathBuf;

use keelson_base_client::{Client, MAX_MESSAGE};
use keelson_base_daemon::admin::Health;
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::v1::scheduler_server::SchedulerServer;
use tonic::service::Routes;

use crate::config::{Config, Provider};
use crate::decision::{Algorithm, Best, Chance, Policy, PolicyError, Random, RoundRobin};
use crate::driver::{Caches, Driver, Shared};
use crate::grpc::Service;
use crate::state::State;

/// A running scheduler.
#[derive(Clone)]
pub struct Scheduler {
    service: Service,
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
}

// === impl Scheduler ===

impl Scheduler {
    /// Starts the tasks `scheduler/…`. The component `scheduler` of `health` is ready once the cluster's state has
    /// been read.
    ///
    /// # Errors
    /// A policy file that cannot be used.
    pub fn build(config: Config, client: Client, tasks: &Tasks, health: &Health) -> Result<Self, BuildError> {
        let algorithm = algorithm(&config)?;
        let tasks = tasks.child("scheduler");
        let latch = health.register("scheduler");
        let state = State::new(config.scheduler_name.clone(), algorithm, Chance::new());
        let shared = Shared::new(state);
        let caches = Caches::follow(&tasks, &client, &shared);
        let driver = Driver::new(&tasks, &client, shared.clone(), &config.scheduler_name);
        let draining = tasks.draining();
        let synced = caches.clone();
        let work = async move {
            synced.synced().await;
            latch.release();
            driver.run().await
        };
        tasks.spawn_critical("decide", async move {
            tokio::select! {
                never = work => match never {},
                () = draining => {}
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
