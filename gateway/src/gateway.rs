//! The service itself: who asks, is there room, what is asked for, and the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue};
use keelson_base_client::Client;
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::serve::{ConnectionInfo, hold};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::Peer;
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::ServiceAccount;
use keelson_proto::v1::{IssuerRequest, IssuerResponse};

use crate::call::{self, Exchange, Line, Place};
use crate::limits::Room;
use crate::meter::{Asked, Meter};
use crate::negotiate::{self, Form};
use crate::openapi::Documents;
use crate::query::Query;
use crate::response::status;
use crate::route::{Call, Route, Verb, route};
use crate::watch::Ring;
use crate::{caller, discovery, traced};

const JSON: &str = "application/json";
const JWK_SET: &str = "application/jwk-set+json";

/// How the gateway serves.
#[derive(Clone)]
pub struct Config {
    /// Most requests at a time that do not last; further ones get 429.
    pub max_in_flight: usize,
    /// Most watches and logs at a time; further ones get 429.
    pub max_watches: usize,
    /// Largest body of a request, in bytes; larger ones get 413.
    pub max_body: usize,
    /// The shortest time after which a watch is ended that does not say how long it wants to last; the longest
    /// is twice that.
    pub watch_timeout: Duration,
    /// Most bytes that wait for a client of a watch that reads slowly, before its watch ends with 410.
    pub watch_buffer: usize,
    /// Most bytes of changes that are kept spelled out for the next watcher of the same change.
    pub watch_ring: usize,
    /// Where the tasks of watches run; their drain ends all watches.
    pub tasks: Tasks,
    /// What `/healthz`, `/livez` and `/readyz` tell.
    pub health: Health,
    /// Where the gateway counts.
    pub metrics: Metrics,
}

/// The REST/JSON face of the API.
#[derive(Debug)]
pub struct Gateway;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) ring: Arc<Ring>,
    client: Client,
    watch_client: Client,
    requests: Room,
    watches: Room,
    documents: Documents,
    pub(crate) meter: Meter,
}

// === impl Config ===

impl Config {
    /// The limits that Kubernetes has.
    pub fn new(tasks: Tasks, health: Health, metrics: &Metrics) -> Self {
        Self {
            max_in_flight: 400,
            max_watches: 10_000,
            max_body: 3 * 1024 * 1024,
            watch_timeout: Duration::from_secs(30 * 60),
            watch_buffer: 16 * 1024 * 1024,
            watch_ring: 2 * 1024 * 1024,
            tasks,
            health,
            metrics: metrics.clone(),
        }
    }
}

// === impl Gateway ===

impl Gateway {
    /// The routes of the gateway, to be served by `daemon::serve`, which tells who the client is ([`Peer`]).
    ///
    /// `client` carries calls and lists, `watch_client` watches and logs: over connections of their own, so that a
    /// burst of changes holds up no call. Both must belong to an identity whose forwarded users api believes.
    pub fn build(config: Config, client: Client, watch_client: Client) -> Router {
        // Health is everybody's to ask, with or without a certificate.
        let health = config.health.router();
        let (client, watch_client) =
            (client.with_metrics(&config.metrics), watch_client.with_metrics(&config.metrics));
        let metrics = config.metrics.router();
        let shared = Arc::new(Shared {
            ring: Arc::new(Ring::new(config.watch_ring)),
            requests: Room::new(config.max_in_flight),
            watches: Room::new(config.max_watches),
            documents: Documents::default(),
            meter: Meter::new(&config.metrics),
            config,
            client,
            watch_client,
        });
        let metrics = metrics.layer(axum::middleware::from_fn_with_state(shared.clone(), allowed_only));
        Router::new().fallback(serve).with_state(shared).merge(health).merge(metrics)
    }
}

/// Lets through who may: what a cluster does is not everybody's business.
async fn allowed_only(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let user = caller::caller(request.extensions().get::<Peer>(), request.headers());
    let allowed = match user {
        Ok(user) => caller::may(&shared.client.acting_for(user), "get", request.uri().path()).await,
        Err(error) => Err(error),
    };
    match allowed {
        Ok(()) => next.run(request).await,
        Err(error) => {
            let form = negotiate::form_of_failure(request.headers(), &Query::parse(None));
            status::failure(form, error)
        }
    }
}

/// One of the two documents by which others check the tokens of service accounts.
async fn issuer(
    client: &Client,
    document: fn(IssuerResponse) -> String,
    media: &'static str,
) -> Result<Response, ApiError> {
    let told = client.raw(ServiceAccount::KIND.service).unary("Issuer", &IssuerRequest {}).await?;
    let mut response = Response::new(Body::from(document(told)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    Ok(response)
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let query = Query::parse(request.uri().query());
    let failed = negotiate::form_of_failure(request.headers(), &query);
    let (begun, mut asked) = (Instant::now(), Asked::unknown(request.method()));
    let mut span = traced::span(shared.config.tasks.tracer(), &request, &query);
    let answered = span.around(shared.clone().answer(request, query, &mut asked)).await;
    let mut response = answered.unwrap_or_else(|error| status::failure(failed, error));
    traced::answered(&mut span, &response);
    shared.meter.answered(asked, response.status().as_u16(), begun.elapsed());
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
    response
}

// === impl Shared ===

impl Shared {
    /// Answers, and says what it was that was asked for.
    async fn answer(
        self: Arc<Self>,
        request: Request,
        query: Query,
        asked: &mut Asked,
    ) -> Result<Response, ApiError> {
        let (mut head, body) = request.into_parts();
        let user = caller::caller(head.extensions.get::<Peer>(), &head.headers)?;
        let route = route(&head.method, head.uri.path(), &query)?;
        *asked = Asked::of(&route);
        let long_running = matches!(&route, Route::Call(call) if call.verb.is_long_running());
        let place = if long_running { self.watches.enter()? } else { self.requests.enter()? };
        let place: Place = Arc::new((place, self.meter.begin(&route)));
        if !matches!(route, Route::Call(_)) {
            let verb = head.method.as_str().to_ascii_lowercase();
            caller::may(&self.client.acting_for(user.clone()), &verb, head.uri.path()).await?;
        }
        let response = match route {
            Route::Call(call) => {
                let form = form_of(&call, &head.headers, &query)?;
                let (client, watch_client) =
                    (self.client.acting_for(user.clone()), self.watch_client.acting_for(user));
                let line = Line {
                    method: head.method,
                    uri: head.uri,
                    connection: head.extensions.get::<ConnectionInfo>().copied(),
                    upgrade: head.extensions.remove(),
                    place: place.clone(),
                };
                let headers = head.headers;
                let query = query.with_manager(&headers);
                let exchange =
                    Exchange { shared: self.clone(), client, watch_client, call, query, headers, form, line };
                // In a box: whoever wraps this future copies it, and few requests need the room of the largest.
                Box::pin(call::answer(exchange, body)).await?
            }
            Route::OpenApiV2 => self.documents.v2(&head.headers).await?,
            Route::OpenApiV3 => self.documents.v3(&head.headers).await?,
            Route::OpenApiV3Of(path) => self.documents.v3_of(&path, &head.headers).await?,
            Route::Swagger => self.documents.swagger().await?,
            Route::SwaggerOf(path) => self.documents.swagger_of(&path, &head.headers).await?,
            Route::Issuer => issuer(&self.client.acting_for(user), |told| told.configuration, JSON).await?,
            Route::Keys => issuer(&self.client.acting_for(user), |told| told.keys, JWK_SET).await?,
            route => describe(route, &head.headers, &query)?,
        };
        let (parts, body) = response.into_parts();
        Ok(Response::from_parts(parts, hold(body, place)))
    }
}

/// What is no object is sent as it is, whatever the client would take for objects.
fn form_of(call: &Call, headers: &HeaderMap, query: &Query) -> Result<Form, ApiError> {
    match call.verb {
        Verb::Log | Verb::Exec | Verb::Attach | Verb::PortForward | Verb::Proxy => {
            Ok(negotiate::form_of_failure(headers, query))
        }
        _ => negotiate::form(headers, query),
    }
}

/// Tells what the server has.
fn describe(route: Route, headers: &HeaderMap, query: &Query) -> Result<Response, ApiError> {
    let form = negotiate::form(headers, query).or_else(|error| {
        // Discovery has shapes of its own, which it looks for itself.
        if matches!(route, Route::CoreVersions | Route::Groups) {
            Ok(negotiate::form_of_failure(headers, query))
        } else {
            Err(error)
        }
    })?;
    match route {
        Route::Root => discovery::root(form),
        Route::Version => discovery::version(form),
        Route::CoreVersions => discovery::core_versions(form, headers, negotiate::text(headers, &HOST)),
        Route::Groups => discovery::groups(form, headers),
        Route::Group(group) => discovery::group(form, group),
        Route::Resources(group, version) => discovery::resources(form, group, version),
        Route::OpenApiV2
        | Route::OpenApiV3
        | Route::OpenApiV3Of(_)
        | Route::Swagger
        | Route::SwaggerOf(_)
        | Route::Issuer
        | Route::Keys
        | Route::Call(_) => Err(ApiError::unknown_resource()),
    }
}

#[cfg(test)]
mod tests;
