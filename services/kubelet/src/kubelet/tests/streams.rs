//! Exec, attach and port-forward of a whole kubelet; the programs are the hollow runtime's.

use futures::StreamExt as _;
use keelson_base_client::ApiError;
use keelson_proto::core::{PodAttachOptions, PodExecOptions};
use keelson_proto::meta;
use keelson_proto::v1::container_input::Input;
use keelson_proto::v1::container_output::Output;
use keelson_proto::v1::port_forward_input::Input as ToPort;
use keelson_proto::v1::{
    AttachStart, ContainerInput, ContainerOutput, ExecStart, PortForwardInput, PortForwardStart, TerminalSize,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::*;
use crate::streams::{self, Outgoing};

type Sender<T> = mpsc::Sender<Result<T, Status>>;

fn options(command: &str) -> PodExecOptions {
    PodExecOptions {
        stdin: true,
        stdout: true,
        stderr: true,
        command: command.split(' ').map(str::to_owned).collect(),
        ..PodExecOptions::default()
    }
}

fn input(input: Input) -> Result<ContainerInput, Status> {
    Ok(ContainerInput { input: Some(input) })
}

/// Begins exec in pod web; `keep` is the caller's end of the input.
async fn exec(
    node: &TestNode,
    options: PodExecOptions,
) -> (Sender<ContainerInput>, Result<Outgoing<ContainerOutput>, ApiError>) {
    let (keep, pieces) = mpsc::channel(8);
    let start = ExecStart { namespace: "default".to_owned(), name: "web".to_owned(), options: Some(options) };
    keep.send(input(Input::Exec(start))).await.unwrap();
    let around = node.kubelet.as_ref().unwrap().answers.service.around();
    (keep, streams::exec(&around, ReceiverStream::new(pieces)).await)
}

/// Everything that comes out: the output, and how it ended.
async fn all(output: Outgoing<ContainerOutput>) -> (String, Result<meta::Status, Status>) {
    let (mut text, mut end) = (String::new(), Err(Status::unknown("it did not say how it ended")));
    let mut output = output;
    while let Some(piece) = output.next().await {
        match piece.map(|piece| piece.output.unwrap()) {
            Ok(Output::Stdout(bytes) | Output::Stderr(bytes)) => text += std::str::from_utf8(&bytes).unwrap(),
            Ok(Output::Exit(status)) => end = Ok(status),
            Err(status) => end = Err(status),
        }
    }
    (text, end)
}

#[tokio::test(start_paused = true)]
async fn a_command_ends_with_its_output_and_its_code() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let (_keep, output) = exec(&node, options("echo hello")).await;
    let (text, end) = all(output.unwrap()).await;
    assert_eq!((text.as_str(), end.unwrap().status.as_str()), ("hello\n", "Success"));
    let (_keep, output) = exec(&node, options("exit:3")).await;
    let end = all(output.unwrap()).await.1.unwrap();
    assert_eq!(
        (end.reason.as_str(), end.details.unwrap().causes[0].message.as_str()),
        ("NonZeroExitCode", "3")
    );
}

#[tokio::test(start_paused = true)]
async fn input_goes_on_until_it_is_closed_and_the_command_beyond_that() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    for by_message in [true, false] {
        let (keep, output) = exec(&node, options("cat")).await;
        keep.send(input(Input::Stdin("ab".into()))).await.unwrap();
        keep.send(input(Input::Resize(TerminalSize { width: 80, height: 1_000_000 }))).await.unwrap();
        keep.send(input(Input::Stdin("cd".into()))).await.unwrap();
        if by_message {
            keep.send(input(Input::CloseStdin(true))).await.unwrap();
        } else {
            drop(keep);
        }
        let (text, end) = all(output.unwrap()).await;
        assert_eq!((text.as_str(), end.unwrap().status.as_str()), ("abcd", "Success"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_run_is_told_in_kubernetes_words() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let nothing = PodExecOptions { stdin: false, stdout: false, stderr: false, ..options("echo") };
    let other = PodExecOptions { container: "other".to_owned(), ..options("echo") };
    let table = [
        (nothing, "you must specify at least 1 of stdin, stdout, stderr"),
        (other, "container other is not valid for pod web"),
        (PodExecOptions { command: vec![], ..options("") }, "you must specify a command to run"),
    ];
    for (options, message) in table {
        let error = exec(&node, options).await.1.err().unwrap();
        assert_eq!((error.code(), error.message()), (400, message));
    }
    node.runtime.hold(Call::Start);
    node.hollow.end(&node.app("main").unwrap().id, 1);
    eventually("it is seen to have ended", || node.status("web").unwrap().state.running.is_none()).await;
    let error = exec(&node, options("echo")).await.1.err().unwrap();
    assert_eq!((error.code(), error.message()), (404, "container not found (\"main\")"));
    node.runtime.release(Call::Start);
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_fails_is_told_of() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let refused =
        RuntimeError::Refused { operation: "create exec", message: "container is paused".to_owned() };
    node.runtime.fail(Call::Exec, refused);
    let error = exec(&node, options("echo")).await.1.err().unwrap();
    assert!(error.message().contains("container is paused"), "{error}");
    let silent = RuntimeError::Unreachable { operation: "create exec", message: "no answer".to_owned() };
    node.runtime.fail(Call::Exec, silent);
    assert_eq!(exec(&node, options("echo")).await.1.err().unwrap().code(), 503);
}

#[tokio::test(start_paused = true)]
async fn sessions_end_with_a_broken_rule_their_container_and_the_kubelet() {
    let mut node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let (keep, output) = exec(&node, options("hang")).await;
    keep.send(input(Input::Attach(AttachStart::default()))).await.unwrap();
    assert_eq!(all(output.unwrap()).await.1.unwrap_err().code(), Code::InvalidArgument);

    let (_keep, output) = exec(&node, options("hang")).await;
    node.hollow.end(&node.app("main").unwrap().id, 1);
    let end = all(output.unwrap()).await.1.unwrap();
    assert_eq!(end.details.unwrap().causes[0].message, "137");

    let again = || node.status("web").unwrap().restart_count == 1 && node.is_ready("web");
    eventually("it runs again", again).await;
    let (_keep, output) = exec(&node, options("hang")).await;
    node.tasks.shutdown();
    assert_eq!(all(output.unwrap()).await.1.unwrap_err().code(), Code::Unavailable);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_task_outlives_its_call() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let before = node.tasks.running();
    let (_keep, output) = exec(&node, options("hang")).await;
    assert_eq!(node.tasks.running().len(), before.len() + 1);
    drop(output);
    pass(1).await;
    assert_eq!(node.tasks.running(), before);
}

#[tokio::test(start_paused = true)]
async fn whoever_attaches_writes_to_the_container_and_ends_with_it() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let (keep, pieces) = mpsc::channel(8);
    let options = PodAttachOptions { stdin: true, stdout: true, ..PodAttachOptions::default() };
    let start =
        AttachStart { namespace: "default".to_owned(), name: "web".to_owned(), options: Some(options) };
    keep.send(input(Input::Attach(start))).await.unwrap();
    let around = node.kubelet.as_ref().unwrap().answers.service.around();
    let mut output = streams::attach(&around, ReceiverStream::new(pieces)).await.unwrap();
    keep.send(input(Input::Stdin("hello".into()))).await.unwrap();
    let first = output.next().await.unwrap().unwrap().output.unwrap();
    assert_eq!(first, Output::Stdout("hello".into()));
    node.hollow.end(&node.app("main").unwrap().id, 1);
    assert_eq!(all(output).await.1.unwrap().status, "Success");
}

#[tokio::test(start_paused = true)]
async fn a_forwarded_port_takes_and_gives_until_it_closes() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let forward = async |port: u32| {
        let (keep, pieces) = mpsc::channel(8);
        let start = PortForwardStart { namespace: "default".to_owned(), name: "web".to_owned(), port };
        keep.send(Ok(PortForwardInput { input: Some(ToPort::Start(start)) })).await.unwrap();
        let around = node.kubelet.as_ref().unwrap().answers.service.around();
        (keep, streams::forward(&around, ReceiverStream::new(pieces)).await)
    };
    let (keep, output) = forward(7).await;
    let mut output = output.unwrap();
    assert!(output.next().await.unwrap().unwrap().data.is_empty(), "it stands");
    keep.send(Ok(PortForwardInput { input: Some(ToPort::Data("ping".into())) })).await.unwrap();
    assert_eq!(output.next().await.unwrap().unwrap().data, "ping");
    drop(keep);
    assert!(output.next().await.is_none(), "the other half has closed as well");
    for (port, message) in [
        (0, "port must be between 1 and 65535, inclusive"),
        (70_000, "port must be between 1 and 65535, inclusive"),
        (8, "connection refused"),
    ] {
        let error = forward(port).await.1.err().unwrap();
        assert!(error.message().contains(message), "{port}: {error}");
    }
}
