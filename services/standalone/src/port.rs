//! What every port of ours has besides its service: health, reflection, metrics; and how it is served.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use keelson_base_daemon::admin::{self, Health, Metrics};
use keelson_base_daemon::reflection::{ReflectionError, add_reflection};
use keelson_base_daemon::serve::{self, Listener, Options};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::{ALPN_ANY_HTTP, ClientAuth, LiveIdentity, Peer, ServerTls, TlsError};
use tonic::service::Routes;

/// What the media types of gRPC begin with.
const GRPC: &[u8] = b"application/grpc";

/// gRPC services with what every port has besides: gRPC health and reflection, `/healthz`, `/livez`, `/readyz`, and
/// `/metrics`.
///
/// # Errors
/// If the messages' descriptors are damaged: a fault of the build.
pub(crate) fn router(
    services: Routes,
    health: &Health,
    metrics: &Metrics,
) -> Result<Router, ReflectionError> {
    Ok(grpc(services, health)?.merge(admin::router(health, metrics)).fallback(unimplemented))
}

/// gRPC services with health and reflection, and no answer for other paths.
///
/// # Errors
/// As [`router`].
pub(crate) fn grpc(services: Routes, health: &Health) -> Result<Router, ReflectionError> {
    let grpc = add_reflection(services.add_service(health.grpc_service()), keelson_proto::DESCRIPTORS)?;
    Ok(grpc.into_axum_router().reset_fallback())
}

/// How a port shows `identity` and asks its clients for theirs.
///
/// # Errors
/// If the identity is of no use.
pub(crate) fn tls(identity: &LiveIdentity, clients: ClientAuth) -> Result<ServerTls, TlsError> {
    identity.server_tls(clients, &ALPN_ANY_HTTP)
}

/// Serves `router` in a critical task until `tasks` drain, spans going where theirs go; in plain text without `tls`.
pub(crate) fn serve(
    listener: Listener,
    tls: Option<ServerTls>,
    router: Router,
    tasks: &Tasks,
    name: &'static str,
) {
    let options = Options { tracer: tasks.tracer().clone(), ..Options::default() };
    tasks.spawn_critical(name, serve::serve(listener, tls, router, tasks.drain(), options));
}

/// The same for those without a certificate too, as far as api says itself who may do what; everything else is for those
/// who show one.
pub(crate) fn known_only(router: Router) -> Router {
    router.layer(axum::middleware::from_fn(refuse_strangers))
}

async fn refuse_strangers(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if request.extensions().get::<Peer>().is_some() || keelson_api::authenticates(path) {
        return next.run(request).await;
    }
    let why = "show a client certificate of this cluster's authority";
    if request.headers().get(CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(GRPC)) {
        return tonic::Status::unauthenticated(why).into_http();
    }
    (StatusCode::UNAUTHORIZED, why).into_response()
}

/// A call of a service that this port does not have: reflection lists all of them on every port.
async fn unimplemented(request: Request) -> Response {
    let why = format!("{} is not served on this port", request.uri().path());
    tonic::Status::unimplemented(why).into_http()
}
