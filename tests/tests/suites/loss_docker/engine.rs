//! The loss of a whole node's Docker, with an engine of the test's own.

use std::collections::BTreeSet;
use std::time::Duration;

use keelson_tests::{Curl, Dockerd, StackConfig, assert_eventually, eventually};

use super::lab::{BARE, Lab, bare};

/// How long the kubelet may take to say that its engine is gone, and that it is back.
const NOTICES: Duration = Duration::from_secs(30);

/// How long the engine is away.
const AWAY: Duration = Duration::from_secs(1);

#[test]
fn a_node_whose_engine_was_lost_runs_its_pods_again() {
    let config = StackConfig { docker: true, ..StackConfig::default() };
    let mut lab = Lab::start(config, Some(Dockerd::start()));
    lab.run_pods();
    let losses: [fn(&mut Dockerd); 2] = [Dockerd::kill, Dockerd::crash];
    for (lose, round) in losses.into_iter().zip(1_u64..) {
        let before: BTreeSet<String> = lab.containers().into_iter().map(|one| one.id).collect();
        let pods = lab.uids();
        lose(lab.engine.as_mut().unwrap());
        ready(&lab, "False");
        // What is asked for meanwhile is done afterwards.
        let (late, gone) = (format!("late-{round}"), BARE[usize::try_from(round).unwrap()]);
        assert!(lab.create(&bare(&late)) && lab.delete(gone, 1), "api does not need any engine");
        std::thread::sleep(AWAY);
        lab.engine.as_mut().unwrap().start_again();
        ready(&lab, "True");
        lab.assert_settled();
        let now = lab.uids();
        let same = pods.iter().filter(|(name, uid)| now.get(*name) == Some(uid)).count();
        assert_eq!((same, now.len()), (pods.len() - 1, pods.len()), "{pods:?} became {now:?}");
        // Those that were there have been restarted once by each loss, the new ones by none yet.
        assert_eq!(lab.restarts(), (0..=round).collect(), "{:#?}", lab.pods());
        let running = lab.containers().into_iter().filter(|one| one.state == "running");
        assert!(running.clone().all(|one| !before.contains(&one.id)), "all containers are new");
        assert_eq!(running.count(), 2 * now.len());
    }
    let log = lab.stack.part("kubelet-1").log();
    assert_eq!(log.matches("\n--- ").count(), 0, "the kubelet was not started again");
    lab.delete_all();
    let left = |lab: &Lab| lab.engine.as_ref().unwrap().ids();
    assert_eventually!(left(&lab).is_empty(), "containers are left: {:#?}", lab.containers());
}

/// Waits until the node's condition Ready is this.
#[track_caller]
fn ready(lab: &Lab, wanted: &str) {
    eventually::within(NOTICES, || {
        let node = Curl::new(lab.stack.target()).get("/api/v1/nodes/node-1").json();
        let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        match conditions.iter().find(|condition| condition["type"] == "Ready") {
            Some(condition) if condition["status"] == wanted => Ok(()),
            other => Err(format!("the node is not Ready={wanted}: {other:?}")),
        }
    });
}
