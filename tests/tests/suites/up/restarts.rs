//! What stays from one start to the next.

use std::net::TcpStream;

use keelson_tests::{EtcdProcess, Kubectl, Running, Session, Up, assert_eventually};
use serde_json::{Value, json};

fn session(running: &Running) -> Session {
    Kubectl::newest().session(running.target())
}

/// A service, as stored.
fn service(kubectl: &Session) -> Value {
    kubectl.json("get service web")
}

fn create_service(kubectl: &Session) -> Value {
    kubectl.ok("create service clusterip web --tcp=80:9376");
    service(kubectl)
}

#[test]
fn the_next_start_has_the_same_objects() {
    let up = Up::hollow();
    let running = up.start();
    let before = create_service(&session(&running));
    let id = up.cluster_id();
    assert!(running.interrupt().success());
    let running = up.start();
    assert_eq!(service(&session(&running)), before);
    assert_eq!(up.cluster_id(), id);
    // And after kill -9.
    running.kill();
    let running = up.start();
    assert_eq!(service(&session(&running)), before);
    assert!(running.interrupt().success());
}

#[test]
fn pods_of_a_hollow_cluster_run_again() {
    let up = Up::hollow();
    let running = up.start();
    let kubectl = session(&running);
    kubectl.ok("run web --image=x");
    kubectl.ok("wait --for=condition=Ready pod/web");
    let uid = kubectl.ok("get pod web -o jsonpath={.metadata.uid}");
    running.kill();
    let running = up.start();
    let kubectl = session(&running);
    kubectl.ok("wait --for=condition=Ready pod/web");
    assert_eq!(kubectl.ok("get pod web -o jsonpath={.metadata.uid}"), uid, "it is the same pod");
}

#[test]
fn several_nodes() {
    let up = Up::hollow().flags(&["--nodes", "3"]);
    let running = up.start();
    let kubectl = session(&running);
    assert_eq!(kubectl.ok("get nodes -o name"), "node/node-1\nnode/node-1-2\nnode/node-1-3\n");
    assert_eq!(running.target().kubelets().len(), 3, "{}", running.said());
    kubectl.ok_with("create -f -", &controller().to_string());
    let nodes = || {
        let nodes = kubectl.ok("get pods -o jsonpath={.items[*].spec.nodeName}");
        nodes.split_whitespace().collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eventually!(nodes() == 3, "pods of one controller are spread: {}", kubectl.ok("get pods -o wide"));
    assert!(running.interrupt().success());
}

#[test]
fn etcd_keeps_the_state_too() {
    let etcd = EtcdProcess::start();
    let address = etcd.endpoint().trim_start_matches("http://").to_owned();
    assert_eventually!(TcpStream::connect(&address).is_ok(), "etcd does not listen at {address}");
    let store = format!("etcd://{address}");
    let up = Up::hollow().flags(&["--store", &store]);
    let running = up.start();
    let before = create_service(&session(&running));
    assert!(running.interrupt().success());
    let running = up.start();
    assert_eq!(service(&session(&running)), before);
    let other = Up::hollow().flags(&["--store", &store]);
    drop(running);
    let running = other.start();
    assert_eq!(service(&session(&running)), before, "the state is in etcd, not in the data directory");
}

fn controller() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "web"},
        "spec": {
            "replicas": 6, "selector": {"app": "web"},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "x"}]},
            },
        },
    })
}
