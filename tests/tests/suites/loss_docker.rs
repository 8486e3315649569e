//! The loss of parts while real containers run: they run on, and in the end each pod has its own and no other is there.

mod engine;
mod lab;

use std::collections::BTreeSet;
use std::time::Duration;

use keelson_tests::{StackConfig, assert_eventually};

use self::lab::{BARE, Lab, bare};

/// How long the whole control plane is away.
const AWAY: Duration = Duration::from_secs(3);

/// How long one service is away, and how long after its start the next is lost.
const LOST: Duration = Duration::from_millis(700);

/// How long the kubelet is paused.
const PAUSED: Duration = Duration::from_secs(2);

fn two_of_each() -> StackConfig {
    let short = [
        "--leader-elect-lease-duration=3s",
        "--leader-elect-renew-deadline=2s",
        "--leader-elect-retry-period=500ms",
    ];
    let short: Vec<String> = short.map(str::to_owned).to_vec();
    StackConfig {
        etcd: 1,
        apis: 2,
        schedulers: 2,
        replications: 2,
        docker: true,
        proxy: true,
        scheduler_flags: short.clone(),
        replication_flags: short,
        ..StackConfig::default()
    }
}

#[test]
fn containers_and_services_go_on_while_everything_else_is_away() {
    let mut lab = Lab::start(two_of_each(), None);
    lab.run_pods();
    lab.assert_service_answers();
    let before = lab.containers();
    let uids = lab.uids();
    for part in lab.stack.parts() {
        part.kill();
    }
    std::thread::sleep(AWAY);
    assert_eq!(lab.containers(), before, "the same containers run on");
    let answer = lab.ask_service();
    assert!(answer.is_some(), "the rules of services stay, and pods answer by them");
    for part in lab.stack.parts() {
        part.start();
    }
    for part in lab.stack.parts() {
        part.wait_ready();
    }
    // A pod that is scheduled and run shows that all are at work again.
    assert!(lab.create(&bare("after")), "a pod can be created");
    lab.assert_settled();
    let old = |lab: &Lab| lab.containers().into_iter().filter(|one| one.pod != "after").collect::<Vec<_>>();
    assert_eq!(old(&lab), before, "the same containers, neither restarted nor doubled");
    assert_eq!(lab.restarts(), BTreeSet::from([0]));
    let now = lab.uids();
    assert!(uids.iter().all(|(name, uid)| now.get(name) == Some(uid)), "{uids:?} became {now:?}");
    lab.assert_service_answers();
}

#[test]
fn every_pod_has_its_containers_whichever_service_is_lost_meanwhile() {
    let mut lab = Lab::start(two_of_each(), None);
    lab.run_pods();
    let (mut created, mut deleted) = (BTreeSet::from(BARE.map(str::to_owned)), BTreeSet::new());
    for (round, name) in lab.stack.services().into_iter().enumerate() {
        let names = ["kept", "stopped", "dropped", "late"].map(|what| format!("{what}-{round}"));
        let [kept, stopped, dropped, late] = &names;
        for pod in [kept, stopped, dropped] {
            assert!(lab.create(&bare(pod)), "{pod} is created before {name} is lost");
            created.insert(pod.clone());
        }
        lab.stack.part(&name).kill();
        // One with grace, for which the kubelet is needed; of the other it will never hear.
        for (pod, grace) in [(stopped, 1), (dropped, 0)] {
            if lab.delete(pod, grace) {
                deleted.insert(pod.clone());
            }
        }
        if lab.create(&bare(late)) {
            created.insert(late.clone());
        }
        std::thread::sleep(LOST);
        lab.stack.part(&name).start();
        lab.stack.part(&name).wait_ready();
        std::thread::sleep(LOST);
    }
    assert!(created.len() > 3 * lab.stack.services().len() && deleted.len() > 8, "{created:?}, {deleted:?}");
    lab.assert_settled();
    let there: BTreeSet<String> = lab.uids().into_keys().collect();
    // A deletion that was not acknowledged may have happened all the same.
    let may_be_gone = |pod: &str| pod.starts_with("stopped") || pod.starts_with("dropped");
    let gone: Vec<&String> = created.difference(&there).filter(|pod| !may_be_gone(pod)).collect();
    assert!(gone.is_empty(), "acknowledged, and gone: {gone:?}");
    assert!(deleted.is_disjoint(&there), "deleted, and there: {deleted:?} of {there:?}");
    lab.assert_service_answers();
}

#[test]
fn a_kubelet_that_was_stopped_for_a_while_catches_up() {
    let mut lab = Lab::start(StackConfig { docker: true, proxy: true, ..StackConfig::default() }, None);
    lab.run_pods();
    let before = lab.containers();
    lab.stack.part("kubelet-1").pause();
    assert!(lab.create(&bare("meanwhile")));
    assert!(lab.delete(BARE[0], 1) && lab.delete(BARE[1], 0));
    std::thread::sleep(PAUSED);
    assert_eq!(lab.containers(), before, "nobody touches a node's containers but its kubelet");
    lab.stack.part("kubelet-1").resume();
    lab.assert_settled();
    let there = lab.uids();
    assert!(there.contains_key("meanwhile") && there.contains_key(BARE[2]), "{there:?}");
    assert_eventually!(
        !lab.containers().iter().any(|one| [BARE[0], BARE[1]].contains(&one.pod.as_str())),
        "what was deleted meanwhile still runs: {:?}",
        lab.containers()
    );
    let kept = |pod: &str| pod != "meanwhile" && pod != BARE[0] && pod != BARE[1];
    let after: Vec<_> = lab.containers().into_iter().filter(|one| kept(&one.pod)).collect();
    let before: Vec<_> = before.into_iter().filter(|one| kept(&one.pod)).collect();
    assert_eq!(after, before, "the others are the same");
}
