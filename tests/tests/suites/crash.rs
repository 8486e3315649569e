//! kill -9 of everything at once, while objects are being created, again and again: nothing that was acknowledged is
//! lost, everything runs in the end, and nothing runs twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use keelson_kubelet_docker::DEMO_IMAGE;
use keelson_tests::{Curl, Target, Up, assert_eventually, docker};
use serde_json::{Value, json};

const ROUNDS: usize = 5;

/// How many pods are tried in each round; the process is killed after about half of them.
const PODS: usize = 8;

const PATH: &str = "/api/v1/namespaces/default/pods";

#[test]
fn nothing_acknowledged_is_lost_and_nothing_runs_twice() {
    let up = Up::docker();
    let mut acknowledged = BTreeMap::new();
    for round in 0..ROUNDS {
        let running = up.start();
        assert_has_all(running.target(), &acknowledged);
        let created = AtomicUsize::new(0);
        let over = AtomicBool::new(false);
        let names = std::thread::scope(|scope| {
            let creates = scope.spawn(|| create_until_refused(running.target(), round, &created, &over));
            // The moment differs from round to round: between creates, within one, while containers start.
            let enough = 2 + round;
            while created.load(Ordering::Relaxed) < enough && !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(30 * round as u64));
            running.kill_now();
            creates.join().unwrap()
        });
        assert!(!names.is_empty(), "round {round} created nothing");
        acknowledged.extend(names);
    }
    let running = up.start();
    let target = running.target();
    assert_has_all(target, &acknowledged);
    assert_eventually!(not_running(target).is_empty(), "these do not run: {:?}", not_running(target));
    assert_one_container_each(&up, target);
    assert!(running.interrupt().success());
    assert_eq!(docker::containers(&up.cluster_id()), []);
}

/// Creates pods one after the other until the server is gone; answers with those that were acknowledged: name → uid.
fn create_until_refused(
    target: &Target,
    round: usize,
    created: &AtomicUsize,
    over: &AtomicBool,
) -> BTreeMap<String, String> {
    let mut acknowledged = BTreeMap::new();
    for number in 0..PODS {
        let name = format!("pod-{round}-{number}");
        let body = pod(&name).to_string();
        let Ok(answer) = Curl::new(target).try_send("POST", PATH, "application/json", body.as_bytes()) else {
            break;
        };
        assert_eq!(answer.code, 201, "{answer:?}");
        let uid = answer.json()["metadata"]["uid"].as_str().unwrap().to_owned();
        acknowledged.insert(name, uid);
        created.fetch_add(1, Ordering::Relaxed);
    }
    over.store(true, Ordering::Relaxed);
    acknowledged
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [
            {"name": "main", "image": DEMO_IMAGE, "imagePullPolicy": "Never"},
        ]},
    })
}

fn pods(target: &Target) -> Vec<Value> {
    Curl::new(target).get(PATH).json()["items"].as_array().unwrap().clone()
}

fn name(pod: &Value) -> String {
    pod["metadata"]["name"].as_str().unwrap().to_owned()
}

/// All that was acknowledged is there, and is the same object.
#[track_caller]
fn assert_has_all(target: &Target, acknowledged: &BTreeMap<String, String>) {
    let found: BTreeMap<String, Value> =
        pods(target).iter().map(|pod| (name(pod), pod["metadata"]["uid"].clone())).collect();
    for (name, uid) in acknowledged {
        assert_eq!(found.get(name), Some(&json!(uid)), "{name} was acknowledged");
    }
}

fn not_running(target: &Target) -> BTreeSet<String> {
    let all = pods(target);
    let runs = |pod: &&Value| {
        let ready = &pod["status"]["containerStatuses"][0]["ready"];
        pod["status"]["phase"] != "Running" || *ready != true
    };
    all.iter().filter(runs).map(name).collect()
}

/// Every pod has one infra and one app container, and no other container is there.
#[track_caller]
fn assert_one_container_each(up: &Up, target: &Target) {
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for container in docker::containers(&up.cluster_id()) {
        if container.state == "running" {
            *found.entry((container.pod, container.role)).or_default() += 1;
        }
    }
    let pods = pods(target);
    let roles = |pod: &Value| ["infra", "app"].map(|role| ((name(pod), role.to_owned()), 1));
    let wanted: BTreeMap<(String, String), usize> = pods.iter().flat_map(roles).collect();
    assert_eq!(found, wanted);
}
