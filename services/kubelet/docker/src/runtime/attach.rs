//! A container's own streams.

use bollard::query_parameters::ResizeContainerTTYOptionsBuilder;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use keelson_kubelet::runtime::{Control, RuntimeError, Session, Wanted};

use super::{DockerRuntime, session};
use crate::error::failed_on;
use crate::{Docker, traced};

/// A container whose streams are held.
struct Attached {
    docker: Docker,
    container: String,
    tty: bool,
}

// === impl DockerRuntime ===

impl DockerRuntime {
    pub(super) async fn attach_to(&self, container: &str, wanted: Wanted) -> Result<Session, RuntimeError> {
        let Wanted { stdin, stdout, stderr, tty } = wanted;
        let stderr = stderr && !tty;
        let path = format!(
            "/containers/{container}/attach?stream=true&stdin={stdin}&stdout={stdout}&stderr={stderr}"
        );
        let call = self.docker.hijack("attach to container", &path, String::new());
        let connection = traced::container("docker attach", container).instrument_result(call).await?;
        let attached = Attached { docker: self.docker.clone(), container: container.to_owned(), tty };
        Ok(session::of(connection, wanted, Box::new(attached)))
    }
}

// === impl Attached ===

impl Control for Attached {
    fn resize(&self, width: u16, height: u16) -> BoxFuture<'_, Result<(), RuntimeError>> {
        let size = ResizeContainerTTYOptionsBuilder::default().w(width.into()).h(height.into()).build();
        async move {
            if !self.tty {
                return Ok(());
            }
            let call = self.docker.client().resize_container_tty(&self.container, size);
            call.await.map_err(failed_on("resize terminal", &self.container))
        }
        .boxed()
    }

    fn exit_code(&self) -> BoxFuture<'_, Result<Option<i32>, RuntimeError>> {
        std::future::ready(Ok(None)).boxed()
    }

    fn kill(&self) -> BoxFuture<'_, Result<(), RuntimeError>> {
        std::future::ready(Ok(())).boxed()
    }
}
