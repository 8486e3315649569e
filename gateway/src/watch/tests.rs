use futures::stream::{self, BoxStream};
use http_body_util::BodyExt as _;
use keelson_proto::core::Pod;
use keelson_proto::v1::WatchEventType;
use keelson_proto::{Message as _, Object as _, wire};
use serde_json::Value;

use super::*;
use crate::kinds::codec;
use crate::negotiate::{Form, Media, Shape};

fn event(revision: u64) -> Result<RawWatchEvent, ApiError> {
    let object = wire::with_resource_version(&Pod::default().encode_to_vec(), revision);
    Ok(RawWatchEvent { r#type: WatchEventType::Added.into(), object, revision, ..Default::default() })
}

fn limits() -> Limits {
    Limits { timeout: Duration::from_secs(60), buffer: 1 << 20, drain: Drain::new() }
}

/// Starts a watch of what `upstream` sends, with its pump in a task.
fn watched(upstream: BoxStream<'static, Result<RawWatchEvent, ApiError>>, limits: Limits) -> Body {
    let form = Form { media: Media::Json, shape: Shape::Object, pretty: false };
    let speller = Speller::new(codec(Pod::KIND).unwrap(), form, Arc::new(Ring::new(1 << 20)));
    let (pump, body) = start(upstream, speller, limits);
    tokio::spawn(pump.run());
    body
}

/// The type of each frame, and the resource version or code of what it holds.
async fn frames(body: Body) -> Vec<(String, String)> {
    let text = body.collect().await.unwrap().to_bytes();
    let frame = |line: &[u8]| {
        let frame: Value = serde_json::from_slice(line).unwrap();
        let object = &frame["object"];
        let what = object.pointer("/metadata/resourceVersion").unwrap_or_else(|| &object["code"]);
        (frame["type"].as_str().unwrap().to_owned(), what.to_string().replace('"', ""))
    };
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(frame).collect()
}

fn added(revision: u64) -> (String, String) {
    ("ADDED".to_owned(), revision.to_string())
}

fn gone() -> (String, String) {
    ("ERROR".to_owned(), "410".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_upstream() {
    let body = watched(stream::iter([event(1), event(2)]).boxed(), limits());
    assert_eq!(frames(body).await, [added(1), added(2)]);
}

#[tokio::test(start_paused = true)]
async fn an_error_upstream_is_told() {
    let body = watched(stream::iter([event(1), Err(ApiError::expired("old"))]).boxed(), limits());
    assert_eq!(frames(body).await, [added(1), gone()]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_its_time_is_up() {
    let begin = Instant::now();
    let body = watched(stream::iter([event(1)]).chain(stream::pending()).boxed(), limits());
    assert_eq!(frames(body).await, [added(1)]);
    assert_eq!(begin.elapsed(), Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_the_gateway_stops() {
    let limits = limits();
    let body = watched(stream::pending().boxed(), limits.clone());
    limits.drain.begin();
    assert_eq!(frames(body).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_gets_what_fits_and_is_told() {
    let mut seen = 0;
    let endless = stream::repeat_with(move || {
        seen += 1;
        event(seen)
    });
    let body = watched(endless.boxed(), Limits { buffer: 1000, ..limits() });
    // The pump runs dry of room before anybody reads.
    tokio::task::yield_now().await;
    let frames = frames(body).await;
    assert!((2..20).contains(&frames.len()), "{}", frames.len());
    assert_eq!(frames[0], added(1));
    assert_eq!(frames.last().unwrap(), &gone());
}

#[tokio::test(start_paused = true)]
async fn the_pump_ends_when_the_client_goes() {
    let form = Form { media: Media::Json, shape: Shape::Object, pretty: false };
    let speller = Speller::new(codec(Pod::KIND).unwrap(), form, Arc::new(Ring::new(1 << 20)));
    let (pump, body) = start(stream::pending(), speller, limits());
    drop(body);
    let begin = Instant::now();
    pump.run().await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
}
