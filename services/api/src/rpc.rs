//! The gRPC face: decode, authorise, call, encode.
//!
//! Every noun's service has the same verbs with the same field numbers, so one dispatcher serves them all
//! through the raw twins of `keelson/v1/raw.proto`; what a noun has besides stands in a file of its own.

mod begin;
mod componentstatuses;
mod evict;
mod namespaces;
mod nodes;
mod pods;
mod proxy;
mod replicationcontrollers;
mod reviews;
mod serviceaccounts;
mod unary;
mod verbs;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use keelson_base_client::status::to_grpc;
use keelson_base_daemon::serve::hold;
use keelson_base_daemon::tasks::Drain;
use keelson_base_daemon::tls::Peer;
use keelson_base_model::status::ApiError;
use keelson_proto::core::{ComponentStatus, Pod};
use keelson_proto::v1::GetRequest;
use keelson_proto::{Kind, Object, QUESTIONS};
use tokio::sync::Semaphore;

pub(crate) use self::componentstatuses::{Components, Presence};
pub(crate) use self::pods::PodVerbs;
pub(crate) use self::proxy::Proxy;

use crate::audit::Audit;
use crate::auth::{Authenticator, Caller, NodeReferences};
use crate::errors::RETRY;
use crate::registry::{
    LeaseStrategy, NamespaceStrategy, NodeStrategy, Noun, Registry, ReplicationControllerStrategy,
};

/// The largest message taken: etcd's own limit is half of it, so that what is too large is told with a Status.
pub(crate) const MAX_MESSAGE: usize = 4 << 20;

/// Calls with one answer that may be under way at once.
const MOST_IN_FLIGHT: usize = 1024;

/// How long a call with one answer may take, its request's arrival included.
const LONGEST_CALL: Duration = Duration::from_secs(60);

/// Methods that answer with a stream. They may last; what they keep is bounded elsewhere.
const STREAMS: &[&str] = &["Attach", "Exec", "ListStream", "Log", "PortForward", "Proxy", "Watch"];

/// The services of all nouns.
pub(crate) struct Services {
    /// Every registry.
    pub(crate) nouns: Vec<Arc<dyn Noun>>,
    /// What pods have besides.
    pub(crate) pods: Arc<PodVerbs>,
    /// What passes requests on to pods, services and nodes.
    pub(crate) proxy: Arc<Proxy>,
    /// What replication controllers have besides.
    pub(crate) replicationcontrollers: Arc<Registry<ReplicationControllerStrategy>>,
    /// What nodes have besides.
    pub(crate) nodes: Arc<Registry<NodeStrategy>>,
    /// What namespaces have besides.
    pub(crate) namespaces: Arc<Registry<NamespaceStrategy>>,
    /// The leases by which our own services show that they live.
    pub(crate) leases: Arc<Registry<LeaseStrategy>>,
    /// What kubelets may read of secrets and config maps.
    pub(crate) references: Arc<NodeReferences>,
    /// Who asks, and where that is written down.
    pub(crate) door: Arc<Door>,
    /// Ends the streams when the process stops.
    pub(crate) drain: Drain,
}

/// Where every call comes in.
pub(crate) struct Door {
    /// Finds out who asks.
    pub(crate) authenticator: Authenticator,
    /// Where requests are written down.
    pub(crate) audit: Audit,
    /// Which of our own services are there.
    pub(crate) presence: Presence,
}

/// One noun's verbs besides those that all have. None means that there is no such verb.
type Extra = Arc<dyn Fn(Caller, String, Request) -> Option<ResponseFuture> + Send + Sync>;
type ResponseFuture = futures::future::BoxFuture<'static, Response>;

// === impl Services ===

impl Services {
    /// The routes of all services.
    pub(crate) fn router(self) -> axum::Router {
        let mut router = axum::Router::new();
        let gate = Arc::new(Semaphore::new(MOST_IN_FLIGHT));
        for noun in &self.nouns {
            let extra: Extra = match noun.kind().kind {
                "Pod" => self.pods.clone().extra(),
                "ReplicationController" => replicationcontrollers::extra(self.replicationcontrollers.clone()),
                "Node" => nodes::extra(self.nodes.clone()),
                "Namespace" => namespaces::extra(self.namespaces.clone()),
                "ServiceAccount" => serviceaccounts::extra(noun.clone(), self.door.clone()),
                _ => Arc::new(|_, _, _| None),
            };
            let extra = proxy::beside(&self.proxy, noun.kind(), extra);
            let (noun, drain, references) = (noun.clone(), self.drain.clone(), self.references.clone());
            let path = format!("/{}/{{method}}", noun.kind().service);
            let (through, door) = (gate.clone(), self.door.clone());
            let call = move |Path(method): Path<String>, request: Request| {
                let stream = STREAMS.contains(&method.as_str());
                let (noun, references, drain) = (noun.clone(), references.clone(), drain.clone());
                let (kind, extra, name) = (noun.kind(), extra.clone(), method.clone());
                let then = |caller, request| {
                    Box::pin(serve(noun, extra, references, drain, (name, caller, request)))
                };
                bounded(through.clone(), stream, door.clone().enter(kind, method, request, then))
            };
            router = router.route(&path, post(call));
        }
        let (pods, door, through) = (self.pods, self.door.clone(), gate.clone());
        let bind = move |Path(method): Path<String>, request: Request| {
            let (pods, name) = (pods.clone(), method.clone());
            let then = |caller, request| Box::pin(bindings(pods, name, caller, request));
            bounded(through.clone(), false, door.clone().enter(Pod::KIND, method, request, then))
        };
        router = router.route("/keelson.v1.Bindings/{method}", post(bind));
        let components = Arc::new(Components { door: self.door.clone(), leases: self.leases });
        let (door, through) = (self.door.clone(), gate.clone());
        let observe = move |Path(method): Path<String>, request: Request| {
            let (components, name) = (components.clone(), method.clone());
            let then = |caller, request| Box::pin(components.serve(name, caller, request));
            bounded(through.clone(), false, door.clone().enter(ComponentStatus::KIND, method, request, then))
        };
        router = router.route(&format!("/{}/{{method}}", ComponentStatus::KIND.service), post(observe));
        for kind in QUESTIONS {
            let (door, through) = (self.door.clone(), gate.clone());
            let review = move |Path(method): Path<String>, request: Request| {
                let (answering, name) = (door.clone(), method.clone());
                let then = |caller, request| Box::pin(reviews::serve(answering, kind, name, caller, request));
                bounded(through.clone(), false, door.clone().enter(kind, method, request, then))
            };
            router = router.route(&format!("/{}/{{method}}", kind.service), post(review));
        }
        router
    }
}

// === impl Door ===

impl Door {
    /// Finds out who asks, and has the call served in its span and written down.
    ///
    /// `then` answers in a box: a call's future has kilobytes, and would be copied into each that wraps it.
    async fn enter<F: Future<Output = Response>>(
        self: Arc<Self>,
        kind: &'static Kind,
        method: String,
        request: Request,
        then: impl FnOnce(Caller, Request) -> F,
    ) -> Response {
        let entry = self.audit.begin(&request);
        let stream = STREAMS.contains(&method.as_str());
        let peer = request.extensions().get::<Peer>();
        let response = match self.authenticator.caller(peer, request.headers(), entry.clone()).await {
            Ok(caller) => {
                let span = begin::span(&caller, kind, &method, &request);
                let here = if stream { self.presence.follow(&caller) } else { None };
                let response = span.instrument(then(caller, request)).await;
                response.map(|body| hold(body, here))
            }
            Err(error) => refuse(error),
        };
        self.audit.end(entry, stream, response)
    }
}

async fn serve(
    noun: Arc<dyn Noun>,
    extra: Extra,
    references: Arc<NodeReferences>,
    drain: Drain,
    (method, caller, request): (String, Caller, Request),
) -> Response {
    let method = match verbs::Verb::parse(&method) {
        Some(verb) => return verbs::serve(noun, verb, caller, references, drain, request).await,
        None => method,
    };
    match extra(caller, method.clone(), request) {
        Some(answered) => answered.await,
        None => unknown(&method),
    }
}

async fn bindings(pods: Arc<PodVerbs>, method: String, caller: Caller, request: Request) -> Response {
    match method.as_str() {
        "Create" => pods.bind(caller, request).await,
        _ => unknown(&method),
    }
}

/// Lets a call through if not too many are under way, and ends it when it takes too long. Streams are neither
/// counted nor ended.
async fn bounded(gate: Arc<Semaphore>, stream: bool, answer: impl Future<Output = Response>) -> Response {
    if stream {
        return answer.await;
    }
    let Ok(_permit) = gate.try_acquire() else {
        return refuse(ApiError::too_many_requests("Too many requests, please try again later.", RETRY));
    };
    match tokio::time::timeout(LONGEST_CALL, answer).await {
        Ok(answer) => answer,
        Err(_) => refuse(ApiError::timeout("request did not complete within the allotted timeout", RETRY)),
    }
}

/// An error in place of an answer.
fn refuse(error: ApiError) -> Response {
    to_grpc(error).into_http::<tonic::body::Body>().map(Body::new)
}

/// Asks for one object as it is now.
fn get(namespace: &str, name: &str) -> GetRequest {
    GetRequest { namespace: namespace.to_owned(), name: name.to_owned(), resource_version: String::new() }
}

/// An object of a registry.
fn decoded<K: Object>(object: Bytes) -> Result<K, ApiError> {
    K::decode(object)
        .map_err(|error| ApiError::internal(format!("cannot read a stored {}: {error}", K::KIND.kind)))
}

fn unknown(method: &str) -> Response {
    tonic::Status::unimplemented(format!("there is no method {method}"))
        .into_http::<tonic::body::Body>()
        .map(Body::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn code_of(gate: &Arc<Semaphore>, stream: bool) -> tonic::Code {
        let answer = bounded(gate.clone(), stream, async { unknown("Any") }).await;
        tonic::Status::from_header_map(answer.headers()).unwrap().code()
    }

    #[tokio::test]
    async fn too_many_calls_at_once_are_refused_but_streams_are_not() {
        let gate = Arc::new(Semaphore::new(1));
        assert_eq!(code_of(&gate, false).await, tonic::Code::Unimplemented);
        let _busy = gate.clone().acquire_owned().await.unwrap();
        assert_eq!(code_of(&gate, false).await, tonic::Code::ResourceExhausted);
        assert_eq!(code_of(&gate, true).await, tonic::Code::Unimplemented);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_is_ended() {
        let gate = Arc::new(Semaphore::new(1));
        let answer = bounded(gate.clone(), false, std::future::pending()).await;
        let status = tonic::Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
        assert_eq!(gate.available_permits(), 1);
    }
}
