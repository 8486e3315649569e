//! The whole road: processes, real containers, real rules.

use keelson_tests::docker::{self, BUSYBOX};
use keelson_tests::{Kubectl, StackConfig, TraceSink};

use super::{SERVICE, mk_pod, road, traced, wait_for};

#[test]
fn one_trace_leads_from_kubectl_create_over_docker_to_the_proxys_rules() {
    docker::load_busybox();
    let sink = TraceSink::start();
    let stack = traced(StackConfig { docker: true, proxy: true, ..StackConfig::default() }, &sink);
    let kubectl = Kubectl::newest().session(stack.target());
    kubectl.ok_with("create -f -", SERVICE);
    let mut pod = mk_pod("whole");
    let container = &mut pod["spec"]["containers"][0];
    container["image"] = BUSYBOX.into();
    container["imagePullPolicy"] = "Never".into();
    container["command"] = serde_json::json!(["sleep", "600"]);
    // A grace, since a pod without one is gone before its kubelet hears that somebody asked.
    pod["spec"]["terminationGracePeriodSeconds"] = 1.into();
    kubectl.ok_with("create -f -", &pod.to_string());
    let steps =
        [road::CREATED, road::SCHEDULED, road::SYNCED, road::DOCKER, road::ENDPOINTS, road::RULES].concat();
    let road = wait_for(&sink, "whole", &steps);
    let create = road.below("start container", "docker create container");
    assert_eq!(create.attributes["container.image.name"], BUSYBOX);
    assert_eq!(road.named("start container").attributes["k8s.container.name"], "main");
    let ready = road.all("write status").any(|span| span.attributes["keelson.pod.ready"] == "true");
    assert!(ready, "the write of Ready is in the trace");

    kubectl.ok("delete pod whole");
    let steps = [road::DELETED, road::ENDPOINTS_OF_DELETED].concat();
    let gone = wait_for(&sink, "whole", &steps);
    assert_ne!(gone.id(), road.id());
    assert!(gone.root().name.starts_with("DELETE "), "{:?}", gone.root());
}
