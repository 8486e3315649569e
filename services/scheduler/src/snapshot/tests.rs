//! Whatever happened, the snapshot is the one that would be built afresh.

use std::collections::BTreeMap;

use super::*;
use crate::testing::{mk_controller, mk_node, mk_pod, mk_service, mk_snapshot};

/// What is left after a history.
#[derive(Default)]
struct Model {
    nodes: BTreeMap<String, Arc<Node>>,
    pods: BTreeMap<ObjectKey, (Arc<PodInfo>, String, bool)>,
    services: BTreeMap<String, Service>,
}

// === impl Model ===

impl Model {
    fn build(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        for service in self.services.values() {
            snapshot.apply_service(service);
        }
        for (pod, node, assumed) in self.pods.values() {
            match assumed {
                true => snapshot.assume(pod.clone(), node),
                false => drop(snapshot.observe(pod.clone())),
            }
        }
        for node in self.nodes.values() {
            snapshot.apply_node(node.clone());
        }
        snapshot
    }

    /// Does something by chance, here and to `snapshot`.
    fn step(&mut self, snapshot: &mut Snapshot, rng: &mut fastrand::Rng) {
        let name = format!("n{}", rng.u8(0..4));
        match rng.u8(0..9) {
            0 => {
                let node = mk_node(&name).has("cpu", &rng.u8(1..9).to_string()).node();
                self.nodes.insert(name, node.clone());
                snapshot.apply_node(node);
            }
            1 => {
                self.nodes.remove(&name);
                snapshot.delete_node(&name);
            }
            2..5 => {
                let pod = random_pod(rng, &name);
                self.pods.insert(pod.key.clone(), (pod.clone(), name, false));
                snapshot.observe(pod);
            }
            5 => {
                let pod = random_pod(rng, "");
                self.pods.insert(pod.key.clone(), (pod.clone(), name.clone(), true));
                snapshot.assume(pod, &name);
            }
            6 => {
                let (key, uid) = random_name(rng);
                if self.pods.get(&key).is_some_and(|(pod, _, assumed)| *assumed && pod.uid() == uid) {
                    self.pods.remove(&key);
                }
                snapshot.forget(&key, &uid);
            }
            7 => {
                let (key, _) = random_name(rng);
                self.pods.remove(&key);
                snapshot.remove(&key);
            }
            _ => {
                let name = format!("s{}", rng.u8(0..3));
                let service = mk_service(&name, "app", &rng.u8(0..3).to_string());
                match rng.bool() {
                    true => {
                        snapshot.apply_service(&service);
                        self.services.insert(name, service);
                    }
                    false => {
                        snapshot.delete_service(&ObjectKey::of(&service.metadata));
                        self.services.remove(&name);
                    }
                }
            }
        }
    }
}

fn random_name(rng: &mut fastrand::Rng) -> (ObjectKey, String) {
    let name = format!("p{}", rng.u8(0..6));
    (ObjectKey::new("default", name), format!("uid-{}", rng.u8(0..2)))
}

fn random_pod(rng: &mut fastrand::Rng, node: &str) -> Arc<PodInfo> {
    let (key, uid) = random_name(rng);
    let huge = i64::MAX.to_string();
    let amounts = ["0", "1", "100m", "3", huge.as_str()];
    let mut amount = || amounts[rng.usize(0..amounts.len())];
    let requests = [("cpu", amount()), ("memory", amount()), ("example.com/gpu", amount())];
    let mut pod = mk_pod(&key.name).container(&requests).container(&[]).on(node);
    if rng.bool() {
        pod = pod.label("app", &rng.u8(0..3).to_string());
    }
    if rng.bool() {
        pod = pod.port(80 + i32::from(rng.u8(0..2)), "TCP", ["", "10.0.0.1"][rng.usize(0..2)]);
    }
    pod.edit(|pod| pod.metadata.uid = uid).info()
}

#[test]
fn any_history_gives_the_snapshot_of_what_is_left() {
    for seed in 0..150 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut model, mut snapshot) = (Model::default(), Snapshot::new());
        for step in 0..120 {
            model.step(&mut snapshot, &mut rng);
            if step % 10 == 9 {
                assert_eq!(snapshot, model.build(), "seed {seed}, step {step}");
            }
        }
        for (key, _) in std::mem::take(&mut model.pods) {
            snapshot.remove(&key);
        }
        assert_eq!(snapshot, model.build(), "seed {seed}, empty");
    }
}

#[test]
fn an_assumed_pod_counts_until_it_is_forgotten_or_seen() {
    let pod = mk_pod("web").container(&[("cpu", "1")]);
    let mut snapshot = mk_snapshot([mk_node("n1"), mk_node("n2")], []);
    let info = pod.info();
    snapshot.assume(info.clone(), "n1");
    assert_eq!(snapshot.node("n1").unwrap().load.milli_cpu(), 1000);
    assert_eq!(snapshot.forget(&info.key, "uid-other"), None, "another pod of that name");
    assert!(snapshot.is_assumed(&info.key, info.uid()));
    assert_eq!(snapshot.forget(&info.key, info.uid()), Some("n1".to_owned()));
    assert_eq!(snapshot.node("n1").unwrap().load.milli_cpu(), 0);

    snapshot.assume(info.clone(), "n1");
    let bound_elsewhere = mk_pod("web").container(&[("cpu", "1")]).on("n2").info();
    assert_eq!(snapshot.observe(bound_elsewhere), Some("n1".to_owned()), "n1 has room again");
    assert_eq!(snapshot.forget(&info.key, info.uid()), None, "it is really there");
    let loads = ["n1", "n2"].map(|name| snapshot.node(name).unwrap().load.milli_cpu());
    assert_eq!(loads, [0, 1000]);
}

#[test]
fn pods_of_an_unknown_node_wait_for_it() {
    let mut snapshot = mk_snapshot([], [mk_pod("web").container(&[("cpu", "1")]).on("n1")]);
    assert_eq!(snapshot.nodes().count(), 0);
    assert!(snapshot.apply_node(mk_node("n1").node()));
    assert_eq!(snapshot.node("n1").unwrap().load.milli_cpu(), 1000);
    snapshot.delete_node("n1");
    assert!(snapshot.node("n1").is_none());
    assert_eq!(snapshot.remove(&ObjectKey::new("default", "web")), Some("n1".to_owned()));
    assert_eq!(snapshot, Snapshot::new());
}

#[test]
fn only_what_concerns_pods_is_another_offer() {
    let heartbeat = |node: &mut Node| node.status.conditions[0].message = "still here".to_owned();
    let table = [
        ("nothing", mk_node("n"), false),
        ("heartbeat", mk_node("n").edit(heartbeat), false),
        ("readiness", mk_node("n").not_ready(), true),
        ("closed", mk_node("n").closed(), true),
        ("taint", mk_node("n").taint("a", "b", "NoSchedule"), true),
        ("label", mk_node("n").label("a", "b"), true),
        ("cpu", mk_node("n").has("cpu", "5"), true),
        ("pods", mk_node("n").has("pods", "5"), true),
    ];
    for (name, after, expected) in table {
        let mut snapshot = mk_snapshot([mk_node("n")], []);
        assert_eq!(snapshot.apply_node(after.node()), expected, "{name}");
    }
}

#[test]
fn peers_are_those_of_the_first_service_in_the_namespace() {
    let web = |name: &str, node: &str| mk_pod(name).label("app", "web").label("tier", "front").on(node);
    let stranger = web("d", "n1").edit(|pod| pod.metadata.namespace = "other".to_owned());
    let pods = [web("a", "n1"), web("b", "n1"), web("c", "n2"), stranger, mk_pod("e").on("n1")];
    let mut snapshot = mk_snapshot([mk_node("n1"), mk_node("n2")], pods);
    let pod = web("new", "").info();
    assert_eq!(snapshot.service_peers(&pod), None);
    snapshot.apply_controller(&mk_controller("rc", "app", "web"));
    assert_eq!(snapshot.controller_peers(&pod), Some(BTreeMap::from([("n1", 2), ("n2", 1)])));
    snapshot.apply_service(&mk_service("b", "app", "web"));
    assert_eq!(snapshot.service_peers(&pod), Some(BTreeMap::from([("n1", 2), ("n2", 1)])));
    snapshot.apply_service(&mk_service("a", "tier", "front"));
    snapshot.observe(mk_pod("f").label("tier", "front").on("n2").info());
    assert_eq!(snapshot.service_peers(&pod), Some(BTreeMap::from([("n1", 2), ("n2", 2)])));
    assert_eq!(snapshot.service_peers(&mk_pod("g").info()), None);
}

#[test]
fn given_machines_replace_the_nodes_but_keep_their_pods() {
    let pods = [mk_pod("a").container(&[("cpu", "1")]).on("n1"), mk_pod("b").on("n2")];
    let snapshot = mk_snapshot([mk_node("n1"), mk_node("n2")], pods);
    let silent = (*mk_node("x").edit(|node| node.status.conditions.clear()).node()).clone();
    let known = (*mk_node("n1").not_ready().node()).clone();
    let given = snapshot.with_machines(vec![silent, known]);
    let facts: Vec<_> =
        given.nodes().map(|node| (node.name(), node.is_ready, node.load.milli_cpu())).collect();
    assert_eq!(facts, [("n1", false, 1000), ("x", true, 0)]);
}
