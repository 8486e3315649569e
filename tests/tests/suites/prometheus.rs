//! `/metrics` as a real Prometheus finds it: every service can be scraped, in both formats and on both ports, and tells
//! what dashboards ask for by the names and units that they know.

use std::process::Command;

use keelson_tests::prometheus::{Scrape, lint};
use keelson_tests::{Kubectl, Output, Prometheus, Stack, StackConfig, Target, Up, assert_eventually};

const CONTROLLER: &str = r#"{"kind":"ReplicationController","apiVersion":"v1","metadata":{"name":"web"},
    "spec":{"replicas":3,"selector":{"app":"web"},"template":{"metadata":{"labels":{"app":"web"}},
    "spec":{"containers":[{"name":"main","image":"i:1"}]}}}}"#;

const SERVICE: &str = r#"{"kind":"Service","apiVersion":"v1","metadata":{"name":"web"},
    "spec":{"selector":{"app":"web"},"ports":[{"port":80}]}}"#;

/// What every process tells, with what it can be at the least. `job` in braces is replaced by the service's.
const OF_ALL: [&str; 5] = [
    "process_resident_memory_bytes{job} > 1e6",
    "process_cpu_seconds_total{job} > 0",
    "process_start_time_seconds{job} > time() - 600",
    "process_open_fds{job} > 3 < process_max_fds{job}",
    "keelson_build_info{job} == 1",
];

/// What each service tells besides.
const OF_EACH: [(&str, &str); 22] = [
    ("api", "sum(rate(apiserver_request_total{job}[1m])) > 0"),
    (
        "api",
        "histogram_quantile(0.99, sum by (le) (rate(apiserver_request_duration_seconds_bucket{job}[1m]))) > 0",
    ),
    ("api", "etcd_request_duration_seconds_count{job} > 0"),
    ("api", "sum(apiserver_storage_objects{job}) > 0"),
    ("gateway", "sum(gateway_request_total{job}) > 0"),
    ("gateway", "gateway_request_duration_seconds_count{job} > 0"),
    ("scheduler", "sum(scheduler_schedule_attempts_total{job}) >= 3"),
    ("scheduler", "sum(scheduler_binding_duration_seconds_count{job}) >= 3"),
    ("scheduler", "leader_election_master_status{job} == 1"),
    ("kubelet", "sum(kubelet_running_pods{job}) == 1"),
    ("kubelet", "sum by (node) (kubelet_running_containers{job,container_state=\"running\"}) == 1"),
    ("kubelet", "sum(kubelet_pod_start_duration_seconds_count{job}) >= 3"),
    (
        "kubelet",
        "histogram_quantile(0.9, sum by (le) (kubelet_runtime_operations_duration_seconds_bucket{job})) > 0",
    ),
    ("service-proxy", "kubeproxy_sync_proxy_rules_last_timestamp_seconds{job} > time() - 600"),
    ("service-proxy", "kubeproxy_sync_proxy_rules_duration_seconds_count{job} > 0"),
    ("replication", "workqueue_depth{job} >= 0"),
    ("replication", "workqueue_adds_total{job} > 0"),
    ("replication", "workqueue_work_duration_seconds_sum{job} > 0"),
    ("replication", "rest_client_requests_total{job,code=\"200\",method=\"POST\"} >= 3"),
    ("replication", "leader_election_master_status{job} == 1"),
    ("scheduler", "rest_client_requests_total{job} > 0"),
    ("api", "keelson_certificate_expiration_timestamp_seconds{job} > time() + 86400"),
];

/// The services of a stack.
const SERVICES: [&str; 6] = ["api", "gateway", "scheduler", "replication", "kubelet", "service-proxy"];

/// Gives every service something to count.
#[track_caller]
fn work(target: &Target) {
    let kubectl = Kubectl::newest().session(target);
    kubectl.ok_with("create -f -", CONTROLLER);
    kubectl.ok_with("create -f -", SERVICE);
    let addresses = || kubectl.ok("get endpoints web -o jsonpath={.subsets[*].addresses[*].ip}");
    assert_eventually!(addresses().split_whitespace().count() == 3, "three pods: {}", addresses());
    kubectl.ok("scale rc web --replicas=1");
    kubectl.fails("get pod absent");
}

/// Asserts that an expression has a value for a job.
#[track_caller]
fn assert_told(prometheus: &Prometheus, job: &str, expression: &str) {
    let of_job = expression.replace("{job", &format!("{{job=\"{job}\""));
    let found = prometheus.wait_for(&of_job);
    eprintln!("{job}: {expression}: {} series, such as {:?}", found.len(), found[0]);
}

/// `/metrics` over TLS with the administrator's certificate, in the format that this asks for.
#[track_caller]
fn metrics(target: &Target, address: &str, accept: &str) -> String {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail", "--header", &format!("Accept: {accept}")]);
    command.arg("--cacert").arg(target.ca()).arg("--cert").arg(target.certificate());
    command.arg("--key").arg(target.key()).arg(format!("https://{address}/metrics"));
    Output::of(&mut command, "").ok()
}

#[test]
fn one_process_of_all_services_is_scraped() {
    let up = Up::hollow();
    let running = up.start();
    let target = running.target();
    work(target);
    let address = target.grpc();
    let scrape = Scrape { job: "up".to_owned(), addresses: vec![address.to_owned()], tls: true };
    let prometheus = Prometheus::start(target, &[scrape]);
    prometheus.wait_all_up();
    OF_ALL.iter().for_each(|expression| assert_told(&prometheus, "up", expression));
    lint("up", &metrics(target, address, "text/plain"));
    let open = metrics(target, address, "application/openmetrics-text;version=1.0.0");
    assert!(open.ends_with("# EOF\n"), "{open}");
    assert!(running.interrupt().success());
}

#[test]
fn every_service_is_scraped_on_both_its_ports() {
    let mut stack = Stack::start(StackConfig { etcd: 1, nodes: 2, proxy: true, ..StackConfig::default() });
    work(stack.target());
    let mut scrapes = Vec::new();
    for service in SERVICES {
        let parts = stack.parts().iter().filter(|part| part.name().starts_with(&format!("{service}-")));
        let parts: Vec<_> = parts.collect();
        assert!(!parts.is_empty(), "no part is a {service}");
        let admins = parts.iter().map(|part| part.admin().to_string()).collect();
        scrapes.push(Scrape { job: service.to_owned(), addresses: admins, tls: false });
        // The gateway's main port is Kubernetes' REST.
        if service != "gateway" {
            let addresses = parts.iter().map(|part| part.address().to_string()).collect();
            scrapes.push(Scrape { job: format!("{service}-tls"), addresses, tls: true });
        }
        for part in parts {
            let (status, text) = part.get("/metrics").unwrap();
            assert_eq!(status, 200, "{service}: {text}");
            lint(service, &text);
        }
    }
    let prometheus = Prometheus::start(stack.target(), &scrapes);
    prometheus.wait_all_up();
    assert_eq!(prometheus.query("up == 1").len(), 2 * SERVICES.len() - 1 + 2, "two kubelets, two ports each");
    for scrape in &scrapes {
        OF_ALL.iter().for_each(|expression| assert_told(&prometheus, &scrape.job, expression));
    }
    for (service, expression) in OF_EACH {
        assert_told(&prometheus, service, expression);
    }
}
