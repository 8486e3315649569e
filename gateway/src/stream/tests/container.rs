use futures::{SinkExt as _, StreamExt as _, stream};
use keelson_proto::meta::{Status as Ended, StatusCause, StatusDetails};
use keelson_proto::v1::container_input::Input;
use keelson_proto::v1::container_output::Output;
use keelson_proto::v1::{ContainerInput, ContainerOutput};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as Frame;

use super::*;

const POD: &str = "/api/v1/namespaces/a/pods/web";

/// A container that knows a few commands; whoever attaches hears one line.
pub(super) fn script(
    path: String,
    mut requests: Streaming<Bytes>,
) -> BoxFuture<'static, Result<Answers, ApiError>> {
    Box::pin(async move {
        let words = match next::<ContainerInput>(&mut requests).await.and_then(|first| first.input) {
            Some(Input::Exec(start)) => start.options.unwrap().command,
            Some(Input::Attach(_)) => vec!["attached".to_owned()],
            other => panic!("{path} begins with {other:?}"),
        };
        let out = |text: &str| Output::Stdout(Bytes::copy_from_slice(text.as_bytes()));
        let answers = match words[0].as_str() {
            "attached" => vec![out("hello")],
            "fail" => vec![Output::Stderr(Bytes::from_static(b"boom")), Output::Exit(failed(&words[1]))],
            "size" => return Ok(size(requests)),
            "cat" => return Ok(cat(requests)),
            "break" => {
                let messages = vec![Ok(message(out("so far"))), Err(to_grpc(ApiError::internal("lost")))];
                return Ok(stream::iter(messages).boxed());
            }
            "hang" => return Ok(stream::pending().boxed()),
            other => return Err(ApiError::bad_request(format!("there is no {other}"))),
        };
        Ok(stream::iter(answers.into_iter().map(|output| Ok(message(output)))).boxed())
    })
}

fn message(output: Output) -> Bytes {
    ContainerOutput { output: Some(output) }.encode_to_vec().into()
}

fn cat(requests: Streaming<Bytes>) -> Answers {
    let echoed = stream::unfold(Some(requests), |requests| async move {
        let mut requests = requests?;
        match next::<ContainerInput>(&mut requests).await?.input? {
            Input::Stdin(data) => Some((Ok(message(Output::Stdout(data))), Some(requests))),
            Input::CloseStdin(true) => Some((Ok(message(Output::Exit(succeeded()))), None)),
            other => panic!("{other:?}"),
        }
    });
    echoed.boxed()
}

/// Tells the terminal's first size.
fn size(mut requests: Streaming<Bytes>) -> Answers {
    let told = async move {
        let Some(Input::Resize(size)) = next::<ContainerInput>(&mut requests).await.unwrap().input else {
            panic!("no size")
        };
        Ok(message(Output::Stdout(format!("{}x{}", size.width, size.height).into())))
    };
    stream::once(told).boxed()
}

fn succeeded() -> Ended {
    Ended { status: "Success".into(), ..Ended::default() }
}

fn failed(code: &str) -> Ended {
    let cause = StatusCause { reason: "ExitCode".into(), message: code.into(), ..StatusCause::default() };
    Ended {
        status: "Failure".into(),
        message: format!("command terminated with non-zero exit code: {code}"),
        reason: "NonZeroExitCode".into(),
        details: Some(StatusDetails { causes: vec![cause], ..StatusDetails::default() }),
        ..Ended::default()
    }
}

/// What comes on each channel until the connection is closed, the greeting excepted.
async fn channels(mut socket: WebSocketStream<TcpStream>) -> [String; 4] {
    let mut texts: [Vec<u8>; 4] = Default::default();
    while let Some(Ok(frame)) = socket.next().await {
        match frame {
            Frame::Binary(data) => texts[usize::from(data[0])].extend_from_slice(&data[1..]),
            Frame::Close(Some(close)) => {
                assert_eq!(u16::from(close.code), 1000, "clients take anything else for a fault");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    texts.map(|text| String::from_utf8(text).unwrap())
}

fn status(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_command_fails_with_its_code_over_websocket() {
    let harness = Harness::start(script).await;
    let path = format!("{POD}/exec?command=fail&command=3&stdout=true&stderr=true");
    for protocol in ["v5.channel.k8s.io", "v4.channel.k8s.io"] {
        let [_, stdout, stderr, error] = channels(harness.websocket(&path, protocol).await).await;
        assert_eq!((stdout.as_str(), stderr.as_str()), ("", "boom"));
        let status = status(&error);
        assert_eq!(status["reason"], "NonZeroExitCode");
        assert_eq!(status["details"]["causes"], json!([{"reason": "ExitCode", "message": "3"}]));
    }
    for protocol in ["channel.k8s.io", ""] {
        let [_, _, stderr, error] = channels(harness.websocket(&path, protocol).await).await;
        assert_eq!(
            (stderr.as_str(), error.as_str()),
            ("boom", "command terminated with non-zero exit code: 3")
        );
    }
    harness.until_idle().await;
}

#[tokio::test]
async fn input_is_closed_by_the_fifth_versions_message() {
    let harness = Harness::start(script).await;
    let path = format!("{POD}/exec?command=cat&stdin=true&stdout=true");
    let mut socket = harness.websocket(&path, "v5.channel.k8s.io").await;
    assert_eq!(socket.next().await.unwrap().unwrap(), Frame::binary(vec![1]), "the greeting");
    let large = [vec![0], vec![b'x'; 1_000_000]].concat();
    for message in [b"\0some ".to_vec(), large, vec![255, 0]] {
        socket.send(Frame::binary(message)).await.unwrap();
    }
    let [_, stdout, _, error] = channels(socket).await;
    assert_eq!(stdout.len(), 1_000_005);
    assert!(stdout.starts_with("some x"));
    assert_eq!(status(&error)["status"], "Success");
}

#[tokio::test]
async fn channels_may_be_written_in_base64() {
    let harness = Harness::start(script).await;
    let path = format!("{POD}/exec?command=cat&stdin=true&stdout=true");
    let mut socket = harness.websocket(&path, "v4.base64.channel.k8s.io").await;
    assert_eq!(socket.next().await.unwrap().unwrap(), Frame::text("1"));
    socket.send(Frame::text("0aGk=")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Frame::text("1aGk="));
}

#[tokio::test]
async fn a_terminal_learns_its_size() {
    let harness = Harness::start(script).await;
    let path = format!("{POD}/exec?command=size&stdout=true&tty=true");
    let mut socket = harness.websocket(&path, "v4.channel.k8s.io").await;
    socket.send(Frame::binary(b"\x04{\"Width\":80,\"Height\":24}\n".to_vec())).await.unwrap();
    assert_eq!(channels(socket).await[1], "80x24");
    let mut client = harness.spdy(&path, "v4.channel.k8s.io").await;
    for (id, kind) in [(1, "error"), (3, "stdout"), (5, "resize")] {
        client.begin(id, &[("streamType", kind)]).await;
    }
    client.data(5, false, b"{\"Width\":132,\"Height\":43}\n").await;
    assert_eq!(client.until_ended(&[3]).await, ["132x43"]);
}

#[tokio::test]
async fn a_command_fails_with_its_code_over_spdy() {
    let harness = Harness::start(script).await;
    let path = format!("{POD}/exec?command=fail&command=3&stdout=true&stderr=true");
    for protocol in ["v4.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"] {
        let mut client = harness.spdy(&path, protocol).await;
        for (id, kind) in [(1, "error"), (3, "stdout"), (5, "stderr")] {
            client.begin(id, &[("streamtype", kind)]).await;
        }
        let [error, stdout, stderr] = client.until_ended(&[1, 3, 5]).await.try_into().unwrap();
        assert_eq!((stdout.as_str(), stderr.as_str()), ("", "boom"));
        match protocol {
            "v4.channel.k8s.io" => {
                assert_eq!(status(&error)["details"]["causes"][0]["message"], "3");
            }
            _ => assert_eq!(error, "command terminated with non-zero exit code: 3"),
        }
    }
    harness.until_idle().await;
}

#[tokio::test]
async fn input_ends_with_its_stream_over_spdy() {
    let harness = Harness::start(script).await;
    let path = format!("{POD}/exec?command=cat&stdin=true&stdout=true");
    let mut client = harness.spdy(&path, "v4.channel.k8s.io").await;
    for (id, kind) in [(1, "error"), (3, "stdin"), (5, "stdout")] {
        client.begin(id, &[("streamtype", kind)]).await;
    }
    client.data(3, false, b"some ").await;
    client.data(3, true, b"input").await;
    let [error, stdout] = client.until_ended(&[1, 5]).await.try_into().unwrap();
    assert_eq!((stdout.as_str(), &status(&error)["status"]), ("some input", &json!("Success")));
}

#[tokio::test]
async fn attach_is_heard_until_the_container_ends() {
    let harness = Harness::start(script).await;
    let path = format!("{POD}/attach?stdout=true&container=c");
    let [_, stdout, _, error] = channels(harness.websocket(&path, "v4.channel.k8s.io").await).await;
    assert_eq!((stdout.as_str(), &status(&error)["status"]), ("hello", &json!("Success")));
}

#[tokio::test]
async fn what_breaks_off_is_told_after_what_came_before() {
    let harness = Harness::start(script).await;
    let path = format!("{POD}/exec?command=break&stdout=true");
    let [_, stdout, _, error] = channels(harness.websocket(&path, "v4.channel.k8s.io").await).await;
    assert_eq!((stdout.as_str(), &status(&error)["reason"]), ("so far", &json!("InternalError")));
}

#[tokio::test]
async fn refusals_are_answers_of_http() {
    let harness = Harness::start(script).await;
    let spdy = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n";
    for (line, headers, code) in [
        ("POST {}/exec?command=none&stdout=true", spdy, 400),
        ("POST {}/exec?command=cat", spdy, 400),
        ("POST {}/exec?stdout=true", spdy, 400),
        ("GET {}/exec?command=cat&stdout=true", "", 400),
        (
            "GET {}/exec?command=cat&stdout=true",
            "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v9.channel.k8s.io\r\n",
            403,
        ),
        ("PUT {}/exec?command=cat&stdout=true", spdy, 405),
    ] {
        let line = line.replace("{}", POD);
        let (head, _) = harness.ask(&line, headers).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {code}")), "{line}: {head}");
    }
    harness.until_idle().await;
}
