use std::time::Duration;

use futures::StreamExt as _;
use keelson_base_daemon::trace::{self, TraceContext};
use keelson_proto::Message as _;
use keelson_proto::autoscaling::Scale;
use keelson_proto::core::{Namespace, Node, Pod, PodLogOptions, ReplicationController};
use keelson_proto::meta::Status;
use keelson_proto::v1::{
    BindPodRequest, ListRequest, LogChunk, NodesContainsRequest, NodesContainsResponse, PodLogRequest,
    RawDeleteResponse, RawWatchEvent, ScaleRequest, WatchEventType,
};

use super::*;
use crate::testing::{Call, page, pod, server};
use crate::{Client, ForwardedUser};

fn header<'a>(call: &'a Call, name: &str) -> Vec<&'a str> {
    call.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_list_reads_all_pages_of_one_revision() {
    let (channel, mut server) = server();
    let api = Client::new(channel).api::<Pod>().namespaced("prod");
    let params =
        ListParams { label_selector: "app=web".into(), resource_version: "5".into(), ..Default::default() };
    let list = tokio::spawn(async move { api.list(&params).await });
    let call = server.expect("List").await;
    let request: ListRequest = call.request();
    assert_eq!((request.limit, &*request.resource_version, &*request.r#continue), (500, "5", ""));
    assert_eq!((&*request.namespace, &*request.label_selector), ("prod", "app=web"));
    call.answer(&page(&[pod("a", "1", 1)], 9, "more"));
    let call = server.expect("List").await;
    let request: ListRequest = call.request();
    assert_eq!((request.limit, &*request.resource_version, &*request.r#continue), (500, "", "more"));
    assert_eq!((&*request.namespace, &*request.label_selector), ("prod", "app=web"));
    call.answer(&page(&[pod("b", "2", 2)], 9, ""));
    let list = list.await.unwrap().unwrap();
    assert_eq!(list.items, [pod("a", "1", 1), pod("b", "2", 2)]);
    assert_eq!((&*list.metadata.resource_version, &*list.metadata.r#continue), ("9", ""));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_comes_too_late_starts_the_list_over_once() {
    let (channel, mut server) = server();
    let api = Client::new(channel).api::<Pod>();
    let list = tokio::spawn(async move { api.list(&ListParams::default()).await });
    server.expect("List").await.answer(&page(&[pod("a", "1", 1)], 9, "more"));
    server.expect("List").await.fail(ApiError::expired("the continue token is too old"));
    let call = server.expect("List").await;
    let request: ListRequest = call.request();
    assert_eq!(
        (request.limit, &*request.r#continue),
        (0, ""),
        "whole, so that it cannot come too late again"
    );
    call.answer(&page(&[pod("b", "2", 12)], 15, ""));
    let list = list.await.unwrap().unwrap();
    assert_eq!((list.items, &*list.metadata.resource_version), (vec![pod("b", "2", 12)], "15"));
}

#[tokio::test(start_paused = true)]
async fn a_first_page_that_fails_is_the_callers_affair() {
    let (channel, mut server) = server();
    let api = Client::new(channel).api::<Pod>();
    let list = tokio::spawn(async move { api.list(&ListParams::default()).await });
    server.expect("List").await.fail(ApiError::expired("too old"));
    assert!(list.await.unwrap().unwrap_err().is_expired());
    assert!(server.is_idle());
}

#[tokio::test(start_paused = true)]
async fn every_call_says_who_asks_for_whom_by_when_and_why() {
    let (channel, mut server) = server();
    let user = ForwardedUser::try_new("jane", ["dev", "ops"]).unwrap();
    let client = Client::new(channel).with_user_agent("keelson-test/1").with_deadline(Duration::from_secs(7));
    let api = client.acting_for(user).api::<Pod>();
    let context = TraceContext::root();
    let get = tokio::spawn(trace::scope(Some(context), async move {
        let got = api.namespaced("prod").get("web").await;
        (got, api.watch(&WatchParams::default()).await.map(drop))
    }));
    let call = server.expect("Get").await;
    assert_eq!(call.path, "/keelson.v1.Pods/Get");
    assert_eq!(call.peer.as_ref().unwrap().common_name, "tester");
    assert_eq!(header(&call, trace::TRACEPARENT), [context.to_header()]);
    assert_eq!(header(&call, "user-agent"), ["keelson-test/1"]);
    assert_eq!(
        (header(&call, "x-remote-user"), header(&call, "x-remote-group")),
        (vec!["jane"], vec!["dev", "ops"])
    );
    assert_eq!(header(&call, "grpc-timeout"), ["7000000u"]);
    call.answer(&pod("web", "1", 5));
    let call = server.expect("Watch").await;
    assert_eq!(header(&call, trace::TRACEPARENT), [context.to_header()]);
    assert!(header(&call, "grpc-timeout").is_empty(), "a stream has no deadline");
    call.stream();
    let (got, watched) = get.await.unwrap();
    assert_eq!((got, watched), (Ok(pod("web", "1", 5)), Ok(())));
}

#[test]
fn a_user_who_cannot_be_sent_whole_is_not_sent() {
    for name in ["jürgen", "a\nb", " a", "a "] {
        assert!(ForwardedUser::try_new(name, []).is_err(), "{name:?}");
        assert!(ForwardedUser::try_new("jane", ["dev", name]).is_err(), "{name:?}");
    }
    assert!(ForwardedUser::try_new("system:node:n1", ["a b"]).is_ok());
    assert!(ForwardedUser::try_credential("Bearer h\u{e4}").is_err());
    let shown = format!("{:?}", ForwardedUser::try_credential("Bearer hush").unwrap());
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_a_timeout() {
    let (channel, mut server) = server();
    let api = Client::new(channel).api::<Pod>();
    let start = tokio::time::Instant::now();
    let (got, _call) = tokio::join!(api.get("web"), server.expect("Get"));
    assert_eq!((got.unwrap_err().code(), start.elapsed().as_secs()), (504, 30));
}

#[tokio::test(start_paused = true)]
async fn watch_events_are_decoded_and_bad_ones_are_errors() {
    let (channel, mut server) = server();
    let api = Client::new(channel).api::<Pod>();
    let watch = tokio::spawn(async move { api.watch(&WatchParams::default()).await });
    let events = server.expect("Watch").await.stream();
    let mut watch = watch.await.unwrap().unwrap();
    events.pod(WatchEventType::Added, &pod("a", "1", 8)).await;
    let event = watch.next().await.unwrap().unwrap();
    assert_eq!((event.kind, event.object, event.revision), (WatchEventKind::Added, pod("a", "1", 8), 8));
    events.send(&RawWatchEvent { r#type: 77, ..Default::default() }).await;
    let error = watch.next().await.unwrap().unwrap_err();
    assert!(error.message().contains("77"), "{error}");
    let broken = RawWatchEvent {
        r#type: WatchEventType::Added.into(),
        object: b"\xff"[..].into(),
        ..Default::default()
    };
    events.send(&broken).await;
    assert_eq!(watch.next().await.unwrap().unwrap_err().code(), 500);
    events.fail(crate::status::to_grpc(ApiError::expired("old"))).await;
    assert!(watch.next().await.unwrap().unwrap_err().is_expired());
    assert!(watch.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_watch_may_have_its_own_channel() {
    let (calls, mut calls_server) = server();
    let (watches, mut watch_server) = server();
    let api = Client::new(calls).with_watch_channel(watches).api::<Pod>();
    let task =
        tokio::spawn(async move { (api.watch(&WatchParams::default()).await.is_ok(), api.get("a").await) });
    watch_server.expect("Watch").await.stream();
    calls_server.expect("Get").await.answer(&pod("a", "1", 1));
    assert_eq!(task.await.unwrap(), (true, Ok(pod("a", "1", 1))));
}

#[tokio::test(start_paused = true)]
async fn writes_go_where_the_object_says_unless_the_client_is_narrowed() {
    let (channel, mut server) = server();
    let api = Client::new(channel).api::<Pod>();
    let task = tokio::spawn(async move {
        let web = pod("web", "1", 5);
        api.create(&web).await.unwrap();
        api.update(&web).await.unwrap();
        api.namespaced("other").update_status(&web).await.unwrap();
        api.namespaced("prod").patch_status("web", &Patch::strategic(&[1]).unwrap()).await.unwrap();
        api.namespaced("prod").delete("web", DeleteOptions::default()).await.unwrap()
    });
    let call = server.expect("Create").await;
    let request: RawCreateRequest = call.request();
    assert_eq!((&*request.namespace, Pod::decode(request.object).unwrap()), ("default", pod("web", "1", 5)));
    call.answer(&pod("web", "1", 5));
    for (method, namespace) in [("Update", "default"), ("UpdateStatus", "other")] {
        let call = server.expect(method).await;
        let request: RawUpdateRequest = call.request();
        assert_eq!((&*request.namespace, &*request.name), (namespace, "web"));
        call.answer(&pod("web", "1", 6));
    }
    let call = server.expect("Patch").await;
    let request: PatchRequest = call.request();
    assert_eq!((&*request.namespace, &*request.name, &*request.subresource), ("prod", "web", "status"));
    assert_eq!(
        (&*request.content_type, &request.patch[..]),
        ("application/strategic-merge-patch+json", &b"[1]"[..])
    );
    call.answer(&pod("web", "1", 7));
    let call = server.expect("Delete").await;
    call.answer(&RawDeleteResponse { object: pod("web", "1", 8).encode_to_vec().into(), removed: false });
    assert_eq!(task.await.unwrap(), Deleted { object: pod("web", "1", 8), removed: false });
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_bound_and_its_log_read() {
    let (channel, mut server) = server();
    let api = Client::new(channel).api::<Pod>();
    let task = tokio::spawn(async move {
        api.bind(&pod("web", "u1", 5), "n1").await.unwrap();
        let log = api.namespaced("default").log("web", PodLogOptions::default()).await.unwrap();
        log.map(Result::unwrap).collect::<Vec<_>>().await.concat()
    });
    let call = server.expect("Bind").await;
    let request: BindPodRequest = call.request();
    let binding = request.binding.unwrap();
    assert_eq!(
        (&*request.namespace, &*binding.metadata.name, &*binding.metadata.uid),
        ("default", "web", "u1")
    );
    assert_eq!((&*binding.target.kind, &*binding.target.name), ("Node", "n1"));
    call.answer(&Status { status: "Success".into(), ..Default::default() });
    let call = server.expect("Log").await;
    assert_eq!(call.request::<PodLogRequest>().name, "web");
    let chunks = call.stream();
    for data in ["one\n", "two\n"] {
        chunks.send(&LogChunk { data: data.into() }).await;
    }
    drop(chunks);
    assert_eq!(task.await.unwrap(), b"one\ntwo\n");
}

#[tokio::test(start_paused = true)]
async fn other_nouns_have_their_own_verbs() {
    let (channel, mut server) = server();
    let client = Client::new(channel);
    let task = tokio::spawn(async move {
        let controllers = client.api::<ReplicationController>().namespaced("prod");
        let scale = controllers.get_scale("web").await.unwrap();
        controllers.scale("web", scale).await.unwrap();
        let mut namespace = Namespace::default();
        namespace.metadata.name = "prod".into();
        client.api::<Namespace>().finalize(&namespace).await.unwrap();
        client.api::<Node>().contains("n1").await.unwrap()
    });
    let mut scale = Scale::default();
    scale.spec.replicas = 3;
    server.expect("GetScale").await.answer(&scale);
    let call = server.expect("Scale").await;
    assert_eq!(call.path, "/keelson.v1.ReplicationControllers/Scale");
    let request: ScaleRequest = call.request();
    assert_eq!((&*request.namespace, &*request.name, request.scale.as_ref()), ("prod", "web", Some(&scale)));
    call.answer(&scale);
    let call = server.expect("Finalize").await;
    assert_eq!(call.request::<RawUpdateRequest>().name, "prod");
    call.answer(&Namespace::default());
    let call = server.expect("Contains").await;
    assert_eq!(
        (&*call.path, &*call.request::<NodesContainsRequest>().name),
        ("/keelson.v1.Nodes/Contains", "n1")
    );
    call.answer(&NodesContainsResponse { contains: true });
    assert!(task.await.unwrap());
}
