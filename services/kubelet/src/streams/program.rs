//! Exec and attach.

use std::sync::Arc;

use futures::future::Fuse;
use futures::stream::BoxStream;
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use keelson_base_client::ApiError;
use keelson_base_client::status::to_grpc;
use keelson_base_daemon::tasks::Drain;
use keelson_base_model::status::Reason;
use keelson_proto::Object as _;
use keelson_proto::core::{Pod, PodAttachOptions, PodExecOptions};
use keelson_proto::meta;
use keelson_proto::v1::container_input::Input;
use keelson_proto::v1::container_output;
use keelson_proto::v1::{ContainerInput, ContainerOutput};
use tokio::sync::oneshot;
use tonic::Status;

use super::input::{End, Program};
use super::{Guarded, Outgoing, Surroundings, target};
use crate::runtime::{Control, Output, RuntimeError, Session, Wanted};

/// What comes out of a program, and its end.
struct Outputs {
    pieces: BoxStream<'static, Result<Output, RuntimeError>>,
    control: Arc<dyn Control>,
    /// Says how it ended; none for a container, of which only the streams end.
    told: bool,
    refused: Fuse<oneshot::Receiver<ApiError>>,
    drain: Drain,
    over: bool,
    _input: Guarded,
}

/// Runs a command. The first piece of `input` says which.
pub(crate) async fn exec<S>(
    around: &Surroundings,
    mut input: S,
) -> Result<Outgoing<ContainerOutput>, ApiError>
where
    S: Stream<Item = Result<ContainerInput, Status>> + Send + Unpin + 'static,
{
    let Some(Input::Exec(start)) = first(&mut input).await? else {
        return Err(ApiError::bad_request("the first message must be exec"));
    };
    let options: PodExecOptions = start.options.unwrap_or_default();
    if options.command.is_empty() {
        return Err(ApiError::bad_request("you must specify a command to run"));
    }
    let wanted = Wanted {
        stdin: options.stdin,
        stdout: options.stdout,
        stderr: options.stderr && !options.tty,
        tty: options.tty,
    };
    check(wanted)?;
    let view = around.pods.find(&start.namespace, &start.name);
    let view = view.ok_or_else(|| ApiError::not_found(Pod::KIND, &start.name))?;
    let (_, instance) = target::running(&view, &options.container)?;
    let session = around.runtime.exec(&instance.id, &options.command, wanted).await;
    let end = if wanted.tty { End::Type } else { End::Close };
    Ok(stream(around, session.map_err(|error| failed(&error))?, input, true, end))
}

/// Attaches to a container. The first piece of `input` says which.
pub(crate) async fn attach<S>(
    around: &Surroundings,
    mut input: S,
) -> Result<Outgoing<ContainerOutput>, ApiError>
where
    S: Stream<Item = Result<ContainerInput, Status>> + Send + Unpin + 'static,
{
    let Some(Input::Attach(start)) = first(&mut input).await? else {
        return Err(ApiError::bad_request("the first message must be attach"));
    };
    let options: PodAttachOptions = start.options.unwrap_or_default();
    let view = around.pods.find(&start.namespace, &start.name);
    let view = view.ok_or_else(|| ApiError::not_found(Pod::KIND, &start.name))?;
    let (container, instance) = target::running(&view, &options.container)?;
    let wanted = Wanted {
        stdin: options.stdin,
        stdout: options.stdout,
        stderr: options.stderr && !container.tty,
        // What the container has, whatever was asked for.
        tty: container.tty,
    };
    check(wanted)?;
    let session = around.runtime.attach(&instance.id, wanted).await;
    let end = if wanted.tty { End::Leave } else { End::Close };
    Ok(stream(around, session.map_err(|error| failed(&error))?, input, false, end))
}

async fn first<S>(input: &mut S) -> Result<Option<Input>, ApiError>
where
    S: Stream<Item = Result<ContainerInput, Status>> + Unpin,
{
    match input.next().await {
        Some(Ok(piece)) => Ok(piece.input),
        Some(Err(error)) => Err(ApiError::bad_request(format!("the call broke off: {}", error.message()))),
        None => Ok(None),
    }
}

fn check(wanted: Wanted) -> Result<(), ApiError> {
    if wanted.stdin || wanted.stdout || wanted.stderr {
        return Ok(());
    }
    Err(ApiError::bad_request("you must specify at least 1 of stdin, stdout, stderr"))
}

fn stream<S>(
    around: &Surroundings,
    session: Session,
    input: S,
    told: bool,
    end: End,
) -> Outgoing<ContainerOutput>
where
    S: Stream<Item = Result<ContainerInput, Status>> + Send + Unpin + 'static,
{
    let Session { stdin, output, control } = session;
    let control: Arc<dyn Control> = Arc::from(control);
    let program = Program { stdin, control: control.clone(), end };
    let (refuse, refused) = oneshot::channel();
    let task = around.tasks.spawn("input", async move {
        if let Err(error) = program.feed(input).await {
            // The call may have ended.
            let _ = refuse.send(error);
        }
    });
    let outputs = Outputs {
        pieces: output,
        control,
        told,
        refused: refused.fuse(),
        drain: around.tasks.drain(),
        over: false,
        _input: Guarded(task),
    };
    stream::unfold(outputs, Outputs::next).boxed()
}

// === impl Outputs ===

impl Outputs {
    async fn next(mut self) -> Option<(Result<ContainerOutput, Status>, Self)> {
        if self.over {
            return None;
        }
        let piece = tokio::select! {
            piece = self.pieces.next() => piece,
            Ok(error) = &mut self.refused => return Some(self.end(Err(error))),
            () = self.drain.signaled() => {
                return Some(self.end(Err(ApiError::service_unavailable("the kubelet is stopping"))));
            }
        };
        match piece {
            Some(Ok(Output::Stdout(bytes))) => {
                Some((Ok(message(container_output::Output::Stdout(bytes))), self))
            }
            Some(Ok(Output::Stderr(bytes))) => {
                Some((Ok(message(container_output::Output::Stderr(bytes))), self))
            }
            Some(Err(error)) => Some(self.end(Err(failed(&error)))),
            None => {
                let status = how(self.told.then(|| self.control.clone())).await;
                Some(self.end(status))
            }
        }
    }

    fn end(mut self, how: Result<meta::Status, ApiError>) -> (Result<ContainerOutput, Status>, Self) {
        self.over = true;
        let last = how.map(|status| message(container_output::Output::Exit(status))).map_err(to_grpc);
        (last, self)
    }
}

/// How a command has ended; a container, of which only the streams have, well.
async fn how(command: Option<Arc<dyn Control>>) -> Result<meta::Status, ApiError> {
    let Some(command) = command else { return Ok(ended(0)) };
    match command.exit_code().await {
        Ok(Some(code)) => Ok(ended(code)),
        Ok(None) => Err(ApiError::internal("the command ended, and nobody knows how")),
        Err(error) => Err(failed(&error)),
    }
}

/// How a command ended, as remotecommand's v4 protocol says it.
pub(super) fn ended(code: i32) -> meta::Status {
    if code == 0 {
        return meta::Status { status: "Success".to_owned(), ..meta::Status::default() };
    }
    let cause = meta::StatusCause {
        // What JSON calls a reason is the cause's type.
        reason: "ExitCode".to_owned(),
        message: code.to_string(),
        ..meta::StatusCause::default()
    };
    meta::Status {
        status: "Failure".to_owned(),
        reason: "NonZeroExitCode".to_owned(),
        message: format!("command terminated with non-zero exit code: exit status {code}"),
        details: Some(meta::StatusDetails { causes: vec![cause], ..meta::StatusDetails::default() }),
        ..meta::Status::default()
    }
}

/// A runtime's error, as a caller sees it.
pub(crate) fn failed(error: &RuntimeError) -> ApiError {
    match error {
        RuntimeError::NotFound { id } => {
            ApiError::new(Reason::NotFound, format!("container not found ({id:?}): it has just ended"))
        }
        RuntimeError::Unreachable { .. } => ApiError::service_unavailable(error.to_string()),
        RuntimeError::Unsupported(_) => ApiError::unimplemented(error.to_string()),
        RuntimeError::Refused { .. } => ApiError::internal(error),
    }
}

fn message(output: container_output::Output) -> ContainerOutput {
    ContainerOutput { output: Some(output) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_commands_end_table() {
        let table = [
            (0, "Success", "", None),
            (3, "Failure", "NonZeroExitCode", Some("3")),
            (137, "Failure", "NonZeroExitCode", Some("137")),
        ];
        for (code, status, reason, cause) in table {
            let told = ended(code);
            assert_eq!((told.status.as_str(), told.reason.as_str()), (status, reason), "{code}");
            let causes = told.details.map(|details| details.causes).unwrap_or_default();
            let found = causes.first().map(|cause| (cause.reason.as_str(), cause.message.as_str()));
            assert_eq!(found, cause.map(|code| ("ExitCode", code)), "{code}");
        }
    }
}
