//! The gRPC face: decode, authorise, call, encode.
//!
//! Every noun's service has the same verbs with the same field numbers, so one dispatcher serves them all
//! through the raw twins of `keelson/v1/raw.proto`; what a noun has besides stands in a file of its own.

mod begin;
mod namespaces;
mod nodes;
mod pods;
mod replicationcontrollers;
mod unary;
mod verbs;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::response::Response;
use axum::routing::post;
use keelson_base_client::status::to_grpc;
use keelson_base_daemon::tasks::Drain;
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::Pod;
use tokio::sync::Semaphore;

pub(crate) use self::pods::PodVerbs;

use crate::auth::{Caller, NodeReferences};
use crate::errors::RETRY;
use crate::registry::{NamespaceStrategy, NodeStrategy, Noun, Registry, ReplicationControllerStrategy};

/// The largest message taken: etcd's own limit is half of it, so that what is too large is told with a Status.
pub(crate) const MAX_MESSAGE: usize = 4 << 20;

/// Calls with one answer that may be under way at once.
const MOST_IN_FLIGHT: usize = 1024;

/// How long a call with one answer may take, its request's arrival included.
const LONGEST_CALL: Duration = Duration::from_secs(60);

/// Methods that answer with a stream. They may last; what they keep is bounded elsewhere.
const STREAMS: &[&str] = &["ListStream", "Log", "Watch"];

/// The services of all nouns.
pub(crate) struct Services {
    /// Every registry.
    pub(crate) nouns: Vec<Arc<dyn Noun>>,
    /// What pods have besides.
    pub(crate) pods: Arc<PodVerbs>,
    /// What replication controllers have besides.
    pub(crate) replicationcontrollers: Arc<Registry<ReplicationControllerStrategy>>,
    /// What nodes have besides.
    pub(crate) nodes: Arc<Registry<NodeStrategy>>,
    /// What namespaces have besides.
    pub(crate) namespaces: Arc<Registry<NamespaceStrategy>>,
    /// What kubelets may read of secrets and config maps.
    pub(crate) references: Arc<NodeReferences>,
    /// Ends the streams when the process stops.
    pub(crate) drain: Drain,
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
                _ => Arc::new(|_, _, _| None),
            };
            let (noun, drain, references) = (noun.clone(), self.drain.clone(), self.references.clone());
            let path = format!("/{}/{{method}}", noun.kind().service);
            let through = gate.clone();
            let call = move |Path(method): Path<String>, request: Request| {
                let stream = STREAMS.contains(&method.as_str());
                let (noun, references) = (noun.clone(), references.clone());
                let answer = serve(noun, extra.clone(), references, drain.clone(), method, request);
                bounded(through.clone(), stream, answer)
            };
            router = router.route(&path, post(call));
        }
        let pods = self.pods;
        let bind = move |Path(method): Path<String>, request: Request| {
            bounded(gate.clone(), false, bindings(pods.clone(), method, request))
        };
        router.route("/keelson.v1.Bindings/{method}", post(bind))
    }
}

async fn serve(
    noun: Arc<dyn Noun>,
    extra: Extra,
    references: Arc<NodeReferences>,
    drain: Drain,
    method: String,
    request: Request,
) -> Response {
    let caller = match Caller::of(&request) {
        Ok(caller) => caller,
        Err(error) => return refuse(error),
    };
    let span = begin::span(&caller, noun.kind(), &method, &request);
    let answered = async move {
        let method = match verbs::Verb::parse(&method) {
            Some(verb) => return verbs::serve(noun, verb, caller, references, drain, request).await,
            None => method,
        };
        match extra(caller, method.clone(), request) {
            Some(answered) => answered.await,
            None => unknown(&method),
        }
    };
    span.instrument(answered).await
}

async fn bindings(pods: Arc<PodVerbs>, method: String, request: Request) -> Response {
    let caller = match Caller::of(&request) {
        Ok(caller) => caller,
        Err(error) => return refuse(error),
    };
    let span = begin::span(&caller, Pod::KIND, &method, &request);
    match method.as_str() {
        "Create" => span.instrument(pods.bind(caller, request)).await,
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
