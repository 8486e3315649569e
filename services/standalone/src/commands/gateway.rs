//! `keelson gateway`: the REST face in a process of its own.

use keelson_base_daemon::tls::ClientAuth;
use keelson_gateway::{Config, Gateway};
use tonic::service::Routes;

use crate::port;
use crate::service::{ApiFlags, Service, ServiceFlags};
use crate::who::Who;

/// The flags of `keelson gateway`.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("listen", |arg| arg.default_value("0.0.0.0:6443")))]
pub struct GatewayArgs {
    #[command(flatten)]
    service: ServiceFlags,
    #[command(flatten)]
    api: ApiFlags,
}

/// Runs the gateway until it is asked to stop.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub async fn gateway(args: GatewayArgs) -> anyhow::Result<()> {
    let mut service = Service::open("gateway", Who::GATEWAY.identity, &args.service).await?;
    let client = args.api.client(&service)?;
    let (tasks, health, metrics) = service.parts();
    let config = Config::new(tasks.child("gateway"), health.clone(), metrics);
    let rest = Gateway::build(config, client.clone(), client);
    let grpc = port::grpc(Routes::default(), health)?;
    service.serve_router(rest.merge(grpc), ClientAuth::Optional)?;
    service.run().await
}
