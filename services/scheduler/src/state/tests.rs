//! What follows from each change.

use std::time::Duration;

use super::*;
use crate::decision::{Best, Filter, Predicate, Priority, Rule};
use crate::testing::{MkPod, mk_node, mk_pod, mk_service};

fn mk_state() -> State {
    let best = Best { filter: Filter::new(), priorities: Priority::defaults().into() };
    State::new(DEFAULT_SCHEDULER.to_owned(), Box::new(best), Chance::seeded(1))
}

fn big(name: &str) -> MkPod {
    mk_pod(name).container(&[("cpu", "3")])
}

/// The next step as `pod → node` or `pod: why`.
fn step(state: &mut State) -> Option<String> {
    let pod = state.take(Instant::now())?.pod;
    let name = &pod.key.name;
    Some(match state.decide(&pod, Instant::now()) {
        Ok(node) => format!("{name} → {node}"),
        Err(why) => format!("{name}: {why}"),
    })
}

const FULL: &str = "0/1 nodes are available: 1 Insufficient cpu.";

/// Node `n1` with pod `first` on it and `second` parked.
fn mk_full() -> State {
    let mut state = mk_state();
    state.apply_node(mk_node("n1").node());
    state.apply_pod(big("first").on("n1").pod(), None);
    state.apply_pod(big("second").pod(), None);
    assert_eq!(step(&mut state), Some(format!("second: {FULL}")));
    assert_eq!(step(&mut state), None);
    state
}

#[tokio::test(start_paused = true)]
async fn an_assumed_pod_counts_for_the_next_decision() {
    let mut state = mk_state();
    state.apply_node(mk_node("n1").node());
    state.apply_pod(big("a").pod(), None);
    state.apply_pod(big("b").pod(), None);
    assert_eq!(step(&mut state).as_deref(), Some("a → n1"));
    assert_eq!(step(&mut state), Some(format!("b: {FULL}")));
    state.apply_pod(big("a").label("late", "news").pod(), None);
    assert_eq!(step(&mut state), None, "a is on its way");
    state.bound(&PodInfo::new(big("a").pod()));
    state.apply_pod(big("a").label("later", "news").pod(), None);
    assert_eq!(step(&mut state), None, "the watch does not show the binding yet");
    state.apply_pod(big("a").on("n1").pod(), None);
    assert_eq!(step(&mut state), None);
}

#[tokio::test(start_paused = true)]
async fn events_that_help_wake_and_others_do_not() {
    type Event = fn(&mut State);
    let table: &[(&str, Event, Option<&str>)] = &[
        ("a heartbeat", |state| state.apply_node(mk_node("n1").node()), None),
        ("a node too small", |state| state.apply_node(mk_node("n2").has("cpu", "2").node()), None),
        ("a node", |state| state.apply_node(mk_node("n2").node()), Some("second → n2")),
        (
            "a greater node",
            |state| state.apply_node(mk_node("n1").has("cpu", "6").node()),
            Some("second → n1"),
        ),
        ("a pod gone", |state| state.delete_pod(&ObjectKey::new("default", "first")), Some("second → n1")),
        (
            "a pod ended",
            |state| {
                state.apply_pod(
                    big("first").on("n1").edit(|pod| pod.status.phase = "Failed".into()).pod(),
                    None,
                )
            },
            Some("second → n1"),
        ),
        (
            "a pod that needs less",
            |state| state.apply_pod(mk_pod("first").container(&[("cpu", "1")]).on("n1").pod(), None),
            Some("second → n1"),
        ),
        (
            "itself, modest now",
            |state| state.apply_pod(mk_pod("second").container(&[("cpu", "1")]).pod(), None),
            Some("second → n1"),
        ),
        ("another pod gone", |state| state.delete_pod(&ObjectKey::new("default", "other")), None),
        ("itself gone", |state| state.delete_pod(&ObjectKey::new("default", "second")), None),
        ("itself bound by others", |state| state.apply_pod(big("second").on("n1").pod(), None), None),
        ("a service", |state| state.apply_service(&mk_service("web", "app", "web")), None),
    ];
    for (name, event, expected) in table {
        let mut state = mk_full();
        event(&mut state);
        assert_eq!(step(&mut state).as_deref(), *expected, "{name}");
        assert_eq!(step(&mut state), None, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_binding_frees_the_node_and_comes_back_later() {
    let mut state = mk_state();
    state.apply_node(mk_node("n1").node());
    state.apply_pod(big("a").pod(), None);
    assert_eq!(step(&mut state).as_deref(), Some("a → n1"));
    state.apply_pod(big("b").pod(), None);
    assert_eq!(step(&mut state), Some(format!("b: {FULL}")));
    assert!(state.not_bound(&PodInfo::new(big("a").pod()), Instant::now()));
    assert_eq!(step(&mut state).as_deref(), Some("b → n1"), "the room is free again");
    assert_eq!(step(&mut state), None);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(step(&mut state), Some(format!("a: {FULL}")));
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_fails_after_the_pod_is_gone_is_over() {
    for is_replaced in [false, true] {
        let mut state = mk_state();
        state.apply_node(mk_node("n1").node());
        state.apply_pod(big("a").pod(), None);
        assert_eq!(step(&mut state).as_deref(), Some("a → n1"));
        state.delete_pod(&ObjectKey::new("default", "a"));
        if is_replaced {
            state.apply_pod(big("a").edit(|pod| pod.metadata.uid = "uid-2".into()).pod(), None);
            assert_eq!(step(&mut state).as_deref(), Some("a → n1"));
        }
        assert!(!state.not_bound(&PodInfo::new(big("a").pod()), Instant::now()));
        assert_eq!(state.snapshot.node("n1").unwrap().load.is_empty(), !is_replaced);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_replaced_without_a_word_frees_what_was_assumed() {
    let mut state = mk_state();
    state.apply_node(mk_node("n1").node());
    state.apply_pod(big("a").pod(), None);
    assert_eq!(step(&mut state).as_deref(), Some("a → n1"));
    state.apply_pod(big("a").edit(|pod| pod.metadata.uid = "uid-2".into()).pod(), None);
    assert_eq!(step(&mut state).as_deref(), Some("a → n1"));
    state.bound(&PodInfo::new(big("a").pod()));
    assert!(state.not_bound(
        &PodInfo::new(big("a").edit(|pod| pod.metadata.uid = "uid-2".into()).pod()),
        Instant::now()
    ));
}

#[tokio::test(start_paused = true)]
async fn only_our_pods_are_scheduled() {
    type Edit = fn(&mut Pod);
    let table: &[(&str, Edit, bool)] = &[
        ("no name", |_| {}, true),
        ("our name", |pod| pod.spec.scheduler_name = DEFAULT_SCHEDULER.into(), true),
        ("another's", |pod| pod.spec.scheduler_name = "mine".into(), false),
        ("gated", |pod| pod.spec.scheduling_gates.push(Default::default()), false),
        ("going", |pod| pod.metadata.deletion_timestamp = Some(Default::default()), false),
        ("ended", |pod| pod.status.phase = "Failed".into(), false),
    ];
    for (name, edit, expected) in table {
        let mut state = mk_state();
        state.apply_node(mk_node("n1").node());
        state.apply_pod(mk_pod("a").edit(edit).pod(), None);
        assert_eq!(step(&mut state).is_some(), *expected, "{name}");
    }
    let mut state = mk_state();
    state.apply_node(mk_node("n1").node());
    state.apply_pod(mk_pod("a").edit(|pod| pod.spec.scheduling_gates.push(Default::default())).pod(), None);
    assert_eq!(step(&mut state), None);
    state.apply_pod(mk_pod("a").pod(), None);
    assert_eq!(step(&mut state).as_deref(), Some("a → n1"), "the gate is open");
}

#[tokio::test(start_paused = true)]
async fn services_wake_where_predicates_look_around() {
    let affinity = Predicate::new("x", Rule::ServiceAffinity { labels: vec!["zone".into()] });
    let best = Best { filter: Filter::of([affinity]), priorities: vec![] };
    let mut state = State::new(DEFAULT_SCHEDULER.to_owned(), Box::new(best), Chance::seeded(1));
    state.apply_node(mk_node("a").label("zone", "a").not_ready().node());
    state.apply_node(mk_node("b").label("zone", "b").node());
    state.apply_service(&mk_service("web", "app", "web"));
    state.apply_pod(mk_pod("o").label("app", "web").on("a").pod(), None);
    state.apply_pod(mk_pod("p").label("app", "web").pod(), None);
    assert!(step(&mut state).unwrap().contains("service affinity"));
    assert_eq!(step(&mut state), None);
    state.delete_service(&ObjectKey::new("default", "web"));
    assert_eq!(step(&mut state).as_deref(), Some("p → b"));
}

#[tokio::test(start_paused = true)]
async fn who_asks_gets_an_answer_and_leaves_no_trace() {
    let mut state = mk_full();
    let pod = PodInfo::new(big("asked").pod());
    assert_eq!(state.choose(&pod, vec![]).unwrap_err().to_string(), FULL);
    let machine = (*mk_node("m").node()).clone();
    for _ in 0..3 {
        assert_eq!(state.choose(&pod, vec![machine.clone()]).as_deref(), Ok("m"));
    }
    let first = PodInfo::new(big("first").pod());
    assert_eq!(state.explain(&first).choice.as_deref(), Ok("n1"), "its own needs do not stand in its way");
    assert!(state.explain(&pod).choice.is_err());
}
