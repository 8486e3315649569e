//! What a kubelet answers over HTTP: Kubernetes 1.0's paths, and the statistics' of today.
//!
//! | path | what |
//! |---|---|
//! | `/pods`, `/runningpods` | the pods of the node; those of them that have a running container, from the runtime's view |
//! | `/spec` | the machine |
//! | `/stats`, `/stats/<namespace>/<pod>[/<uid>]/<container>` | what the machine, or a container, uses |
//! | `/stats/summary`, `/metrics/cadvisor` | what all of the node uses |
//! | `/containerLogs/<namespace>/<pod>/<container>` | a log |
//! | `/logs/…` | the machine's own logs, below /var/log |
//!
//! On the kubelet's own port they are for api and administrators; on the read-only port, for everybody who reaches it.

mod files;
mod log;
mod told;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use keelson_base_client::ApiError;
use keelson_base_daemon::tls::Peer;
use keelson_proto::core::Pod;
use serde_json::{Value, json};

use crate::pods::Pods;
use crate::server::{self, Service};
use crate::stats::{self, Sampler};

/// Prometheus' text form.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the answers are made of.
#[derive(Clone)]
pub(crate) struct Answers {
    pub(crate) service: Service,
    pub(crate) pods: Pods,
    pub(crate) sampler: Arc<Sampler>,
}

// === impl Answers ===

impl Answers {
    /// The paths, for whoever reaches them.
    pub(crate) fn open(self) -> Router {
        Router::new()
            .route("/pods", get(pods))
            .route("/pods/", get(pods))
            .route("/runningpods", get(running_pods))
            .route("/runningpods/", get(running_pods))
            .route("/spec", get(spec))
            .route("/spec/", get(spec))
            .route("/stats", get(machine))
            .route("/stats/", get(machine))
            .route("/stats/summary", get(summary))
            .route("/stats/{namespace}/{pod}/{container}", get(container))
            .route("/stats/{namespace}/{pod}/{uid}/{container}", get(container_of_uid))
            .route("/metrics/cadvisor", get(cadvisor))
            .route("/containerLogs/{namespace}/{pod}/{container}", get(log::container))
            .route("/logs", get(files::root))
            .route("/logs/", get(files::root))
            .route("/logs/{*path}", get(files::below))
            .with_state(self)
    }

    /// The paths, for those who may use the kubelet.
    pub(crate) fn guarded(self) -> Router {
        self.open().layer(middleware::from_fn(guard))
    }
}

async fn guard(request: Request, next: Next) -> Response {
    match server::may(request.extensions().get::<Peer>()) {
        Ok(()) => next.run(request).await,
        Err(error) => refusal(error),
    }
}

async fn pods(State(answers): State<Answers>) -> Response {
    list(answers.service.list())
}

async fn running_pods(State(answers): State<Answers>) -> Response {
    list(answers.pods.views().iter().filter_map(|view| told::running(view)).collect())
}

async fn spec(State(answers): State<Answers>) -> Response {
    json_body(&told::machine(&answers.sampler.root_info().await))
}

async fn machine(State(answers): State<Answers>) -> Response {
    let root = answers.sampler.root_info().await;
    json_body(&told::container("/", root.usage.as_ref()))
}

async fn summary(State(answers): State<Answers>) -> Response {
    json_body(&stats::summary(&answers.sampler.all().await))
}

async fn cadvisor(State(answers): State<Answers>) -> Response {
    let (all, machine) = (answers.sampler.all().await, &answers.sampler.facts().machine);
    let text = stats::exposition(&all, machine.cpus, machine.memory);
    ([(CONTENT_TYPE, HeaderValue::from_static(EXPOSITION))], text).into_response()
}

async fn container(
    State(answers): State<Answers>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
) -> Response {
    one(&answers, &namespace, &pod, None, &container).await
}

async fn container_of_uid(
    State(answers): State<Answers>,
    Path((namespace, pod, uid, container)): Path<(String, String, String, String)>,
) -> Response {
    one(&answers, &namespace, &pod, Some(&uid), &container).await
}

async fn one(answers: &Answers, namespace: &str, pod: &str, uid: Option<&str>, name: &str) -> Response {
    let Some(view) = answers.pods.find(namespace, pod) else {
        return refusal(ApiError::not_found("pods", pod));
    };
    let used = answers.sampler.pod(&view).await;
    let same = uid.is_none_or(|uid| used.uid == uid);
    match used.containers.iter().find(|container| container.name == name).filter(|_| same) {
        Some(container) => json_body(&told::container(&container.id, container.usage.as_ref())),
        None => refusal(ApiError::not_found("containers", name)),
    }
}

fn list(items: Vec<Pod>) -> Response {
    let items: Result<Vec<Value>, _> = items.iter().map(serde_json::to_value).collect();
    match items {
        Ok(items) => {
            json_body(&json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}))
        }
        Err(error) => refusal(ApiError::internal(error)),
    }
}

fn json_body(value: &Value) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], value.to_string()).into_response()
}

/// An error as a Kubernetes Status.
fn refusal(error: ApiError) -> Response {
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match serde_json::to_vec(&error.into_status()) {
        Ok(body) => {
            let json = HeaderValue::from_static("application/json");
            (code, [(CONTENT_TYPE, json)], Body::from(body)).into_response()
        }
        Err(_) => code.into_response(),
    }
}

#[cfg(test)]
mod tests;
