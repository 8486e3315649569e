//! grpcurl at each service that is a process of its own.

use keelson_tests::{Grpcurl, Stack, StackConfig, assert_eventually};
use serde_json::{Value, json};

use super::{create_pod, names};

/// The parts of a stack with the service that is theirs, and a call of it.
fn calls() -> [(&'static str, &'static str, &'static str, Value); 5] {
    let pod = json!({
        "metadata": {"name": "big", "namespace": "default"},
        "spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": {"string": "9999"}}}}]},
    });
    [
        ("api-1", "keelson.v1.Pods", "List", json!({"namespace": "default"})),
        ("scheduler-1", "keelson.v1.Scheduler", "Explain", json!({"pod": pod})),
        ("replication-1", "keelson.v1.Replication", "Loops", json!({})),
        ("service-proxy-1", "keelson.v1.ServiceProxy", "Table", json!({})),
        ("kubelet-1", "keelson.v1.Kubelet", "Pods", json!({})),
    ]
}

#[test]
fn each_process_is_listed_described_and_called() {
    let mut stack = Stack::start(StackConfig { proxy: true, ..StackConfig::default() });
    create_pod(&Grpcurl::new(stack.target()), "web", json!({}));
    for (part, service, method, request) in calls() {
        let address = stack.part(part).address().to_string();
        let grpcurl = Grpcurl::at(stack.target(), &address);
        let health = grpcurl.ask("grpc.health.v1.Health/Check", &json!({}));
        assert_eq!(health["status"], "SERVING", "{part}");
        assert!(grpcurl.list().contains(&service.to_owned()), "{part} does not list {service}");
        let described = grpcurl.describe(service);
        assert!(described.contains(&format!("rpc {method} (")), "{part}: {described}");
        let answer = || grpcurl.ask(&format!("{service}/{method}"), &request);
        let tells = |answer: &Value| match part {
            "api-1" | "kubelet-1" => names(answer) == ["web"],
            "scheduler-1" => answer["nodes"][0]["refusals"][0]["resource"] == "cpu",
            "replication-1" => answer["loops"].as_array().is_some_and(|loops| loops.len() >= 4),
            _ => answer["mode"].is_string(),
        };
        assert_eventually!(tells(&answer()), "{part}: {}", answer());
        for words in [&["list"][..], &["grpc.health.v1.Health/Check"]] {
            let refused = grpcurl.anonymous(words);
            assert!(!refused.success && refused.stdout.is_empty(), "{part} without a certificate: {refused}");
        }
    }
}

#[test]
fn a_process_says_what_it_does_not_serve() {
    let mut stack = Stack::start(StackConfig::default());
    let address = stack.part("scheduler-1").address().to_string();
    let refused = Grpcurl::at(stack.target(), &address).refused("keelson.v1.Pods/List", &json!({}));
    assert!(refused.contains("Unimplemented") && refused.contains("not served on this port"), "{refused}");
}
