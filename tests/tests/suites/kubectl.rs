//! Everyday commands, with every kubectl of this machine, against a hollow cluster or any other target.
//!
//! Each chapter is told once for each kubectl, in a namespace of its own of the same cluster.

mod admission;
mod applying;
mod controllers;
mod describing;
mod discovery;
mod editing;
mod kinds;
mod namespaces;
mod objects;
mod reading;
mod selecting;
mod settings;
mod watching;

use keelson_tests::{Kubectl, Session, Subject};
use serde_json::{Value, json};

/// Tells a chapter with every kubectl.
#[track_caller]
fn with_every_kubectl(chapter: fn(&Session)) {
    with_kubectls(Kubectl::all(), chapter);
}

/// Tells a long chapter with the oldest kubectl, the newest, and one between them.
#[track_caller]
fn with_some_kubectls(chapter: fn(&Session)) {
    let all = Kubectl::all();
    let (oldest, newest) = (all[0].minor, all[all.len() - 1].minor);
    let some = all.into_iter().filter(|kubectl| [oldest, BETWEEN, newest].contains(&kubectl.minor));
    with_kubectls(some.collect(), chapter);
}

/// Tells the longest chapters with the oldest kubectl and the newest.
#[track_caller]
fn with_oldest_and_newest(chapter: fn(&Session)) {
    let mut all = Kubectl::all();
    // Between these two.
    all.drain(1..all.len().max(2) - 1);
    with_kubectls(all, chapter);
}

#[track_caller]
fn with_kubectls(kubectls: Vec<Kubectl>, chapter: fn(&Session)) {
    let subject = Subject::start();
    let run = fastrand::u32(..);
    for kubectl in kubectls {
        eprintln!("with kubectl 1.{}, {}", kubectl.minor, kubectl.path.display());
        let namespace = format!("kubectl-{}-{run:08x}", kubectl.minor);
        let session = kubectl.in_new_namespace(&subject, &namespace);
        chapter(&session);
        session.ok(&format!("delete namespace {namespace} --wait=false"));
    }
}

/// A pod that runs until it is deleted, in a hollow cluster at once.
fn pod(name: &str, labels: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": IMAGE, "ports": [{"containerPort": 9376}]}],
        },
    })
}

/// A service in front of pods with these labels.
fn service(name: &str, selector: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": selector, "ports": [{"protocol": "TCP", "port": 80, "targetPort": 9376}]},
    })
}

/// A replication controller of pods labelled `app: <name>`.
fn controller(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"app": name},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{"name": "main", "image": IMAGE}],
                },
            },
        },
    })
}

/// The minor version of kubectl between the oldest and the newest.
const BETWEEN: u32 = 27;

/// From this minor version on kubectl describes the slices of discovery.k8s.io/v1, before those of v1beta1.
const DESCRIBES_SLICES: u32 = 25;

/// The image of all pods; the hollow runtime has every image.
const IMAGE: &str = "keelson/serve-hostname:1";
