//! The kubelet's gRPC service: `keelson.v1.Kubelet`. Only api may call it; api has authorised whoever asked.

mod verbs;

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use keelson_base_client::ApiError;
use keelson_base_client::status::to_grpc;
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::Peer;
use keelson_proto::core::{Pod, PodList};
use keelson_proto::v1::kubelet_server;
use keelson_proto::v1::{
    ContainerHealthRequest, ContainerHealthResponse, ContainerInput, ContainerOutput,
    DeleteContainersRequest, DeleteContainersResponse, KillContainerRequest, KillContainerResponse,
    KubeletContainer, KubeletPodRequest, KubeletPodsRequest, KubeletStatsRequest, KubeletStatsResponse,
    LogChunk, PodLogRequest, PodUsage, PortForwardInput, PortForwardOutput, RootInfoRequest,
    RootInfoResponse, RunCommandRequest, RunCommandResponse, RunContainerRequest,
};
use tonic::{Request, Response, Status, Streaming};

use crate::clock::Clock;
use crate::logs;
use crate::node::Facts;
use crate::pods::Pods;
use crate::runtime::{Runtime, RuntimeError};
use crate::stats::Sampler;
use crate::streams::{self, Surroundings};

/// The identity of api's certificate.
const API_SERVER: &str = "system:apiserver";

/// The group that may do everything.
const MASTERS: &str = "system:masters";

/// Answers for one node.
#[derive(Clone)]
pub struct Service {
    pods: Pods,
    runtime: Arc<dyn Runtime>,
    facts: Arc<Facts>,
    sampler: Arc<Sampler>,
    clock: Clock,
    tasks: Tasks,
}

// === impl Service ===

impl Service {
    /// A service whose streams' tasks are among `tasks`.
    pub(crate) fn new(
        pods: Pods,
        runtime: Arc<dyn Runtime>,
        facts: Arc<Facts>,
        sampler: Arc<Sampler>,
        clock: Clock,
        tasks: &Tasks,
    ) -> Self {
        Self { pods, runtime, facts, sampler, clock, tasks: tasks.child("streams") }
    }

    /// The pods of the node.
    pub(crate) fn list(&self) -> Vec<Pod> {
        self.pods.views().iter().filter_map(|view| view.pod.clone()).collect()
    }

    /// The log that is asked for, as it is read.
    pub(crate) fn read_log(
        &self,
        request: &PodLogRequest,
    ) -> Result<BoxStream<'static, Result<bytes::Bytes, ApiError>>, ApiError> {
        let view = self.view(&request.namespace, &request.name)?;
        let source = logs::find(&view, &request.options.clone().unwrap_or_default(), self.clock.now())?;
        let log = self.runtime.logs(&source.id, source.options);
        let chunks = logs::limited(log, source.limit).map(|chunk| chunk.map_err(|error| unreadable(&error)));
        // A log that is followed must not hold the kubelet open.
        Ok(chunks.take_until(self.tasks.drain().signaled_owned()).boxed())
    }

    /// What streams are made with.
    pub(crate) fn around(&self) -> Surroundings {
        Surroundings { pods: self.pods.clone(), runtime: self.runtime.clone(), tasks: self.tasks.clone() }
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
        let log = self.read_log(request.get_ref()).map_err(to_grpc)?;
        let chunks = log.map(|chunk| chunk.map(|data| LogChunk { data }).map_err(to_grpc));
        Ok(Response::new(chunks.boxed()))
    }

    type ExecStream = streams::Outgoing<ContainerOutput>;

    async fn exec(
        &self,
        request: Request<Streaming<ContainerInput>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        admit(&request)?;
        answer(streams::exec(&self.around(), request.into_inner()).await)
    }

    type AttachStream = streams::Outgoing<ContainerOutput>;

    async fn attach(
        &self,
        request: Request<Streaming<ContainerInput>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        admit(&request)?;
        answer(streams::attach(&self.around(), request.into_inner()).await)
    }

    type PortForwardStream = streams::Outgoing<PortForwardOutput>;

    async fn port_forward(
        &self,
        request: Request<Streaming<PortForwardInput>>,
    ) -> Result<Response<Self::PortForwardStream>, Status> {
        admit(&request)?;
        answer(streams::forward(&self.around(), request.into_inner()).await)
    }

    async fn run_command(
        &self,
        request: Request<RunCommandRequest>,
    ) -> Result<Response<RunCommandResponse>, Status> {
        admit(&request)?;
        answer(self.command(request.into_inner()).await)
    }

    async fn run_container(
        &self,
        request: Request<RunContainerRequest>,
    ) -> Result<Response<KubeletContainer>, Status> {
        admit(&request)?;
        answer(self.run(request.into_inner()).await)
    }

    async fn kill_container(
        &self,
        request: Request<KillContainerRequest>,
    ) -> Result<Response<KillContainerResponse>, Status> {
        admit(&request)?;
        answer(self.kill(request.into_inner()).await)
    }

    async fn delete_containers(
        &self,
        request: Request<DeleteContainersRequest>,
    ) -> Result<Response<DeleteContainersResponse>, Status> {
        admit(&request)?;
        answer(self.delete_all(request.into_inner()).await)
    }

    async fn make_network_container(
        &self,
        request: Request<KubeletPodRequest>,
    ) -> Result<Response<KubeletContainer>, Status> {
        admit(&request)?;
        answer(self.make_network(request.into_inner()).await)
    }

    async fn sync_now(&self, request: Request<KubeletPodRequest>) -> Result<Response<Pod>, Status> {
        admit(&request)?;
        answer(self.sync(request.into_inner()).await)
    }

    async fn container_health(
        &self,
        request: Request<ContainerHealthRequest>,
    ) -> Result<Response<ContainerHealthResponse>, Status> {
        admit(&request)?;
        answer(self.health(request.get_ref()))
    }

    async fn root_info(
        &self,
        request: Request<RootInfoRequest>,
    ) -> Result<Response<RootInfoResponse>, Status> {
        admit(&request)?;
        Ok(Response::new(self.sampler.root_info().await))
    }

    async fn pod_info(&self, request: Request<KubeletPodRequest>) -> Result<Response<PodUsage>, Status> {
        admit(&request)?;
        let asked = request.get_ref();
        let view = self.view(&asked.namespace, &asked.name).map_err(to_grpc)?;
        Ok(Response::new(self.sampler.pod(&view).await))
    }

    async fn stats(
        &self,
        request: Request<KubeletStatsRequest>,
    ) -> Result<Response<KubeletStatsResponse>, Status> {
        admit(&request)?;
        Ok(Response::new(self.sampler.all().await))
    }
}

/// Lets api and administrators in.
fn admit<T>(request: &Request<T>) -> Result<(), Status> {
    may(request.extensions().get::<Peer>()).map_err(to_grpc)
}

/// Whether who is connected may use the kubelet.
pub(crate) fn may(peer: Option<&Peer>) -> Result<(), ApiError> {
    let Some(peer) = peer else {
        return Err(ApiError::unauthorized("the kubelet wants a client certificate"));
    };
    let known = peer.common_name == API_SERVER || peer.organizations.iter().any(|group| group == MASTERS);
    if known {
        return Ok(());
    }
    let why = format!("user {:?} may not use the kubelet: ask api", peer.common_name);
    Err(ApiError::forbidden("nodes/proxy", "", why))
}

fn answer<T>(outcome: Result<T, ApiError>) -> Result<Response<T>, Status> {
    outcome.map(Response::new).map_err(to_grpc)
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
