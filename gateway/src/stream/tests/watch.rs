use futures::{StreamExt as _, stream};
use keelson_proto::core::Pod;
use keelson_proto::meta::WatchEvent;
use keelson_proto::v1::{RawWatchEvent, WatchEventType};
use keelson_proto::wire;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::*;

/// A watch of two changes.
fn script(path: String, _requests: Streaming<Bytes>) -> BoxFuture<'static, Result<Answers, ApiError>> {
    Box::pin(async move {
        assert_eq!(path, "/keelson.v1.Pods/Watch");
        let event = |kind: WatchEventType, revision| {
            let mut pod = Pod::default();
            pod.metadata.name = "web".into();
            let object = wire::with_resource_version(&pod.encode_to_vec(), revision);
            let event = RawWatchEvent { r#type: kind.into(), object, revision, ..RawWatchEvent::default() };
            Ok(Bytes::from(event.encode_to_vec()))
        };
        let events = vec![event(WatchEventType::Added, 1), event(WatchEventType::Deleted, 2)];
        Ok(stream::iter(events).boxed())
    })
}

#[tokio::test]
async fn each_change_is_a_message() {
    let harness = Harness::start(script).await;
    let mut socket = harness.websocket("/api/v1/pods?watch=true", "").await;
    let mut types = Vec::new();
    while let Some(Ok(Frame::Text(text))) = socket.next().await {
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["object"]["metadata"]["name"], "web");
        types.push(event["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(types, ["ADDED", "DELETED"]);
}

#[tokio::test]
async fn a_message_of_protobuf_is_as_long_as_its_event() {
    let harness = Harness::start(script).await;
    let mut request = tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(
        format!("ws://{}/api/v1/watch/pods", harness.address),
    )
    .unwrap();
    request
        .headers_mut()
        .insert("accept", "application/vnd.kubernetes.protobuf;stream=watch".parse().unwrap());
    let io = TcpStream::connect(harness.address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, io).await.unwrap();
    let Frame::Binary(frame) = socket.next().await.unwrap().unwrap() else { panic!("no protobuf") };
    assert_eq!(WatchEvent::decode(frame).unwrap().r#type, "ADDED");
}
