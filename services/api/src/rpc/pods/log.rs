//! The log of a container, relayed from its kubelet.

use axum::extract::Request;
use axum::response::Response;
use futures::StreamExt as _;
use keelson_base_client::status::from_grpc;
use keelson_base_daemon::trace;
use keelson_base_model::status::ApiError;
use keelson_proto::Message as _;
use keelson_proto::v1::PodLogRequest;
use keelson_proto::v1::kubelet_client::KubeletClient;

use super::PodVerbs;
use super::container::container;
use crate::auth::Caller;
use crate::rpc::unary::{Messages, streaming};
use crate::rpc::verbs::may;

// === impl PodVerbs ===

impl PodVerbs {
    /// Streams the log of a container.
    pub(super) async fn log(&self, caller: Caller, request: Request) -> Response {
        let call = |log: PodLogRequest| async move {
            may(&*self.pods, &caller, "get", "log", &log.namespace, &log.name)?;
            self.relay_log(log).await
        };
        streaming(request, call).await
    }

    async fn relay_log(&self, mut request: PodLogRequest) -> Result<Messages, ApiError> {
        let pod = self.bound(&request.namespace, &request.name).await?;
        let options = request.options.get_or_insert_default();
        options.container = container(&pod, &options.container)?;
        let channel = self.kubelets.of_node(&pod.spec.node_name).await?;
        let mut request = tonic::Request::new(request);
        trace::inject(request.metadata_mut().as_mut());
        let chunks = KubeletClient::new(channel).log(request).await.map_err(from_grpc)?.into_inner();
        let drain = self.drain.clone();
        let chunks = chunks.map(|chunk| chunk.map(|chunk| chunk.encode_to_vec().into()).map_err(from_grpc));
        Ok(chunks.take_until(drain.signaled_owned()).boxed())
    }
}
