//! `keelson scheduler`: the scheduler in a process of its own.

use keelson_scheduler::{Config, Scheduler};
use tonic::service::Routes;

use crate::service::{ApiFlags, ElectionFlags, Service, ServiceFlags};
use crate::who::Who;

/// The flags of `keelson scheduler`.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("listen", |arg| arg.default_value("0.0.0.0:10259")))]
pub struct SchedulerArgs {
    #[command(flatten)]
    service: ServiceFlags,
    #[command(flatten)]
    api: ApiFlags,
    #[command(flatten)]
    election: ElectionFlags,
    #[command(flatten)]
    config: Config,
}

/// Runs the scheduler until it is asked to stop.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub async fn scheduler(args: SchedulerArgs) -> anyhow::Result<()> {
    let mut service = Service::open("scheduler", Who::SCHEDULER.identity, &args.service).await?;
    let client = args.api.client(&service)?;
    let config = Config { leader_election: args.election.timing(), ..args.config };
    let (tasks, health, metrics) = service.parts();
    let scheduler = Scheduler::build(config, client, tasks, health, metrics)?;
    service.serve(scheduler.add_to(Routes::default()))?;
    service.run().await
}
