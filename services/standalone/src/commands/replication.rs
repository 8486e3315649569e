//! `keelson replication`: the control loops in a process of their own.

use keelson_replication::{Config, Replication};
use tonic::service::Routes;

use crate::service::{ApiFlags, ElectionFlags, Service, ServiceFlags};
use crate::who::Who;

/// The flags of `keelson replication`.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("listen", |arg| arg.default_value("0.0.0.0:10257")))]
pub struct ReplicationArgs {
    #[command(flatten)]
    service: ServiceFlags,
    #[command(flatten)]
    api: ApiFlags,
    #[command(flatten)]
    election: ElectionFlags,
    #[command(flatten)]
    config: Config,
}

/// Runs the control loops until they are asked to stop.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub async fn replication(args: ReplicationArgs) -> anyhow::Result<()> {
    let mut service = Service::open("replication", Who::CONTROLLERS.identity, &args.service).await?;
    let client = args.api.client(&service)?;
    let root_ca = Some(service.identity().clone());
    let config = Config { leader_election: args.election.timing(), root_ca, ..args.config };
    let (tasks, health, metrics) = service.parts();
    let replication = Replication::build(config, client, tasks, health, metrics)?;
    service.serve(replication.add_to(Routes::default()))?;
    service.run().await
}
