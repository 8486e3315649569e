//! The kubelet's gRPC service: `keelson.v1.Kubelet`. Only api may call it; api has authorised whoever asked.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use keelson_base_client::ApiError;
use keelson_base_client::status::to_grpc;
use keelson_base_daemon::tasks::Drain;
use keelson_base_daemon::tls::Peer;
use keelson_proto::Object as _;
use keelson_proto::core::{Pod, PodList};
use keelson_proto::v1::kubelet_server;
use keelson_proto::v1::{
    ContainerInput, ContainerOutput, KubeletPodsRequest, LogChunk, PodLogRequest, PortForwardInput,
    PortForwardOutput,
};
use tonic::{Request, Response, Status, Streaming};

use crate::clock::Clock;
use crate::logs;
use crate::pods::Pods;
use crate::runtime::{Runtime, RuntimeError};

/// The identity of api's certificate.
const API_SERVER: &str = "system:apiserver";

/// The group that may do everything.
const MASTERS: &str = "system:masters";

/// Answers for one node.
#[derive(Clone)]
pub struct Service {
    pods: Pods,
    runtime: Arc<dyn Runtime>,
    clock: Clock,
    drain: Drain,
}

// === impl Service ===

impl Service {
    pub(crate) fn new(pods: Pods, runtime: Arc<dyn Runtime>, clock: Clock, drain: Drain) -> Self {
        Self { pods, runtime, clock, drain }
    }

    /// The pods of the node.
    pub(crate) fn list(&self) -> Vec<Pod> {
        self.pods.views().iter().filter_map(|view| view.pod.clone()).collect()
    }

    fn open(&self, request: &PodLogRequest) -> Result<logs::LogSource, ApiError> {
        let view = self.pods.find(&request.namespace, &request.name);
        let view = view.ok_or_else(|| ApiError::not_found(Pod::KIND, &request.name))?;
        logs::find(&view, &request.options.clone().unwrap_or_default(), self.clock.now())
    }
}

#[tonic::async_trait]
impl kubelet_server::Kubelet for Service {
    async fn pods(&self, request: Request<KubeletPodsRequest>) -> Result<Response<PodList>, Status> {
        admit(&request)?;
        Ok(Response::new(PodList { items: self.list(), ..PodList::default() }))
    }

    type LogStream = BoxStream<'static, Result<LogChunk, Status>>;

    async fn log(&self, request: Request<PodLogRequest>) -> Result<Response<Self::LogStream>, Status> {
        admit(&request)?;
        let source = self.open(request.get_ref()).map_err(to_grpc)?;
        let log = self.runtime.logs(&source.id, source.options);
        let chunks = logs::limited(log, source.limit).map(|chunk| match chunk {
            Ok(data) => Ok(LogChunk { data }),
            Err(error) => Err(to_grpc(unreadable(&error))),
        });
        // A log that is followed must not hold the kubelet open.
        Ok(Response::new(chunks.take_until(self.drain.clone().signaled_owned()).boxed()))
    }

    type ExecStream = BoxStream<'static, Result<ContainerOutput, Status>>;

    async fn exec(
        &self,
        request: Request<Streaming<ContainerInput>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        admit(&request)?;
        Err(to_grpc(ApiError::unimplemented("exec is not served yet")))
    }

    type AttachStream = BoxStream<'static, Result<ContainerOutput, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<ContainerInput>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        admit(&request)?;
        Err(to_grpc(ApiError::unimplemented("attach is not served yet")))
    }

    type PortForwardStream = BoxStream<'static, Result<PortForwardOutput, Status>>;

    async fn port_forward(
        &self,
        request: Request<Streaming<PortForwardInput>>,
    ) -> Result<Response<Self::PortForwardStream>, Status> {
        admit(&request)?;
        Err(to_grpc(ApiError::unimplemented("port-forward is not served yet")))
    }
}

/// Lets api and administrators in.
fn admit<T>(request: &Request<T>) -> Result<(), Status> {
    let Some(peer) = request.extensions().get::<Peer>() else {
        return Err(to_grpc(ApiError::unauthorized("the kubelet wants a client certificate")));
    };
    let known = peer.common_name == API_SERVER || peer.organizations.iter().any(|group| group == MASTERS);
    if known {
        return Ok(());
    }
    let why = format!("user {:?} may not use the kubelet: ask api", peer.common_name);
    Err(to_grpc(ApiError::forbidden("nodes/proxy", "", why)))
}

fn unreadable(error: &RuntimeError) -> ApiError {
    match error {
        RuntimeError::NotFound { id } => {
            ApiError::bad_request(format!("the container {id} and its log are gone"))
        }
        RuntimeError::Unreachable { .. } => ApiError::service_unavailable(error.to_string()),
        RuntimeError::Refused { .. } | RuntimeError::Unsupported(_) => ApiError::internal(error),
    }
}
