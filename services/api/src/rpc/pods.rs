//! What pods have besides the verbs of all nouns: binding, and the log relayed from their kubelet.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use keelson_base_client::status::from_grpc;
use keelson_base_daemon::tasks::Drain;
use keelson_base_daemon::trace;
use keelson_base_model::status::ApiError;
use keelson_proto::core::{Node, Pod};
use keelson_proto::meta::Status;
use keelson_proto::v1::kubelet_client::KubeletClient;
use keelson_proto::v1::{BindPodRequest, GetRequest, PodLogRequest};
use keelson_proto::{Message, Object};

use crate::auth::Caller;
use crate::kubelet::KubeletDialer;
use crate::registry::{NodeStrategy, PodStrategy, Registry};
use crate::rpc::unary::{Messages, streaming, unary};
use crate::rpc::verbs::may;
use crate::rpc::{Extra, ResponseFuture};

/// What pods have besides.
pub(crate) struct PodVerbs {
    /// The registry of pods.
    pub(crate) pods: Arc<Registry<PodStrategy>>,
    /// The registry of nodes, where kubelets' addresses stand.
    pub(crate) nodes: Arc<Registry<NodeStrategy>>,
    /// The way to kubelets.
    pub(crate) kubelets: Arc<dyn KubeletDialer>,
    /// Ends the streams when the process stops.
    pub(crate) drain: Drain,
}

// === impl PodVerbs ===

impl PodVerbs {
    /// The dispatcher of these verbs.
    pub(super) fn extra(self: Arc<Self>) -> Extra {
        Arc::new(move |caller, method, request| {
            let verbs = self.clone();
            let answer: ResponseFuture = match method.as_str() {
                "Bind" => Box::pin(async move { verbs.bind(caller, request).await }),
                "Log" => Box::pin(async move { verbs.log(caller, request).await }),
                _ => return None,
            };
            Some(answer)
        })
    }

    /// Puts a pod on a node.
    pub(super) async fn bind(&self, caller: Caller, request: Request) -> Response {
        let call = |bind: BindPodRequest| async move {
            let binding = bind.binding.unwrap_or_default();
            let name = binding.metadata.name.clone();
            may(&*self.pods, &caller, "create", "binding", &bind.namespace, &name)?;
            self.pods.bind(&bind.namespace, binding).await?;
            let bound = Status { status: "Success".to_owned(), code: 201, ..Status::default() };
            Ok(bound.encode_to_vec().into())
        };
        unary(request, call).await
    }

    /// Streams the log of a container.
    async fn log(&self, caller: Caller, request: Request) -> Response {
        let call = |log: PodLogRequest| async move {
            may(&*self.pods, &caller, "get", "log", &log.namespace, &log.name)?;
            self.relay_log(log).await
        };
        streaming(request, call).await
    }

    async fn relay_log(&self, mut request: PodLogRequest) -> Result<Messages, ApiError> {
        let pod = self.pods.get(&get(&request.namespace, &request.name)).await?;
        let pod = decode::<Pod>(pod)?;
        let options = request.options.get_or_insert_default();
        options.container = container(&pod, &options.container)?;
        if pod.spec.node_name.is_empty() {
            let why = format!("pod {} does not have a host assigned", request.name);
            return Err(ApiError::bad_request(why));
        }
        let node = decode::<Node>(self.nodes.get(&get("", &pod.spec.node_name)).await?)?;
        let channel = self.kubelets.dial(&node)?;
        let mut request = tonic::Request::new(request);
        trace::inject(request.metadata_mut().as_mut());
        let chunks = KubeletClient::new(channel).log(request).await.map_err(from_grpc)?.into_inner();
        let drain = self.drain.clone();
        let chunks = chunks.map(|chunk| chunk.map(|chunk| chunk.encode_to_vec().into()).map_err(from_grpc));
        Ok(chunks.take_until(drain.signaled_owned()).boxed())
    }
}

/// The container whose log is meant.
fn container(pod: &Pod, wanted: &str) -> Result<String, ApiError> {
    let names =
        pod.spec.init_containers.iter().chain(&pod.spec.containers).map(|container| container.name.as_str());
    let default = pod.metadata.annotations.get("kubectl.kubernetes.io/default-container");
    let (name, listed) = (&pod.metadata.name, || {
        pod.spec.containers.iter().map(|container| container.name.as_str()).collect::<Vec<_>>().join(" ")
    });
    match (wanted, pod.spec.containers.as_slice()) {
        ("", [only]) => Ok(only.name.clone()),
        ("", _) => match default.filter(|default| names.clone().any(|name| name == default.as_str())) {
            Some(default) => Ok(default.clone()),
            None => Err(ApiError::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                listed()
            ))),
        },
        (wanted, _) if names.clone().any(|name| name == wanted) => Ok(wanted.to_owned()),
        (wanted, _) => Err(ApiError::bad_request(format!("container {wanted} is not valid for pod {name}"))),
    }
}

fn get(namespace: &str, name: &str) -> GetRequest {
    GetRequest { namespace: namespace.to_owned(), name: name.to_owned(), resource_version: String::new() }
}

fn decode<K: Object>(object: Bytes) -> Result<K, ApiError> {
    K::decode(object)
        .map_err(|error| ApiError::internal(format!("cannot read a stored {}: {error}", K::KIND.kind)))
}
