//! `keelson api`: the registries in a process of their own.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use keelson_api::Api;
use keelson_base_daemon::tls::{ClientAuth, SIGNING_KEY};
use tonic::Status;
use tonic::service::Routes;
use tower::ServiceExt as _;

use crate::kubelets::RemoteKubelets;
use crate::port;
use crate::service::{Service, ServiceFlags};
use crate::store::StoreFlags;
use crate::who::Who;

/// The flags of `keelson api`.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("listen", |arg| arg.default_value("0.0.0.0:6450")))]
pub struct ApiArgs {
    #[command(flatten)]
    service: ServiceFlags,
    #[command(flatten)]
    store: StoreFlags,
    /// Where the embedded store is kept, in a directory `store`.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/keelson/api")]
    data_dir: PathBuf,
    /// Seconds that an etcd which does not answer is waited for at the start.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    store_wait: u64,
    #[command(flatten)]
    config: keelson_api::Config,
}

/// Runs api until it is asked to stop.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub async fn api(args: ApiArgs) -> anyhow::Result<()> {
    let mut service = Service::open("api", Who::API.identity, &args.service).await?;
    let signing_key = Some(args.service.tls.pki_dir.join(SIGNING_KEY));
    let (_, health, metrics) = service.parts();
    let starting = health.register("store");
    // Whoever calls before the store answers is told so, rather than left waiting.
    let registries = Arc::new(OnceLock::<Router>::new());
    let frame = port::router(Routes::default(), health, metrics)?;
    let to_answer = registries.clone();
    let router = frame.fallback(move |request| answer(to_answer, request));
    service.serve_router(port::known_only(router), ClientAuth::Optional)?;

    let patience = Duration::from_secs(args.store_wait);
    let embedded = args.data_dir.join("store");
    let (tasks, _, metrics) = service.parts();
    let (tasks, metrics) = (tasks.clone(), metrics.clone());
    let opened = args.store.open_within(&embedded, patience, &tasks, &metrics);
    let opened = service.unless_stopped(opened).await;
    let Some(store) = opened.transpose()? else { return service.run().await };
    starting.release();
    let kubelets = Arc::new(RemoteKubelets::new(service.identity().clone()));
    let (tasks, health, metrics) = service.parts();
    let mut config = args.config;
    let signing = signing_key.filter(|path| path.exists());
    config.auth.service_account_signing_key_file = config.auth.service_account_signing_key_file.or(signing);
    let api = Api::build(config, store.clone(), kubelets, tasks, health, metrics).await?;
    let _ = registries.set(api.routes());
    let ended = service.run().await;
    if let Err(error) = store.close().await {
        tracing::warn!(%error, "the store did not close cleanly");
    }
    ended
}

/// What answers for `routes` until they are known: UNAVAILABLE, so that clients try again.
async fn answer(routes: Arc<OnceLock<Router>>, request: Request) -> Response {
    match routes.get() {
        Some(routes) => match routes.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        None => Status::unavailable("api is starting: its store has not answered yet").into_http(),
    }
}
