//! One trace: from what a client asks for to all that comes of it, as an OTLP endpoint receives it.

mod docker;
mod road;

use std::time::Duration;

use keelson_tests::{Curl, Kubectl, Stack, StackConfig, TraceSink, Up, eventually};
use serde_json::json;

use self::road::Road;

/// How long a trace may take to be whole: the last write, its reactions, and their way to the sink.
const PATIENCE: Duration = Duration::from_secs(45);

const SERVICE: &str = r#"{"kind":"Service","apiVersion":"v1","metadata":{"name":"web"},
    "spec":{"selector":{"app":"web"},"ports":[{"port":80}]}}"#;

fn mk_pod(name: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "i:1"}]},
    })
}

fn traced(config: StackConfig, sink: &TraceSink) -> Stack {
    let mut stack = Stack::prepare(config);
    for name in stack.services() {
        stack.part(&name).add_args(&["--otlp-endpoint", sink.endpoint()]);
    }
    stack.parts().iter_mut().for_each(keelson_tests::Part::start);
    stack.parts().iter_mut().for_each(keelson_tests::Part::wait_ready);
    stack
}

/// Waits until the latest trace of a pod has everything that `road` names, and no span without its parent.
#[track_caller]
fn wait_for(sink: &TraceSink, pod: &str, road: &[road::Step]) -> Road {
    eventually::within(PATIENCE, || {
        let Some(latest) = sink.of_pod("default", pod).first().map(|trace| trace.id.clone()) else {
            return Err(format!("there is no trace of {pod}: {:?}", sink.all()));
        };
        let road_of = Road::of(sink.trace(&latest).expect("it was just there"));
        road_of.check(road, None).map(|()| road_of)
    })
}

#[test]
fn a_pod_is_one_trace_from_the_request_to_ready_and_to_its_endpoints() {
    let sink = TraceSink::start();
    let up = Up::hollow().flags(&["--otlp-endpoint", sink.endpoint()]);
    let running = up.start();
    let kubectl = Kubectl::newest().session(running.target());
    kubectl.ok_with("create -f -", SERVICE);
    kubectl.ok_with("create -f -", &mk_pod("bare").to_string());
    let road = wait_for(
        &sink,
        "bare",
        &[road::CREATED, road::SCHEDULED, road::SYNCED, road::HOLLOW, road::ENDPOINTS].concat(),
    );
    assert_eq!(road.named("schedule").attributes["k8s.node.name"], "node-1");
    assert_eq!(road.named("schedule").attributes["keelson.nodes"], "1");
    let request = road.named("POST /api/v1/namespaces/{namespace}/pods");
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/v1/namespaces/{namespace}/pods"),
        ("http.response.status_code", "201"),
        ("k8s.namespace.name", "default"),
    ] {
        assert_eq!(request.attributes.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert_eq!(road.in_service("keelson-api", "store commit").attributes["db.system"], "redb");
    let create = road.in_service("keelson-api", "keelson.v1.Pods/Create");
    assert_eq!(create.attributes["rpc.service"], "keelson.v1.Pods");
    assert_eq!(create.attributes["k8s.pod.name"], "bare");

    // Reads, heartbeats and events are no traces.
    kubectl.ok("get pods");
    let names: Vec<String> = sink.all().into_iter().map(|trace| trace.name).collect();
    let worthless = |name: &String| {
        ["GET", "Get", "List", "Watch", "Lease", "Event"].iter().any(|word| name.contains(word))
    };
    assert!(!names.iter().any(worthless), "{names:?}");

    let drawn = sink.ask(&["pod/bare", "--attributes", "--width", "200"]).ok();
    for part in
        ["POST /api/v1/namespaces/{namespace}/pods", "store commit", "watch delivery", "schedule", "sync pod"]
    {
        assert!(drawn.contains(part), "{part} is missing in\n{drawn}");
    }
    assert!(
        drawn.contains("k8s.node.name = node-1") && !drawn.contains("parent that is not here"),
        "{drawn}"
    );
    let listed = sink.ask(&["pod/bare", "--list"]).ok();
    assert!(listed.contains("default/bare"), "{listed}");
    assert!(sink.ask(&["pod/nobody"]).fails().contains("no trace of pod default/nobody"));
}

#[test]
fn pods_of_a_controller_belong_to_the_trace_of_its_creation() {
    let sink = TraceSink::start();
    let up = Up::hollow().flags(&["--otlp-endpoint", sink.endpoint()]);
    let running = up.start();
    let kubectl = Kubectl::newest().session(running.target());
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": mk_pod("x")["spec"]});
    let rc = json!({
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"app": "web"}, "template": template},
    });
    kubectl.ok_with("create -f -", &rc.to_string());
    let names = || -> Vec<String> {
        let pods = kubectl.json("get pods -l app=web");
        let pods = pods["items"].as_array().unwrap();
        pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let made = eventually::within(PATIENCE, || match names() {
        names if names.len() == 2 => Ok(names),
        names => Err(format!("{names:?}")),
    });
    let steps = [road::CONTROLLED, road::SCHEDULED, road::SYNCED, road::HOLLOW].concat();
    let roads: Vec<Road> = made.iter().map(|pod| wait_for(&sink, pod, &steps)).collect();
    assert_eq!(roads[0].id(), roads[1].id(), "both belong to one request");
    assert_eq!(roads[0].count("schedule"), 2);
    let root = roads[0].named("POST /api/v1/namespaces/{namespace}/replicationcontrollers");
    assert_eq!(root.parent_span_id, None);

    // Scaling is a request of its own, and its pod belongs to that.
    kubectl.ok("scale rc web --replicas=3");
    let third = eventually::within(PATIENCE, || {
        names().into_iter().find(|name| !made.contains(name)).ok_or_else(|| "no third pod".to_owned())
    });
    let scaled = wait_for(&sink, &third, &[road::SCHEDULED, road::SYNCED].concat());
    assert_ne!(scaled.id(), roads[0].id());
    assert!(scaled.root().name.contains("/replicationcontrollers/{name}"), "{:?}", scaled.root());
}

#[test]
fn a_pod_that_outlives_the_scheduler_is_scheduled_in_a_trace_that_links_to_its_own() {
    let sink = TraceSink::start();
    let mut stack = traced(StackConfig::default(), &sink);
    let kubectl = Kubectl::newest().session(stack.target());
    kubectl.ok("cordon node-1");
    kubectl.ok_with("create -f -", &mk_pod("late").to_string());
    let first = wait_for(&sink, "late", &[road::CREATED, road::DECIDED].concat());
    assert!(first.named("schedule").error.as_ref().is_some_and(|error| !error.is_empty()));

    stack.part("scheduler-1").kill();
    kubectl.ok("uncordon node-1");
    stack.part("scheduler-1").start();
    // The new one has to wait until the lease of the old one has ended.
    let second = wait_for(&sink, "late", &[road::RESCHEDULED, road::SYNCED].concat());
    let schedule = second.named("schedule");
    assert_eq!(schedule.parent_span_id, None, "a late reaction is a trace of its own");
    let links: Vec<&str> = schedule.links.iter().map(|link| link.trace_id.as_str()).collect();
    assert!(links.contains(&first.id()), "{links:?} {}", first.id());
    // Nothing that was recorded before the scheduler died lost its parent.
    let first = Road::of(sink.trace(first.id()).unwrap());
    first.check(&[], None).unwrap();
    let drawn = sink.ask(&["pod/late"]).ok();
    assert!(drawn.contains(&format!("because of trace {}", first.id())), "{drawn}");
}

#[test]
fn a_clients_own_trace_goes_on_and_one_that_is_not_sampled_is_not_recorded() {
    let sink = TraceSink::start();
    let stack = traced(StackConfig { etcd: 1, ..StackConfig::default() }, &sink);
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let send = |name: &str, flags: &str| {
        let header = format!("traceparent: 00-{trace}-{parent}-{flags}");
        let pods = "/api/v1/namespaces/default/pods";
        let answer = Curl::new(stack.target()).header(&header).send(
            "POST",
            pods,
            "application/json",
            mk_pod(name).to_string().as_bytes(),
        );
        assert_eq!(answer.json()["metadata"]["name"], name);
    };
    send("silent", "00");
    send("told", "01");
    let steps = [road::SCHEDULED, road::SYNCED, road::HOLLOW].concat();
    let road = eventually::within(PATIENCE, || {
        let road = Road::of(sink.trace(trace).ok_or_else(|| format!("{:?}", sink.all()))?);
        road.check(&steps, Some(parent)).map(|()| road)
    });
    let request = road.named("POST /api/v1/namespaces/{namespace}/pods");
    assert_eq!(request.parent_span_id.as_deref(), Some(parent));
    assert_eq!(road.in_service("keelson-api", "store commit").attributes["db.system"], "etcd");
    assert_eq!(road.count("schedule"), 1, "the other one is not recorded");
    assert!(sink.of_pod("default", "silent").is_empty(), "{:?}", sink.of_pod("default", "silent"));
}
