//! The verbs that only one noun has.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use keelson_base_model::status::ApiError;
use keelson_proto::autoscaling::Scale;
use keelson_proto::core::{
    Binding, Namespace, Node, ObjectReference, Pod, PodLogOptions, ReplicationController,
};
use keelson_proto::meta::{ObjectMeta, Status};
use keelson_proto::v1::{
    BindPodRequest, GetRequest, LogChunk, NodesContainsRequest, NodesContainsResponse, PodLogRequest,
    ScaleRequest,
};

use super::Api;
use crate::Messages;
use crate::raw::decode;

/// The pieces of a container's log, as they come.
pub struct Log {
    messages: Messages<LogChunk>,
}

// === impl Api ===

impl Api<Pod> {
    /// Puts a pod on a node. Fails with `Conflict` if it already has one, or if its uid is another by now.
    pub async fn bind(&self, pod: &Pod, node: &str) -> Result<(), ApiError> {
        let metadata = ObjectMeta {
            name: pod.metadata.name.clone(),
            namespace: self.namespace_of(pod),
            uid: pod.metadata.uid.clone(),
            ..Default::default()
        };
        let target = ObjectReference { kind: "Node".to_owned(), name: node.to_owned(), ..Default::default() };
        let request = BindPodRequest {
            namespace: metadata.namespace.clone(),
            binding: Some(Binding { metadata, target }),
        };
        self.raw.unary::<Status>("Bind", &request).await.map(drop)
    }

    /// Reads a container's log, and follows it if so asked.
    pub async fn log(&self, name: &str, options: PodLogOptions) -> Result<Log, ApiError> {
        let (namespace, name) = (self.namespace.to_string(), name.to_owned());
        let request = PodLogRequest { namespace, name, options: Some(options) };
        Ok(Log { messages: self.raw.server_stream("Log", &request).await? })
    }
}

impl Api<ReplicationController> {
    /// Reads how many replicas are wanted and observed.
    pub async fn get_scale(&self, name: &str) -> Result<Scale, ApiError> {
        let request =
            GetRequest { namespace: self.namespace.to_string(), name: name.to_owned(), ..Default::default() };
        self.raw.unary("GetScale", &request).await
    }

    /// Sets how many replicas are wanted.
    pub async fn scale(&self, name: &str, scale: Scale) -> Result<Scale, ApiError> {
        let (namespace, name) = (self.namespace.to_string(), name.to_owned());
        self.raw.unary("Scale", &ScaleRequest { namespace, name, scale: Some(scale), options: None }).await
    }
}

impl Api<Node> {
    /// Whether a node of this name is registered.
    pub async fn contains(&self, name: &str) -> Result<bool, ApiError> {
        let request = NodesContainsRequest { name: name.to_owned() };
        let answer: NodesContainsResponse = self.raw.unary("Contains", &request).await?;
        Ok(answer.contains)
    }
}

impl Api<Namespace> {
    /// Replaces a namespace's finalizers; the last one gone, a terminating namespace goes too.
    pub async fn finalize(&self, namespace: &Namespace) -> Result<Namespace, ApiError> {
        decode(self.raw.unary_bytes("Finalize", &self.update_request(namespace)).await?)
    }
}

// === impl Log ===

impl Stream for Log {
    type Item = Result<Bytes, ApiError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.messages.poll_next_unpin(cx).map(|next| next.map(|chunk| chunk.map(|chunk| chunk.data)))
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}
