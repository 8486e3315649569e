//! `keelson up` on Docker: the demo, and what is left of it in Docker and in the kernel.

use std::collections::BTreeMap;

use keelson_tests::docker::{containers, rules};
use keelson_tests::{Kubectl, Session, Target, Up, assert_eventually};

fn session(target: &Target) -> Session {
    Kubectl::newest().session(target)
}

/// The running app containers of a cluster: pod → id.
fn running(cluster: &str) -> BTreeMap<String, String> {
    let all = containers(cluster).into_iter();
    let apps = all.filter(|container| container.role == "app" && container.state == "running");
    apps.map(|container| (container.pod, container.id)).collect()
}

#[test]
fn the_demo_answers_and_leaves_nothing() {
    let up = Up::docker();
    let output = up.run(&["--demo", "--exit"]);
    assert!(output.success, "{output}");
    for what in ["cluster IP", "node port on 127.0.0.1", "node port on a host address"] {
        let answered = |line: &str| line.contains("all 3 pods answered") && line.contains(what);
        assert!(output.stderr.lines().any(answered), "{what}: {output}");
    }
    let id = up.cluster_id();
    assert_eq!(containers(&id), []);
    assert_eq!(rules(&id), Vec::<String>::new());
}

#[test]
fn the_demo_can_be_shown_twice() {
    let up = Up::docker();
    let first = up.start_with(&["--demo"]);
    let said = first.said();
    for part in ["kubectl get pods", "grpcurl", "KUBECONFIG=", up.data_dir().to_str().unwrap()] {
        assert!(said.contains(part), "what to type next lacks {part}: {said}");
    }
    let kubectl = session(first.target());
    let service = kubectl.json("get service my-service");
    assert_eq!(service["spec"]["selector"]["app"], "MyApp");
    assert_eq!(service["spec"]["ports"][0]["targetPort"], 9376);
    assert_eq!(running(&up.cluster_id()).len(), 3);
    assert!(first.interrupt().success());
    assert_eq!(containers(&up.cluster_id()), [], "Ctrl-C removes containers");
    assert_eq!(rules(&up.cluster_id()), Vec::<String>::new(), "and rules");

    let second = up.start_with(&["--demo"]);
    let kubectl = session(second.target());
    assert_eq!(kubectl.json("get service my-service")["metadata"]["uid"], service["metadata"]["uid"]);
    assert_eq!(kubectl.ok("get pods -o name").lines().count(), 3, "the same cluster came back");
    assert!(second.interrupt().success());
}

#[test]
fn what_is_kept_is_adopted() {
    let up = Up::docker();
    let first = up.start_with(&["--demo", "--keep"]);
    let before = running(&up.cluster_id());
    assert_eq!(before.len(), 3);
    assert!(first.interrupt().success());
    assert_eq!(running(&up.cluster_id()), before, "--keep leaves containers");
    assert!(!rules(&up.cluster_id()).is_empty(), "and rules");

    let second = up.start_with(&["--demo"]);
    assert_eq!(running(&up.cluster_id()), before, "the next start adopts them");
    second.kill();
    assert_eq!(running(&up.cluster_id()), before, "kill -9 leaves containers");

    let third = up.start();
    let kubectl = session(third.target());
    assert_eventually!(
        kubectl.ok("get pods -o jsonpath={.items[*].status.phase}") == "Running Running Running",
        "{}",
        kubectl.ok("get pods")
    );
    assert_eq!(running(&up.cluster_id()), before, "which are adopted as well");
    assert!(third.interrupt().success());
    assert_eq!(containers(&up.cluster_id()), []);
    assert_eq!(rules(&up.cluster_id()), Vec::<String>::new());
}

#[test]
fn several_nodes_share_one_engine() {
    let up = Up::docker().flags(&["--nodes", "3"]);
    let cluster = up.start_with(&["--demo"]);
    let nodes: std::collections::BTreeSet<String> =
        containers(&up.cluster_id()).into_iter().map(|container| container.node).collect();
    assert_eq!(nodes.len(), 3, "three pods on three nodes: {nodes:?}");
    let endpoints = session(cluster.target()).table("get endpoints kubernetes");
    let port = cluster.target().server().rsplit(':').next().unwrap().to_owned();
    assert!(
        endpoints.cell("kubernetes", "ENDPOINTS").ends_with(&format!(":{port}")),
        "pods can find the gateway"
    );
    assert!(cluster.interrupt().success());
    assert_eq!(containers(&up.cluster_id()), []);
}
