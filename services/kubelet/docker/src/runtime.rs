//! One node's containers in Docker: the kubelet's [`Runtime`].

mod attach;
mod connect;
mod create;
mod events;
mod exec;
mod holdings;
mod logs;
mod observe;
mod oom;
mod process;
mod pull;
mod session;
mod start;

#[cfg(test)]
pub(crate) use self::{create::body, start::Created};

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker as Client;
use bollard::query_parameters::{ListContainersOptionsBuilder, StopContainerOptionsBuilder};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use keelson_base_daemon::trace::{self, SpanKind};
use keelson_kubelet::runtime::{
    Connection, ContainerSpec, Credentials, Holdings, Image, ImageError, ImageStatus, LogOptions,
    Measurement, ObservedContainer, Runtime, RuntimeError, RuntimeEvent, RuntimeInfo, Session, Streams,
    Wanted,
};

use crate::Docker;
use crate::error::{failed, failed_on, status};
use crate::labels::{self, Owner};
use crate::traced;

/// Containers inspected side by side.
const INSPECTIONS: usize = 16;
/// What a stop may take beyond its grace: Docker kills, and tears the container down.
const STOP_MARGIN: Duration = Duration::from_secs(60);

/// The containers of one node of one cluster, kept by Docker. Made by [`Docker::runtime`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct DockerRuntime {
    docker: Docker,
    owner: Owner,
    /// The lowest `oom_score_adj` that can be had.
    oom_floor: i32,
}

// === impl DockerRuntime ===

impl DockerRuntime {
    pub(crate) fn new(docker: Docker, owner: Owner) -> Self {
        DockerRuntime { docker, owner, oom_floor: oom::floor() }
    }

    fn client(&self) -> &Client {
        self.docker.client()
    }

    fn filters(&self, pod_uid: Option<&str>) -> HashMap<String, Vec<String>> {
        HashMap::from([("label".to_owned(), labels::filters(&self.owner, pod_uid))])
    }

    async fn read_info(&self) -> Result<RuntimeInfo, RuntimeError> {
        let info = self.client().info().await.map_err(failed("read its version"))?;
        Ok(RuntimeInfo {
            name: "docker".to_owned(),
            version: info.server_version.unwrap_or_default(),
            os_image: info.operating_system.unwrap_or_default(),
        })
    }

    /// One call finds the containers; what it does not say of each (exit code, times) is asked side by side.
    async fn list_containers(&self, pod_uid: Option<&str>) -> Result<Vec<ObservedContainer>, RuntimeError> {
        let options =
            ListContainersOptionsBuilder::default().all(true).filters(&self.filters(pod_uid)).build();
        let call = self.client().list_containers(Some(options));
        let listed =
            trace::span("docker list containers").kind(SpanKind::Client).instrument_result(call).await;
        let found = listed.map_err(failed("list containers"))?;
        let ids = found.into_iter().filter_map(|summary| summary.id);
        let looks = stream::iter(ids).map(|id| async move { self.look(&id).await });
        looks.buffered(INSPECTIONS).try_filter_map(async |container| Ok(container)).try_collect().await
    }

    /// A container as it is; `None` if it is gone, or its labels are not whole.
    async fn look(&self, id: &str) -> Result<Option<ObservedContainer>, RuntimeError> {
        let call = self.client().inspect_container(id, None);
        match traced::container("docker inspect container", id).instrument_result(call).await {
            Ok(container) => Ok(observe::container(container)),
            Err(cause) if status(&cause) == Some(404) => Ok(None),
            Err(cause) => Err(failed_on("inspect container", id)(cause)),
        }
    }

    async fn stop_container(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        let patient = self.client().clone().with_timeout(grace.saturating_add(STOP_MARGIN));
        let options =
            StopContainerOptionsBuilder::default().t(i32::try_from(seconds).unwrap_or(i32::MAX)).build();
        let call = patient.stop_container(id, Some(options));
        match traced::container("docker stop container", id).instrument_result(call).await {
            Err(cause) if status(&cause) != Some(404) => Err(failed_on("stop container", id)(cause)),
            _ => Ok(()),
        }
    }
}

impl Runtime for DockerRuntime {
    fn info(&self) -> BoxFuture<'_, Result<RuntimeInfo, RuntimeError>> {
        self.read_info().boxed()
    }

    fn list<'a>(
        &'a self,
        pod_uid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<ObservedContainer>, RuntimeError>> {
        self.list_containers(pod_uid).boxed()
    }

    fn events(&self) -> BoxStream<'static, Result<RuntimeEvent, RuntimeError>> {
        events::subscribe(self.client().clone(), self.filters(None))
    }

    fn image<'a>(
        &'a self,
        image: &'a str,
        pull: Option<&'a [Credentials]>,
    ) -> BoxFuture<'a, Result<ImageStatus, ImageError>> {
        pull::image(self.client(), image, pull).boxed()
    }

    fn start(&self, spec: ContainerSpec) -> BoxFuture<'_, Result<ObservedContainer, RuntimeError>> {
        self.start_container(spec).boxed()
    }

    fn stop<'a>(&'a self, id: &'a str, grace: Duration) -> BoxFuture<'a, Result<(), RuntimeError>> {
        self.stop_container(id, grace).boxed()
    }

    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        self.docker.remove_by_force(id).boxed()
    }

    fn logs(&self, id: &str, options: LogOptions) -> BoxStream<'static, Result<Bytes, RuntimeError>> {
        logs::read(self.client(), id, options)
    }
}

impl Streams for DockerRuntime {
    fn exec<'a>(
        &'a self,
        id: &'a str,
        command: &'a [String],
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<Session, RuntimeError>> {
        self.exec_in(id, command, wanted).boxed()
    }

    fn attach<'a>(&'a self, id: &'a str, wanted: Wanted) -> BoxFuture<'a, Result<Session, RuntimeError>> {
        self.attach_to(id, wanted).boxed()
    }

    fn connect<'a>(
        &'a self,
        id: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, RuntimeError>> {
        self.connect_to(id, port).boxed()
    }
}

impl Holdings for DockerRuntime {
    fn measure<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Measurement, RuntimeError>> {
        self.measure_container(id).boxed()
    }

    fn images(&self) -> BoxFuture<'_, Result<Vec<Image>, RuntimeError>> {
        self.list_images().boxed()
    }

    fn remove_image<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        self.forget_image(id).boxed()
    }
}
