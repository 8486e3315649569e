//! The sink: one port for spans, one for those who look at them.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use keelson_base_daemon::admin::Health;
use keelson_base_daemon::serve::{BindError, Listener, Options, serve};
use keelson_base_daemon::tasks::Tasks;
use tonic::service::Routes;

use crate::otlp::{Intake, TraceServiceServer};
use crate::page;
use crate::span::PodName;
use crate::store::{Limits, Store};

/// The largest batch of spans taken, in bytes.
const MAX_MESSAGE: usize = 16 << 20;

/// What a sink is told.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Where spans are taken (OTLP/gRPC, plain HTTP/2).
    pub listen: SocketAddr,
    /// Where traces are shown (plain HTTP).
    pub page: SocketAddr,
    /// How much is kept.
    pub limits: Limits,
}

/// A sink, running.
#[derive(Clone, Debug)]
pub struct Sink {
    otlp: SocketAddr,
    page: SocketAddr,
    store: Store,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4317)),
            page: SocketAddr::from(([127, 0, 0, 1], 4318)),
            limits: Limits::default(),
        }
    }
}

// === impl Sink ===

impl Sink {
    /// Binds both ports and serves until `tasks` drain.
    ///
    /// # Errors
    /// If a port cannot be had.
    pub async fn start(config: Config, tasks: &Tasks, health: &Health) -> Result<Self, BindError> {
        let intake = Listener::bind(config.listen, "listen").await?;
        let pages = Listener::bind(config.page, "page").await?;
        let store = Store::new(config.limits);
        let sink = Self { otlp: intake.local_addr(), page: pages.local_addr(), store };
        let spans = TraceServiceServer::new(Intake { store: sink.store.clone() });
        let routes =
            Routes::new(spans.max_decoding_message_size(MAX_MESSAGE)).add_service(health.grpc_service());
        let options = Options::default();
        let intake = serve(intake, None, routes.into_axum_router(), tasks.drain(), options.clone());
        tasks.spawn_critical("otlp", intake);
        let router = router(sink.store.clone()).merge(health.router());
        tasks.spawn_critical("page", serve(pages, None, router, tasks.drain(), options));
        Ok(sink)
    }

    /// Where spans are taken.
    pub fn otlp(&self) -> SocketAddr {
        self.otlp
    }

    /// Where traces are shown.
    pub fn page(&self) -> SocketAddr {
        self.page
    }

    /// What has been taken.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

fn router(store: Store) -> Router {
    Router::new()
        .route("/", get(page_of_all))
        .route("/traces/{id}", get(page_of_one))
        .route("/api/traces", get(json_of_all))
        .route("/api/traces/{id}", get(json_of_one))
        .with_state(store)
}

async fn page_of_all(State(store): State<Store>, RawQuery(query): RawQuery) -> Response {
    match pod(query.as_deref()) {
        Ok(pod) => Html(page::list(&store.list(pod.as_ref()), pod.as_ref())).into_response(),
        Err(why) => (StatusCode::BAD_REQUEST, Html(page::missing(why))).into_response(),
    }
}

async fn page_of_one(State(store): State<Store>, Path(id): Path<String>) -> Response {
    match store.get(&id) {
        Some(trace) => Html(page::trace(&trace)).into_response(),
        None => (StatusCode::NOT_FOUND, Html(page::missing(&no_trace(&id)))).into_response(),
    }
}

async fn json_of_all(State(store): State<Store>, RawQuery(query): RawQuery) -> Response {
    match pod(query.as_deref()) {
        Ok(pod) => json(StatusCode::OK, &store.list(pod.as_ref())),
        Err(why) => json(StatusCode::BAD_REQUEST, &why),
    }
}

async fn json_of_one(State(store): State<Store>, Path(id): Path<String>) -> Response {
    match store.get(&id) {
        Some(trace) => json(StatusCode::OK, &trace),
        None => json(StatusCode::NOT_FOUND, &no_trace(&id)),
    }
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn no_trace(id: &str) -> String {
    format!("There is no trace {id}: it was not recorded, or has been forgotten since.")
}

/// The pod that is asked for with `pod=namespace/name`; names need no percent encoding, but the slash may have it.
fn pod(query: Option<&str>) -> Result<Option<PodName>, &'static str> {
    let Some(pod) = query.and_then(|query| query.split('&').find_map(|part| part.strip_prefix("pod=")))
    else {
        return Ok(None);
    };
    let pod = pod.replace("%2F", "/").replace("%2f", "/");
    match pod.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(Some(PodName { namespace: namespace.to_owned(), name: name.to_owned() }))
        }
        _ => Err("The pod is asked for as ?pod=namespace/name."),
    }
}

#[cfg(test)]
mod tests;
