//! A table for each priority.

use super::*;
use crate::testing::{MkNode, MkPod, mk_controller, mk_node, mk_pod, mk_service, mk_snapshot};

fn scores(measure: Measure, pod: MkPod, snapshot: &Snapshot) -> Vec<i64> {
    let nodes: Vec<_> = snapshot.nodes().collect();
    Priority::new("x", measure).scores(&pod.info(), &nodes, snapshot)
}

fn node(name: &str, cpu: &str, memory: &str) -> MkNode {
    mk_node(name).has("cpu", cpu).has("memory", memory)
}

fn pod(name: &str, cpu: &str, memory: &str) -> MkPod {
    mk_pod(name).container(&[("cpu", cpu), ("memory", memory)])
}

#[test]
fn least_requested_is_the_mean_of_free_tenths() {
    let table = [
        // 1.0's own examples: (4000-3000)*10/4000 = 2, (10000-5000)*10/10000 = 5, (2+5)/2 = 3.
        (pod("p", "3", "5000"), node("n", "4", "10000"), 3),
        (pod("p", "3", "5000"), node("n", "6", "10000"), 5),
        (pod("p", "0", "0"), node("n", "4", "10000"), 10),
        (pod("p", "5", "0"), node("n", "4", "10000"), 5),
        (pod("p", "5", "20000"), node("n", "4", "10000"), 0),
        (pod("p", "0", "0"), node("n", "0", "0"), 0),
        (pod("p", "1", "0"), node("n", "3", "1"), 8),
        // Silent containers count as 100m and 200 MiB.
        (mk_pod("p").container(&[]), node("n", "200m", "400Mi"), 5),
    ];
    for (index, (pod, node, expected)) in table.into_iter().enumerate() {
        let snapshot = mk_snapshot([node], []);
        assert_eq!(scores(Measure::LeastRequested, pod, &snapshot), [expected], "row {index}");
    }
    let used = mk_snapshot([node("n", "4", "10000")], [pod("o", "2", "5000").on("n")]);
    assert_eq!(scores(Measure::LeastRequested, pod("p", "1", "2500"), &used), [2]);
}

#[test]
fn balanced_is_ten_less_the_tenths_between() {
    let table = [
        (pod("p", "3", "5000"), node("n", "4", "10000"), 7),
        (pod("p", "3", "5000"), node("n", "6", "10000"), 10),
        (pod("p", "0", "0"), node("n", "4", "10000"), 10),
        (pod("p", "4", "0"), node("n", "4", "10000"), 0),
        (pod("p", "0", "10000"), node("n", "4", "10000"), 0),
        (pod("p", "0", "0"), node("n", "0", "10000"), 0),
        (pod("p", "3900m", "0"), node("n", "4", "10000"), 0),
    ];
    for (index, (pod, node, expected)) in table.into_iter().enumerate() {
        let snapshot = mk_snapshot([node], []);
        assert_eq!(scores(Measure::Balanced, pod, &snapshot), [expected], "row {index}");
    }
}

#[test]
fn spreading_prefers_nodes_with_fewer_peers() {
    let web = |name: &str| mk_pod(name).label("app", "web");
    let nodes = || ["n1", "n2", "n3"].map(mk_node);
    let pods = || [("a", "n1"), ("b", "n1"), ("c", "n1"), ("d", "n2")].map(|(name, node)| web(name).on(node));
    let mut snapshot = mk_snapshot(nodes(), pods());
    assert_eq!(scores(Measure::Spreading, web("p"), &snapshot), [10, 10, 10], "nobody selects them");
    snapshot.apply_controller(&mk_controller("rc", "app", "web"));
    assert_eq!(scores(Measure::Spreading, web("p"), &snapshot), [0, 6, 10], "the controller's pods");
    snapshot.apply_service(&mk_service("web", "app", "web"));
    assert_eq!(scores(Measure::Spreading, web("p"), &snapshot), [0, 6, 10]);
    snapshot.apply_service(&mk_service("a", "app", "none"));
    assert_eq!(scores(Measure::Spreading, mk_pod("p").label("app", "none"), &snapshot), [10, 10, 10]);
}

#[test]
fn anti_affinity_spreads_over_the_values_of_a_label() {
    let web = |name: &str| mk_pod(name).label("app", "web");
    let zone = |name: &str, zone: &str| mk_node(name).label("zone", zone);
    let nodes = [zone("n1", "a"), zone("n2", "a"), zone("n3", "b"), mk_node("n4")];
    let pods = [("a", "n1"), ("b", "n2"), ("c", "n3")].map(|(name, node)| web(name).on(node));
    let mut snapshot = mk_snapshot(nodes, pods);
    let measure = || Measure::ServiceAntiAffinity { label: "zone".into() };
    assert_eq!(scores(measure(), web("p"), &snapshot), [10, 10, 10, 0]);
    snapshot.apply_service(&mk_service("web", "app", "web"));
    assert_eq!(scores(measure(), web("p"), &snapshot), [3, 3, 6, 0]);
}

#[test]
fn a_label_is_preferred_there_or_not_there() {
    let snapshot = mk_snapshot([mk_node("n1").label("a", ""), mk_node("n2")], []);
    for (presence, expected) in [(true, [10, 0]), (false, [0, 10])] {
        let measure = Measure::LabelPreference { label: "a".into(), presence };
        assert_eq!(scores(measure, mk_pod("p"), &snapshot), expected);
    }
    assert_eq!(scores(Measure::Equal, mk_pod("p"), &snapshot), [1, 1]);
}
