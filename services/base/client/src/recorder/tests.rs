use std::time::Duration;

use keelson_base_model::status::ApiError;
use keelson_proto::Message as _;
use keelson_proto::v1::{PatchRequest, RawCreateRequest};

use super::*;
use crate::testing::{Call, pod, server};

fn created(call: &Call) -> Event {
    Event::decode(call.request::<RawCreateRequest>().object).unwrap()
}

#[tokio::test(start_paused = true)]
async fn repeats_patch_the_count_of_the_event_that_is_there() {
    let (channel, mut server) = server();
    let tasks = Tasks::new();
    let recorder = Recorder::spawn(&tasks, &Client::new(channel), "scheduler", "");
    let web = reference(&pod("web", "u1", 5));
    recorder.normal(&web, "Scheduled", "placed on n1");
    let call = server.expect("Create").await;
    let event = created(&call);
    assert_eq!((&*event.involved_object.kind, &*event.involved_object.api_version), ("Pod", "v1"));
    assert_eq!((&*event.involved_object.uid, &*event.r#type, event.count), ("u1", "Normal", 1));
    call.answer(&event);
    recorder.normal(&web, "Scheduled", "placed on n1");
    let call = server.expect("Patch").await;
    let patch: PatchRequest = call.request();
    assert_eq!((&patch.name, &*patch.namespace), (&event.metadata.name, "default"));
    assert_eq!(patch.content_type, "application/merge-patch+json");
    let body: serde_json::Value = serde_json::from_slice(&patch.patch).unwrap();
    assert_eq!(body["count"], 2);
    assert!(body["lastTimestamp"].as_str().unwrap().ends_with('Z'));
    call.fail(ApiError::not_found("events", &event.metadata.name));
    let call = server.expect("Create").await;
    assert_eq!(
        (created(&call).metadata.name, created(&call).count),
        (event.metadata.name, 2),
        "it had expired"
    );
}

#[tokio::test(start_paused = true)]
async fn a_note_survives_a_server_that_is_away_and_not_one_that_refuses() {
    let (channel, mut server) = server();
    let recorder = Recorder::spawn(&Tasks::new(), &Client::new(channel), "kubelet", "n1");
    let web = reference(&pod("web", "u1", 5));
    recorder.warning(&web, "BackOff", "one");
    server.expect("Create").await.fail(ApiError::service_unavailable("down"));
    let call = server.expect("Create").await;
    assert_eq!(created(&call).message, "one");
    call.fail(ApiError::forbidden("events", "", "the namespace is going"));
    recorder.warning(&web, "BackOff", "two");
    assert_eq!(created(&server.expect("Create").await).message, "two");
}

#[tokio::test(start_paused = true)]
async fn telling_never_waits() {
    let (channel, mut server) = server();
    let recorder = Recorder::spawn(&Tasks::new(), &Client::new(channel), "kubelet", "n1");
    recorder.normal(&reference(&pod("first", "u", 1)), "R", "m");
    let stuck = server.expect("Create").await;
    for n in 0..2 * WAITING {
        recorder.normal(&reference(&pod(&format!("p{n}"), "u", 1)), "R", "m");
    }
    stuck.fail(ApiError::bad_request("no"));
    for n in 0..WAITING {
        let call = server.expect("Create").await;
        assert_eq!(created(&call).involved_object.name, format!("p{n}"));
        call.fail(ApiError::bad_request("no"));
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(server.is_idle(), "the rest was dropped");
}

#[tokio::test(start_paused = true)]
async fn what_was_told_before_the_end_is_still_written() {
    let (channel, mut server) = server();
    let tasks = Tasks::new();
    let recorder = Recorder::spawn(&tasks, &Client::new(channel), "kubelet", "n1");
    recorder.normal(&reference(&pod("web", "u1", 5)), "Killing", "stopping");
    let joined = tokio::spawn(async move { tasks.join(Duration::from_secs(10)).await });
    let call = server.expect("Create").await;
    assert_eq!(created(&call).reason, "Killing");
    call.answer(&Event::default());
    joined.await.unwrap().unwrap();
}

#[test]
fn switched_off_it_tells_nobody() {
    Recorder::off().normal(&ObjectReference::default(), "R", "m");
}
