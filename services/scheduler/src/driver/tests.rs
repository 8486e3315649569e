//! The whole service against an api in this process.

use std::time::Duration;

use keelson_base_client::Channel;
use keelson_base_client::testing::{Call, FakeApi, Held};
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::tls::Peer;
use keelson_base_daemon::trace::{self, SpanRecord, SpanSink, TraceContext, Tracer};
use keelson_proto::Message;
use keelson_proto::core::Event;
use keelson_proto::meta::Status;
use keelson_proto::v1::scheduler_client::SchedulerClient;
use keelson_proto::v1::{BindPodRequest, PatchRequest, RawCreateRequest, ScheduleRequest};

use super::*;
use crate::testing::{mk_node, mk_pod};
use crate::{Config, Scheduler};

struct Running {
    api: FakeApi,
    /// What the scheduler writes.
    writes: Held,
    scheduler: Scheduler,
    health: Health,
    tasks: Tasks,
}

/// Keeps spans.
#[derive(Default)]
struct Spans(Mutex<Vec<SpanRecord>>);

// === impl Spans ===

impl SpanSink for Spans {
    fn record(&self, span: SpanRecord) {
        self.0.lock().unwrap().push(span);
    }
}

fn start() -> Running {
    start_with(Tasks::new())
}

fn start_with(tasks: Tasks) -> Running {
    let api = FakeApi::default();
    let writes = api.hold(&["Pods/Bind", "Pods/Patch", "Events/Create", "Events/Patch"]);
    let health = Health::new(tasks.drain());
    let scheduler =
        Scheduler::build(Config::default(), api.client(), &tasks, &health, &Metrics::new()).unwrap();
    Running { api, writes, scheduler, health, tasks }
}

// === impl Running ===

impl Running {
    /// The next bind, as pod, uid and node.
    async fn bind(&mut self) -> (Call, [String; 3]) {
        let call = self.writes.expect("Pods/Bind").await;
        let binding = call.request::<BindPodRequest>().binding.unwrap();
        let names = [binding.metadata.name, binding.metadata.uid, binding.target.name];
        (call, names)
    }

    /// The next event, as type, reason and message.
    async fn event(&mut self) -> [String; 3] {
        let call = self.writes.expect("Events/Create").await;
        let event = Event::decode(call.request::<RawCreateRequest>().object).unwrap();
        call.answer(&event);
        assert_eq!(event.source.component, "default-scheduler");
        [event.r#type, event.reason, event.message]
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_bound_and_told_of() {
    let mut running = start();
    running.api.put(&*mk_node("n1").node());
    running.health.ready().await;
    running.api.put(&*mk_pod("web").pod());
    let (call, names) = running.bind().await;
    assert_eq!(names, ["web", "uid-web", "n1"]);
    call.answer(&Status::default());
    assert_eq!(running.event().await, ["Normal", "Scheduled", "Successfully assigned default/web to n1"]);
    running.tasks.join(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_binding_is_tried_again_after_a_second() {
    let mut running = start();
    running.api.put(&*mk_node("n1").node());
    running.api.put(&*mk_pod("web").pod());
    let (call, _) = running.bind().await;
    let before = Instant::now();
    call.fail(ApiError::internal("etcd is tired"));
    let [kind, reason, message] = running.event().await;
    assert_eq!([kind.as_str(), reason.as_str()], ["Warning", "FailedScheduling"]);
    assert!(message.starts_with("Binding rejected: ") && message.contains("etcd is tired"), "{message}");
    let (_call, names) = running.bind().await;
    assert_eq!(names[0], "web");
    assert!(before.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_vanishes_while_it_is_bound_is_dropped() {
    let mut running = start();
    running.api.put(&*mk_node("n1").node());
    let pod = mk_pod("web").pod();
    running.api.put(&*pod);
    let (call, _) = running.bind().await;
    running.api.remove(&*pod);
    assert_eq!(running.writes.count("Pods/Bind").await, 0);
    call.fail(ApiError::not_found("pods", "web"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(running.writes.count("Pods/Bind").await, 0);
    assert_eq!(running.writes.count("Events/Create").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_fits_nowhere_says_so_once_and_waits_for_a_node() {
    let mut running = start();
    running.api.put(&*mk_node("n1").has("cpu", "1").node());
    running.api.put(&*mk_pod("web").container(&[("cpu", "2")]).pod());
    let why = "0/1 nodes are available: 1 Insufficient cpu.";
    assert_eq!(running.event().await, ["Warning", "FailedScheduling", why]);
    let call = running.writes.expect("Pods/Patch").await;
    let request: PatchRequest = call.request();
    let patch: serde_json::Value = serde_json::from_slice(&request.patch).unwrap();
    let condition = &patch["status"]["conditions"][0];
    assert_eq!([request.subresource.as_str(), request.name.as_str()], ["status", "web"]);
    assert_eq!(
        [&condition["type"], &condition["status"], &condition["reason"], &condition["message"]],
        ["PodScheduled", "False", "Unschedulable", why]
    );
    assert_eq!([&patch["metadata"]["uid"], &patch["metadata"]["resourceVersion"]], ["uid-web", "2"]);
    let said = mk_pod("web").container(&[("cpu", "2")]).edit(|pod| {
        pod.status.conditions.push(keelson_proto::core::PodCondition {
            r#type: "PodScheduled".to_owned(),
            status: "False".to_owned(),
            reason: "Unschedulable".to_owned(),
            message: why.to_owned(),
            ..Default::default()
        });
    });
    let said = said.pod();
    running.api.put(&*said);
    call.answer(&*said);
    running.api.put(&*mk_node("n1").has("cpu", "1").edit(|node| node.metadata.uid = "beat".into()).node());
    assert_eq!(running.writes.count("Pods/Bind").await, 0, "a heartbeat helps nobody");
    let mut other = (*said).clone();
    other.metadata.labels.insert("a".to_owned(), "b".to_owned());
    running.api.put(&other);
    assert_eq!(running.writes.count("Pods/Patch").await, 0, "it was tried again, but says so already");
    running.api.put(&*mk_node("n2").node());
    let (_call, names) = running.bind().await;
    assert_eq!(names, ["web", "uid-web", "n2"]);
}

#[tokio::test(start_paused = true)]
async fn binds_are_many_but_bounded() {
    let mut running = start();
    for node in 0..10 {
        running.api.put(&*mk_node(&format!("n{node}")).node());
    }
    for pod in 0..BINDS + 10 {
        running.api.put(&*mk_pod(&format!("p{pod}")).pod());
    }
    assert_eq!(running.writes.count("Pods/Bind").await, BINDS);
    for _ in 0..3 {
        let (call, _) = running.bind().await;
        call.answer(&Status::default());
    }
    assert_eq!(running.writes.count("Pods/Bind").await, BINDS);
}

#[tokio::test(start_paused = true)]
async fn the_trace_of_the_pods_creation_goes_on_in_its_binding() {
    let mut running = start();
    running.api.put(&*mk_node("n1").node());
    running.health.ready().await;
    let cause = TraceContext::root();
    running.api.put_traced(&*mk_pod("web").pod(), cause);
    let (call, _) = running.bind().await;
    let sent = trace::extract(&call.headers).unwrap();
    assert_eq!(sent.trace_id(), cause.trace_id());
}

#[tokio::test(start_paused = true)]
async fn spans_lead_from_the_write_over_the_decision_to_the_binding() {
    let spans = Arc::new(Spans::default());
    let mut running = start_with(Tasks::with_tracer(Tracer::new(spans.clone())));
    running.api.put(&*mk_node("n1").node());
    running.health.ready().await;
    let cause = TraceContext::root();
    running.api.put_traced(&*mk_pod("web").pod(), cause);
    let (call, _) = running.bind().await;
    call.fail(ApiError::internal("etcd is tired"));
    let (call, _) = running.bind().await;
    call.answer(&Status::default());
    running.event().await;
    running.tasks.join(Duration::from_secs(5)).await.unwrap();
    let spans = spans.0.lock().unwrap();
    let of = |name: &str| spans.iter().filter(|span| span.name == name).cloned().collect::<Vec<_>>();
    let (schedule, bind) = (of("schedule"), of("bind"));
    assert_eq!((schedule.len(), bind.len()), (2, 2));
    assert_eq!(schedule[0].parent, Some(cause.span_id()));
    assert_eq!(bind[0].parent, Some(schedule[0].context.span_id()));
    assert_ne!(schedule[1].context.trace_id(), cause.trace_id(), "a retry has its own trace");
    assert_eq!(schedule[1].links, [cause]);
    assert_eq!(bind[1].parent, Some(schedule[1].context.span_id()));
}

#[tokio::test(start_paused = true)]
async fn others_can_ask_over_grpc() {
    let running = start();
    running.api.put(&*mk_node("n1").node());
    running.health.ready().await;
    let routes = running.scheduler.add_to(tonic::service::Routes::default());
    let peer = Peer { common_name: "somebody".into(), organizations: Vec::new() };
    let mut client = SchedulerClient::new(Channel::in_process(routes, peer, Tracer::off()));
    let request = ScheduleRequest { pod: Some((*mk_pod("asked").pod()).clone()), nodes: Vec::new() };
    // The cache has what was there at its first list; a later node comes with the watch.
    for _ in 0..1000 {
        match client.schedule(request.clone()).await {
            Ok(answer) => return assert_eq!(answer.into_inner().node, "n1"),
            Err(status) => assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{status}"),
        }
        tokio::task::yield_now().await;
    }
    panic!("the node was never seen");
}
