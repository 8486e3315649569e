//! Choices, their fairness, and the words for there being none.

use std::collections::BTreeMap;

use super::*;
use crate::testing::{mk_node, mk_pod, mk_service, mk_snapshot};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("n{index}")).collect()
}

fn best() -> Best {
    Best { filter: Filter::new(), priorities: Priority::defaults().into() }
}

/// How often each node is chosen for a pod that is never placed.
fn choices(algorithm: &dyn Algorithm, snapshot: &Snapshot, times: usize) -> BTreeMap<String, usize> {
    let (pod, mut chance) = (mk_pod("p").info(), Chance::seeded(7));
    let mut counts = BTreeMap::new();
    for _ in 0..times {
        *counts.entry(algorithm.schedule(&pod, snapshot, &mut chance).unwrap()).or_default() += 1;
    }
    counts
}

#[test]
fn random_is_fair() {
    let snapshot = mk_snapshot(names(5).iter().map(|name| mk_node(name)), []);
    let counts = choices(&Random::default(), &snapshot, 5000);
    assert_eq!(counts.len(), 5);
    // Five standard deviations of a fair draw are 141.
    assert!(counts.values().all(|&count| (860..=1140).contains(&count)), "{counts:?}");
}

#[test]
fn round_robin_takes_turns_among_those_that_fit() {
    let nodes = names(4).into_iter().map(|name| match name.as_str() {
        "n2" => mk_node("n2").closed(),
        name => mk_node(name),
    });
    let mut snapshot = mk_snapshot(nodes, []);
    let (pod, mut chance) = (mk_pod("p").info(), Chance::seeded(0));
    let mut next = |snapshot: &Snapshot| RoundRobin::default().schedule(&pod, snapshot, &mut chance).unwrap();
    let turns: Vec<_> = (0..4).map(|_| next(&snapshot)).collect();
    assert_eq!(turns, ["n0", "n1", "n3", "n0"]);
    snapshot.delete_node("n0");
    snapshot.apply_node(mk_node("n05").node());
    assert_eq!([next(&snapshot), next(&snapshot)], ["n05", "n1"], "turns go on from the name chosen last");
    let counts = choices(&RoundRobin::default(), &snapshot, 300);
    assert!(counts.values().all(|&count| count == 100), "{counts:?}");
}

#[test]
fn equals_share_by_chance_and_chance_repeats_with_its_seed() {
    let snapshot = mk_snapshot(names(4).iter().map(|name| mk_node(name)), []);
    let counts = choices(&best(), &snapshot, 4000);
    assert!(counts.values().all(|&count| (860..=1140).contains(&count)), "{counts:?}");
    assert_eq!(counts, choices(&best(), &snapshot, 4000));
}

#[test]
fn the_highest_weighted_sum_wins() {
    let mut snapshot = mk_snapshot([mk_node("full"), mk_node("free")], []);
    let other = mk_pod("o").container(&[("cpu", "2"), ("memory", "4Gi")]).on("full");
    snapshot.observe(other.info());
    assert_eq!(choices(&best(), &snapshot, 50), BTreeMap::from([("free".to_owned(), 50)]));
    let labelled = Measure::LabelPreference { label: "x".into(), presence: true };
    let mut weighted = best();
    weighted.priorities.push(Priority { weight: 100, ..Priority::new("X", labelled) });
    snapshot.apply_node(mk_node("full").label("x", "").node());
    assert_eq!(choices(&weighted, &snapshot, 50), BTreeMap::from([("full".to_owned(), 50)]));
}

#[test]
fn a_service_of_three_goes_to_three_nodes() {
    let mut snapshot = mk_snapshot(names(3).iter().map(|name| mk_node(name)), []);
    snapshot.apply_service(&mk_service("web", "app", "web"));
    let mut chance = Chance::seeded(3);
    for name in ["a", "b", "c"] {
        let pod = mk_pod(name).container(&[]).label("app", "web").info();
        let node = best().schedule(&pod, &snapshot, &mut chance).unwrap();
        snapshot.assume(pod, &node);
    }
    assert!(snapshot.nodes().all(|node| node.load.pod_count() == 1));
}

#[test]
fn the_message_counts_reasons_as_kubernetes_does() {
    let small = |name: &str| mk_node(name).has("cpu", "1").label("disk", "ssd");
    let pod = mk_pod("p").container(&[("cpu", "2")]).selector("disk", "ssd").info();
    let message = |nodes: Vec<crate::testing::MkNode>| {
        let refused = best().schedule(&pod, &mk_snapshot(nodes, []), &mut Chance::seeded(0));
        refused.unwrap_err().to_string()
    };
    assert_eq!(message(vec![]), "no nodes available to schedule pods");
    assert_eq!(
        message(vec![small("a"), mk_node("b"), mk_node("c")]),
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector."
    );
    assert_eq!(
        message(vec![mk_node("a").not_ready(), mk_node("b").closed(), small("c").has("pods", "0")]),
        "0/3 nodes are available: 1 Insufficient cpu, 1 Too many pods, 1 node(s) were not ready, \
         1 node(s) were unschedulable."
    );
}

#[test]
fn an_explanation_foretells_the_choice_and_uses_nothing_up() {
    let nodes = names(6).into_iter().map(|name| match name.as_str() {
        "n0" => mk_node("n0").closed().not_ready(),
        name => mk_node(name),
    });
    let snapshot = mk_snapshot(nodes, []);
    let pod = mk_pod("p").info();
    let algorithms: [&dyn Algorithm; 3] = [&best(), &Random::default(), &RoundRobin::default()];
    for algorithm in algorithms {
        let mut chance = Chance::seeded(11);
        for _ in 0..20 {
            let explained = algorithm.explain(&pod, &snapshot, &chance);
            assert_eq!(explained, algorithm.explain(&pod, &snapshot, &chance));
            let chosen = algorithm.schedule(&pod, &snapshot, &mut chance);
            assert_eq!(explained.choice, chosen);
            assert_eq!(explained.verdicts.len(), 6);
            assert_eq!(explained.verdicts[0].refusals.len(), 2, "all predicates are asked");
        }
    }
}

#[test]
fn an_explanation_has_the_scores_of_those_that_fit() {
    let snapshot = mk_snapshot([mk_node("a").closed(), mk_node("b")], []);
    let pod = mk_pod("p").container(&[("cpu", "2"), ("memory", "4Gi")]).info();
    let explained = best().explain(&pod, &snapshot, &Chance::seeded(0));
    let [refused, fits] = explained.verdicts.as_slice() else { panic!("two nodes") };
    assert_eq!((refused.scores.len(), refused.total()), (0, 0));
    let scores: Vec<_> =
        fits.scores.iter().map(|one| (one.priority.as_ref(), one.weight, one.score)).collect();
    let expected = [
        ("LeastRequestedPriority", 1, 5),
        ("BalancedResourceAllocation", 1, 10),
        ("ServiceSpreadingPriority", 1, 10),
    ];
    assert_eq!(scores, expected);
    assert_eq!(fits.total(), 25);
}
