//! What pods have besides the verbs of all nouns: binding, eviction, and what is relayed from and to their kubelet.

mod container;
mod log;
mod streams;

pub(super) use self::streams::relayed;

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use keelson_base_daemon::tasks::Drain;
use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::core::Pod;
use keelson_proto::meta::Status;
use keelson_proto::v1::BindPodRequest;

use self::streams::Relayed;
use crate::auth::Caller;
use crate::kubelet::Kubelets;
use crate::registry::{PodStrategy, Registry};
use crate::rpc::evict::evict;
use crate::rpc::unary::unary;
use crate::rpc::verbs::may;
use crate::rpc::{Extra, ResponseFuture, decoded};

/// What pods have besides.
pub(crate) struct PodVerbs {
    /// The registry of pods.
    pub(crate) pods: Arc<Registry<PodStrategy>>,
    /// The way to kubelets.
    pub(crate) kubelets: Arc<Kubelets>,
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
                "Evict" => Box::pin(async move { evict(&verbs.pods, caller, request).await }),
                "Log" => Box::pin(async move { verbs.log(caller, request).await }),
                "Exec" => Box::pin(async move { verbs.relay(caller, request, Relayed::Exec).await }),
                "Attach" => Box::pin(async move { verbs.relay(caller, request, Relayed::Attach).await }),
                "PortForward" => {
                    Box::pin(async move { verbs.relay(caller, request, Relayed::PortForward).await })
                }
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

    /// A pod as it is now, and the node that it is bound to.
    async fn bound(&self, namespace: &str, name: &str) -> Result<Pod, ApiError> {
        let pod: Pod = decoded(self.pods.get(&super::get(namespace, name)).await?)?;
        if pod.spec.node_name.is_empty() {
            return Err(ApiError::bad_request(format!("pod {name} does not have a host assigned")));
        }
        Ok(pod)
    }
}
