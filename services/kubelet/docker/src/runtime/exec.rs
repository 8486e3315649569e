//! Commands in containers.

use bollard::models::ExecConfig;
use bollard::query_parameters::ResizeExecOptionsBuilder;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use keelson_kubelet::runtime::{Control, RuntimeError, Session, Wanted};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{DockerRuntime, events, process, session};
use crate::error::{failed, failed_on};
use crate::{Docker, traced};

/// A command that was started in a container.
struct Exec {
    docker: Docker,
    container: String,
    id: String,
    tty: bool,
}

// === impl DockerRuntime ===

impl DockerRuntime {
    pub(super) async fn exec_in(
        &self,
        container: &str,
        command: &[String],
        wanted: Wanted,
    ) -> Result<Session, RuntimeError> {
        let config = ExecConfig {
            attach_stdin: Some(wanted.stdin),
            attach_stdout: Some(wanted.stdout),
            attach_stderr: Some(wanted.stderr && !wanted.tty),
            tty: Some(wanted.tty),
            cmd: Some(command.to_vec()),
            ..ExecConfig::default()
        };
        let call = self.client().create_exec(container, config);
        let created = traced::container("docker create exec", container).instrument_result(call).await;
        let id = created.map_err(failed_on("create exec", container))?.id;
        let body = serde_json::json!({ "Detach": false, "Tty": wanted.tty }).to_string();
        let path = format!("/exec/{id}/start");
        let start = self.docker.hijack("start exec", &path, body);
        let connection = traced::container("docker start exec", container).instrument_result(start).await?;
        let exec = Exec { docker: self.docker.clone(), container: container.to_owned(), id, tty: wanted.tty };
        Ok(session::of(connection, wanted, Box::new(exec)))
    }
}

// === impl Exec ===

impl Exec {
    async fn code(&self) -> Result<Option<i32>, RuntimeError> {
        let found = self.docker.client().inspect_exec(&self.id).await.map_err(failed("inspect exec"))?;
        let code = found.exit_code.and_then(|code| i32::try_from(code).ok());
        Ok(if found.running == Some(true) { None } else { code })
    }

    /// Output ends a moment before the command does, or long before if the command closes it.
    async fn ended(&self) -> Result<Option<i32>, RuntimeError> {
        let before = Timestamp::now();
        if let Some(code) = self.code().await? {
            return Ok(Some(code));
        }
        let mut ends = events::of_execs(self.docker.client(), &self.container, before);
        while let Some(end) = ends.next().await {
            end?;
            if let Some(code) = self.code().await? {
                return Ok(Some(code));
            }
        }
        Ok(None)
    }

    async fn end(&self) -> Result<(), RuntimeError> {
        let found = self.docker.client().inspect_exec(&self.id).await.map_err(failed("inspect exec"))?;
        let pid = found.pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0);
        let (Some(pid), Some(true)) = (pid, found.running) else { return Ok(()) };
        if !process::is_of(pid, &self.container) {
            let message = "the command's process is not to be seen from here".to_owned();
            return Err(RuntimeError::Refused { operation: "kill command", message });
        }
        // Gone meanwhile is as good.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        Ok(())
    }
}

impl Control for Exec {
    fn resize(&self, width: u16, height: u16) -> BoxFuture<'_, Result<(), RuntimeError>> {
        let size = ResizeExecOptionsBuilder::default().w(width.into()).h(height.into()).build();
        async move {
            match self.tty {
                true => {
                    self.docker.client().resize_exec(&self.id, size).await.map_err(failed("resize terminal"))
                }
                false => Ok(()),
            }
        }
        .boxed()
    }

    fn exit_code(&self) -> BoxFuture<'_, Result<Option<i32>, RuntimeError>> {
        self.ended().boxed()
    }

    fn kill(&self) -> BoxFuture<'_, Result<(), RuntimeError>> {
        self.end().boxed()
    }
}
