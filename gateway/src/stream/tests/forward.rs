use futures::{SinkExt as _, StreamExt as _, stream};
use keelson_proto::v1::port_forward_input::Input;
use keelson_proto::v1::{PortForwardInput, PortForwardOutput};
use tokio_tungstenite::tungstenite::Message as Frame;

use super::*;

const PATH: &str = "/api/v1/namespaces/a/pods/web/portforward";

/// A pod whose port 80 answers with what it hears, and whose pod "none" is not there.
fn script(path: String, mut requests: Streaming<Bytes>) -> BoxFuture<'static, Result<Answers, ApiError>> {
    Box::pin(async move {
        assert_eq!(path, "/keelson.v1.Pods/PortForward");
        let Some(Input::Start(start)) = next::<PortForwardInput>(&mut requests).await.unwrap().input else {
            panic!("no start")
        };
        match (start.name.as_str(), start.port) {
            ("none", _) => Err(ApiError::not_found(pods(), "none")),
            (_, 0) => Ok(stream::empty().boxed()),
            (_, 80) => Ok(echo(requests)),
            (_, port) => Err(ApiError::service_unavailable(format!("nobody listens on {port}"))),
        }
    })
}

fn pods() -> &'static keelson_proto::Kind {
    <keelson_proto::core::Pod as keelson_proto::Object>::KIND
}

fn echo(requests: Streaming<Bytes>) -> Answers {
    let message = |data| Ok(PortForwardOutput { data }.encode_to_vec().into());
    let echoed = stream::unfold(requests, move |mut requests| async move {
        match next::<PortForwardInput>(&mut requests).await?.input? {
            Input::Data(data) => Some((message(data), requests)),
            Input::Start(_) => panic!("started twice"),
        }
    });
    stream::once(async move { message(Bytes::new()) }).chain(echoed).boxed()
}

/// Two connections at a time, one of them refused.
async fn connect<I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    client: &mut SpdyClient<I>,
    named: bool,
) {
    for (first, port, request) in [(1, "80", "0"), (5, "81", "1"), (9, "80", "2")] {
        let id = [("requestid", request)];
        let id = if named { &id[..] } else { &[] };
        client.begin(first, &[&[("streamtype", "error"), ("port", port)], id].concat()).await;
        client.begin(first + 2, &[&[("streamtype", "data"), ("port", port)], id].concat()).await;
    }
    client.data(11, false, b"first ").await;
    client.data(3, true, b"other").await;
    client.data(7, true, b"").await;
    let refused = client.until_ended(&[5, 7]).await;
    assert!(
        refused[0].contains("forwarding port 81 to pod a/web") && refused[0].contains("nobody listens"),
        "{refused:?}"
    );
    client.data(11, true, b"second").await;
    assert_eq!(client.until_ended(&[9, 11, 1]).await, ["", "first second", ""]);
}

#[tokio::test]
async fn connections_are_pairs_of_streams() {
    let harness = Harness::start(script).await;
    connect(&mut harness.spdy(PATH, "portforward.k8s.io").await, true).await;
    // As 1.0's clients do.
    connect(&mut harness.spdy(PATH, "portforward.k8s.io").await, false).await;
    harness.until_idle().await;
}

#[tokio::test]
async fn spdy_may_come_inside_of_websocket() {
    let harness = Harness::start(script).await;
    let mut socket = harness.websocket(PATH, "SPDY/3.1+portforward.k8s.io").await;
    let (inner, outer) = tokio::io::duplex(64 * 1024);
    let (mut reader, mut writer) = tokio::io::split(outer);
    let mut moving = Box::pin(async move {
        let mut buffer = [0; 1000];
        loop {
            tokio::select! {
                read = reader.read(&mut buffer) => {
                    socket.send(Frame::binary(buffer[..read.unwrap()].to_vec())).await.unwrap();
                }
                Some(Ok(Frame::Binary(data))) = socket.next() => writer.write_all(&data).await.unwrap(),
            }
        }
    });
    let mut client = SpdyClient::new(inner);
    tokio::select! {
        () = connect(&mut client, true) => {}
        () = &mut moving => {}
    }
    drop(moving);
    harness.until_idle().await;
}

#[tokio::test]
async fn ports_may_have_channels_of_their_own() {
    let harness = Harness::start(script).await;
    let path = format!("{PATH}?ports=80&ports=81");
    let mut socket = harness.websocket(&path, "v4.channel.k8s.io").await;
    socket.send(Frame::binary(b"\0hello".to_vec())).await.unwrap();
    let mut texts: [Vec<u8>; 4] = Default::default();
    while texts[0].len() < 7 || texts[3].len() < 3 {
        let data = socket.next().await.unwrap().unwrap().into_data();
        texts[usize::from(data[0])].extend_from_slice(&data[1..]);
    }
    assert_eq!(texts[0], b"\x50\0hello");
    assert_eq!(texts[1], b"\x50\0");
    assert_eq!(texts[2], b"\x51\0");
    assert!(String::from_utf8_lossy(&texts[3]).contains("nobody listens on 81"), "{texts:?}");
    drop(socket);
    harness.until_idle().await;
}

#[tokio::test]
async fn a_pod_that_is_not_there_is_told_before_the_protocol_changes() {
    let harness = Harness::start(script).await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n";
    let (head, _) = harness.ask(&format!("POST {}", PATH.replace("web", "none")), upgrade).await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    let (head, _) = harness
        .ask(
            &format!("GET {PATH}"),
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n",
        )
        .await;
    assert!(head.starts_with("HTTP/1.1 400"), "no ports are named: {head}");
}
