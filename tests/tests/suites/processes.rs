//! Every service as a process of its own: they start in any order, find one another, answer what every service answers,
//! and end when they are asked to.

use std::path::Path;
use std::time::Duration;

use keelson_kubelet_docker::DEMO_IMAGE;
use keelson_tests::{Grpcurl, Kubectl, Session, Stack, StackConfig, assert_eventually, docker, eventually};
use serde_json::{Value, json};

const POD: &str = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web"},
    "spec":{"containers":[{"name":"main","image":"i:1"}]}}"#;

/// How long something may take that goes through several processes.
const PATIENCE: Duration = Duration::from_secs(30);

fn session(stack: &Stack) -> Session {
    Kubectl::newest().session(stack.target())
}

/// Creates a pod and waits until it runs.
#[track_caller]
fn run_pod(kubectl: &Session, name: &str) {
    kubectl.ok_with("create -f -", &POD.replace("\"web\"", &format!("{name:?}")));
    let phase = || kubectl.json(&format!("get pod {name}"))["status"]["phase"].clone();
    assert_eventually!(phase() == "Running", "pod {name} is {}", phase());
}

#[test]
fn a_pod_runs_through_all_processes_on_the_embedded_store() {
    let mut stack = Stack::start(StackConfig::default());
    let kubectl = session(&stack);
    run_pod(&kubectl, "web");
    let log = kubectl.run("logs web", "");
    assert!(log.success, "api reaches the kubelet: {log}");
    for name in stack.services() {
        let ended = stack.part(&name).stop();
        assert!(ended.success(), "{name}: {ended}; {}", stack.part(&name).log());
    }
}

#[test]
fn every_service_answers_health_reflection_and_metrics() {
    let config = StackConfig { etcd: 1, proxy: true, ..StackConfig::default() };
    let mut stack = Stack::start(config);
    for name in stack.services() {
        let part = stack.part(&name);
        for path in ["/healthz", "/livez", "/readyz"] {
            assert_eq!(part.get(path), Some((200, "ok".to_owned())), "{name} {path}");
        }
        let (status, metrics) = part.get("/metrics").unwrap();
        assert!(status == 200 && metrics.contains("process_cpu_seconds_total"), "{name}: {metrics}");
        let address = part.address().to_string();
        let grpcurl = Grpcurl::at(stack.target(), &address);
        let health = grpcurl.ask("grpc.health.v1.Health/Check", &json!({}));
        assert_eq!(health["status"], "SERVING", "{name}");
        let services = grpcurl.list();
        assert!(services.iter().any(|service| service == "grpc.health.v1.Health"), "{name}: {services:?}");
    }
}

#[test]
fn services_that_start_before_api_wait_for_it() {
    let mut stack = Stack::prepare(StackConfig { etcd: 1, etcd_tls: true, ..StackConfig::default() });
    for name in ["kubelet-1", "scheduler-1", "replication-1", "gateway-1"] {
        stack.part(name).start();
    }
    for name in ["kubelet-1", "scheduler-1", "replication-1", "gateway-1"] {
        let part = stack.part(name);
        eventually::within(PATIENCE, || match part.get("/readyz") {
            Some((500, body)) if body.contains("[-]api failed") => Ok(()),
            answer => Err(format!("{name} answers {answer:?}")),
        });
        assert_eq!(part.get("/livez"), Some((200, "ok".to_owned())), "{name} lives all the same");
    }
    stack.part("api-1").start();
    eventually::within(PATIENCE, || match stack.part("api-1").get("/readyz") {
        Some((500, body)) if body.contains("[-]store failed") => Ok(()),
        answer => Err(format!("{answer:?}")),
    });
    stack.part("etcd-1").start();
    for name in ["api-1", "kubelet-1", "scheduler-1", "replication-1", "gateway-1"] {
        stack.part(name).wait_ready();
    }
    run_pod(&session(&stack), "web");
}

#[test]
fn every_service_may_be_killed_or_paused_and_comes_back_on_its_port() {
    let config = StackConfig { etcd: 1, ..StackConfig::default() };
    let mut stack = Stack::start(config);
    let kubectl = session(&stack);
    for (round, name) in stack.services().into_iter().enumerate() {
        stack.part(&name).restart();
        run_pod(&kubectl, &format!("after-{round}"));
        stack.part(&name).pause();
        std::thread::sleep(Duration::from_millis(200));
        stack.part(&name).resume();
        run_pod(&kubectl, &format!("later-{round}"));
    }
    let pods = kubectl.json("get pods");
    let pods = pods["items"].as_array().unwrap();
    assert_eq!(pods.len(), 2 * stack.services().len());
    assert!(pods.iter().all(|pod: &Value| pod["status"]["phase"] == "Running"), "{pods:?}");
}

#[test]
fn a_service_whose_api_is_away_says_so_and_goes_on_when_it_is_back() {
    let mut stack = Stack::start(StackConfig { etcd: 1, ..StackConfig::default() });
    run_pod(&session(&stack), "before");
    stack.part("api-1").kill();
    for name in ["kubelet-1", "scheduler-1", "replication-1", "gateway-1"] {
        let part = stack.part(name);
        eventually::within(PATIENCE, || match part.get("/readyz") {
            Some((500, body)) if body.contains("[-]api failed") => Ok(()),
            answer => Err(format!("{name} answers {answer:?}")),
        });
    }
    stack.part("api-1").start();
    for name in ["api-1", "kubelet-1", "scheduler-1", "replication-1", "gateway-1"] {
        stack.part(name).wait_ready();
    }
    run_pod(&session(&stack), "after");
    for name in ["kubelet-1", "gateway-1"] {
        let waits = stack.part(name).log().matches("waiting for api").count();
        // Twice api was away and then not ready yet.
        assert!((1..=4).contains(&waits), "{name} tells it once for each time: {}", stack.part(name).log());
    }
}

#[test]
fn containers_and_rules_outlive_the_processes_that_made_them() {
    let config = StackConfig { docker: true, proxy: true, ..StackConfig::default() };
    let mut stack = Stack::start(config);
    let kubectl = session(&stack);
    let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web"}, "spec": {"containers": [
        {"name": "main", "image": DEMO_IMAGE, "imagePullPolicy": "Never"},
    ]}});
    kubectl.ok_with("create -f -", &pod.to_string());
    kubectl.ok("wait --for=condition=Ready pod/web --timeout=30s");
    let containers = docker::containers(&stack.cluster_id());
    assert_eq!(containers.len(), 2, "{containers:?}");
    let bridge = format!("/sys/class/net/kl-{}", stack.cluster_id());
    assert!(Path::new(&bridge).exists(), "the proxy made its bridge");
    for name in ["kubelet-1", "service-proxy-1"] {
        assert!(stack.part(name).stop().success(), "{}", stack.part(name).log());
    }
    assert_eq!(docker::containers(&stack.cluster_id()), containers, "they run on");
    assert!(Path::new(&bridge).exists(), "rules stay");
    for name in ["kubelet-1", "service-proxy-1"] {
        stack.part(name).start();
        stack.part(name).wait_ready();
    }
    kubectl.ok("wait --for=condition=Ready pod/web --timeout=30s");
    assert_eq!(docker::containers(&stack.cluster_id()), containers, "the next kubelet has adopted them");
    assert!(kubectl.json("get pod web")["status"]["containerStatuses"][0]["restartCount"] == 0);
}
