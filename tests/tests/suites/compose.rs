//! `compose.yaml`, with docker-compose as Debian has it: the whole stack in containers, used, hurt and taken down.

use std::collections::BTreeSet;
use std::process::Command;

use keelson_kubelet_docker::DEMO_IMAGE;
use keelson_tests::docker::{BUSYBOX, containers, load_busybox, rules};
use keelson_tests::{Compose, Kubectl, Output, Session, assert_eventually, keelson};
use serde_json::{Value, json};

/// Ready pods of a controller, by node.
fn nodes_of(kubectl: &Session, app: &str) -> BTreeSet<String> {
    let pods = kubectl.json(&format!("get pods -l app={app}"));
    let running = |pod: &&Value| pod["status"]["phase"] == "Running";
    let pods = pods["items"].as_array().unwrap();
    pods.iter().filter(running).map(|pod| pod["spec"]["nodeName"].as_str().unwrap().to_owned()).collect()
}

/// What answers at an address: the names of the pods, as many tries as this.
fn answers(address: &str, tries: usize) -> BTreeSet<String> {
    let ask = || Output::of(Command::new("curl").args(["--silent", "--max-time", "5", address]), "");
    (0..tries).map(|_| ask()).filter(|answer| answer.success).map(|answer| answer.stdout).collect()
}

fn controller() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "my-app"},
        "spec": {
            "replicas": 4, "selector": {"app": "MyApp"},
            "template": {
                "metadata": {"labels": {"app": "MyApp"}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [{
                    "name": "main", "image": DEMO_IMAGE, "imagePullPolicy": "Never",
                    "volumeMounts": [{"name": "memory", "mountPath": "/memory"}],
                }], "volumes": [{"name": "memory", "emptyDir": {"medium": "Memory"}}]},
            },
        },
    })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "my-service"},
        "spec": {"selector": {"app": "MyApp"}, "ports": [{"port": 80, "targetPort": 9376}]},
    })
}

/// A pod that connects to the gateway, where every pod finds it.
fn caller() -> Value {
    let script = "until /bin/busybox nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT < /dev/null; do sleep 0.2; done; \
                  echo connected; sleep 600";
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "caller"},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [
            {"name": "main", "image": BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", script]},
        ]},
    })
}

#[test]
fn the_stack_serves_survives_and_leaves_nothing() {
    load_busybox();
    let mut stack = Compose::prepare(&[]);
    stack.up(&[]);
    let target = stack.target();
    let kubectl = Kubectl::newest().session(&target);
    let nodes = kubectl.table("get nodes");
    assert_eq!(nodes.names(), ["node-1", "node-2"]);
    assert_eventually!(
        kubectl.table("get nodes").cell("node-2", "STATUS") == "Ready",
        "{}",
        kubectl.ok("get nodes")
    );

    // The demo, by hand.
    kubectl.ok_with("create -f -", &controller().to_string());
    kubectl.ok_with("create -f -", &service().to_string());
    let ready = || kubectl.ok("get rc my-app -o jsonpath={.status.readyReplicas}");
    assert_eventually!(ready() == "4", "{}", kubectl.ok("get pods -o wide"));
    assert_eq!(nodes_of(&kubectl, "MyApp").len(), 2, "pods on both nodes");
    let address = kubectl.ok("get service my-service -o jsonpath={.spec.clusterIP}");
    assert_eventually!(answers(&address, 20).len() == 4, "at {address}: {:?}", answers(&address, 20));
    kubectl.ok_with("create -f -", &caller().to_string());
    kubectl.ok("wait --for=condition=Ready pod/caller");
    assert_eventually!(kubectl.ok("logs caller") == "connected\n", "{}", kubectl.ok("logs caller"));
    traced(&stack);

    // A crash of one api, a restart of everything, an upgrade: no container of a pod notices.
    let pods: BTreeSet<_> =
        containers(stack.cluster_id()).into_iter().map(|one| (one.id, one.state)).collect();
    crash(&stack.container("api-1"));
    kubectl.ok("scale rc my-app --replicas=5");
    stack.run(&["restart"]);
    stack.wait_healthy();
    // As an upgrade to another image would: every container of the stack is made anew.
    stack.set("KEELSON_LOG", "warn");
    stack.up(&[]);
    assert_eventually!(ready() == "5", "{}", kubectl.ok("get pods -o wide"));
    let after: BTreeSet<_> =
        containers(stack.cluster_id()).into_iter().map(|one| (one.id, one.state)).collect();
    assert!(after.is_superset(&pods), "containers go on: {pods:?} became {after:?}");
    assert_eventually!(answers(&address, 30).len() == 5, "at {address}: {:?}", answers(&address, 30));

    let id = stack.cluster_id().to_owned();
    stack.down();
    assert_eq!(stack.resources(), Vec::<String>::new());
    assert_eq!(containers(&id), []);
    assert_eq!(rules(&id), Vec::<String>::new());
    assert!(!stack.root_dir().exists(), "{} is still there", stack.root_dir().display());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(stack.root_dir().to_str().unwrap()), "{mounts}");
}

/// The sink has the trace of a pod, from the gateway to the kubelet, and `keelson trace` draws it.
fn traced(stack: &Compose) {
    let sink = format!("http://127.0.0.1:{}", stack.variable("KEELSON_TRACE_PORT"));
    let drawn = || Output::of(Command::new(keelson()).args(["trace", "pod/caller", "--sink", &sink]), "");
    let services = ["keelson-gateway", "keelson-api", "keelson-scheduler", "keelson-kubelet"];
    assert_eventually!(
        services.iter().all(|service| drawn().stdout.contains(service)),
        "a service is missing in {}",
        drawn()
    );
    let page = Output::of(Command::new("curl").args(["--silent", "--fail", &sink]), "").ok();
    assert!(page.contains("<html"), "{page}");
}

/// kill -9 of a container's process from outside, which Docker takes for a crash.
fn crash(container: &str) {
    let mut inspect = Command::new("docker");
    let id = Output::of(inspect.args(["inspect", "--format", "{{.State.Pid}}", container]), "").ok();
    Output::of(Command::new("kill").args(["-9", id.trim()]), "").ok();
}

#[test]
fn one_etcd_grows_to_three_and_one_of_them_may_stop() {
    let mut stack = Compose::prepare(&["ha"]);
    stack.up(&["api-1", "api-2", "gateway", "etcd-1"]);
    let target = stack.target();
    let kubectl = Kubectl::newest().session(&target);
    kubectl.ok("create namespace before");
    stack.up(&["etcd-2", "etcd-3"]);
    let members = stack.run(&["exec", "-T", "etcd-1", "etcdctl", "member", "list"]);
    assert_eq!(members.lines().filter(|line| line.contains(", started, etcd-")).count(), 3, "{members}");
    for (member, namespace) in [("etcd-1", "without-one"), ("etcd-3", "without-three")] {
        stack.run(&["stop", member]);
        assert_eventually!(
            kubectl.run(&format!("create namespace {namespace}"), "").success,
            "nothing can be written without {member}"
        );
        stack.run(&["start", member]);
        stack.wait_healthy();
    }
    let namespaces = kubectl.ok("get namespaces -o name");
    for namespace in ["before", "without-one", "without-three"] {
        assert!(namespaces.contains(namespace), "{namespace} is lost: {namespaces}");
    }
    stack.down();
    assert_eq!(stack.resources(), Vec::<String>::new());
}
