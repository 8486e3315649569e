//! Services whose clocks differ.

use std::path::PathBuf;
use std::time::Duration;

use keelson_tests::{Kubectl, Session, Stack, StackConfig, assert_eventually, eventually};

use super::run_pod;

/// How long a lease is good for here.
const LEASE: Duration = Duration::from_secs(3);

/// How long another may take to lead when a leader was lost.
const TAKES_OVER: Duration = Duration::from_secs(20);

/// Has a part's time of day, and nothing else, differ from the next start on: `+1h`.
#[track_caller]
fn set_clock(stack: &mut Stack, part: &str, offset: &str) {
    let places = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let mut libraries = places.map(|place| place.path().join("faketime/libfaketime.so.1"));
    let library: PathBuf = libraries.find(|path| path.exists()).expect("tests/run installs libfaketime");
    let part = stack.part(part);
    part.add_env("LD_PRELOAD", &library.display().to_string());
    part.add_env("FAKETIME", offset);
    // A clock that is set wrong goes as fast as any other.
    part.add_env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    part.add_env("DONT_FAKE_MONOTONIC", "1");
}

/// Which of two replicas say that they lead.
fn leaders(stack: &mut Stack, service: &str) -> Vec<String> {
    let line = format!("leader_election_master_status{{name=\"keelson-{service}\"}} 1");
    let names = [1, 2].map(|number| format!("{service}-{number}"));
    let leads = |name: &String| {
        let part = stack.part(name);
        part.is_running() && part.get("/metrics").is_some_and(|(_, text)| text.contains(&line))
    };
    names.into_iter().filter(leads).collect()
}

/// The one that leads, soon.
#[track_caller]
fn leader(stack: &mut Stack, service: &str) -> String {
    eventually::within(TAKES_OVER, || match &*leaders(stack, service) {
        [one] => Ok(one.clone()),
        others => Err(format!("{others:?} lead")),
    })
}

/// How many hours from now the lease was renewed, by its holder's clock.
fn hours_ahead(kubectl: &Session) -> i64 {
    let lease = kubectl.json("get lease keelson-scheduler -n kube-system");
    let renewed = lease["spec"]["renewTime"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    (renewed.as_second() - jiff::Timestamp::now().as_second() + 1800).div_euclid(3600)
}

#[test]
fn one_leads_and_all_goes_on_while_clocks_differ() {
    let short = [
        format!("--leader-elect-lease-duration={}s", LEASE.as_secs()),
        "--leader-elect-renew-deadline=2s".to_owned(),
        "--leader-elect-retry-period=500ms".to_owned(),
    ];
    let mut stack = Stack::prepare(StackConfig {
        schedulers: 2,
        replications: 2,
        scheduler_flags: short.to_vec(),
        replication_flags: short.to_vec(),
        ..StackConfig::default()
    });
    for part in ["scheduler-2", "replication-2", "kubelet-1"] {
        set_clock(&mut stack, part, "+1h");
    }
    stack.parts().iter_mut().for_each(|part| part.start());
    stack.parts().iter_mut().for_each(|part| part.wait_ready());
    let kubectl = Kubectl::newest().session(stack.target());
    // Whose clock is right leads in one of two rounds.
    for round in 0..2 {
        let scheduler = leader(&mut stack, "scheduler");
        // Long enough for whoever judges by the time of day.
        let end = std::time::Instant::now() + LEASE + Duration::from_secs(1);
        while std::time::Instant::now() < end {
            for service in ["scheduler", "replication"] {
                let leaders = leaders(&mut stack, service);
                assert!(leaders.len() < 2, "{leaders:?} lead");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(leader(&mut stack, "scheduler"), scheduler, "nobody is driven out of office");
        let expected = if scheduler == "scheduler-2" { 1 } else { 0 };
        assert_eq!(hours_ahead(&kubectl), expected, "the clock of {scheduler} is set as it should be");
        run_pod(&kubectl, &format!("round-{round}"));
        let lost = ["scheduler", "replication"].map(|service| leader(&mut stack, service));
        lost.iter().for_each(|name| stack.part(name).kill());
        for name in &lost {
            let service = name.split('-').next().unwrap();
            assert_ne!(leader(&mut stack, service), *name);
            stack.part(name).start();
        }
    }
    run_pod(&kubectl, "last");
}

#[test]
fn a_clock_before_the_certificates_time_is_told() {
    let mut stack = Stack::start(StackConfig::default());
    stack.part("scheduler-1").stop();
    set_clock(&mut stack, "scheduler-1", "-1d");
    stack.part("scheduler-1").start();
    let said = |stack: &mut Stack| {
        let log = stack.part("scheduler-1").log();
        log.contains("not valid yet") && log.contains("clock")
    };
    assert_eventually!(said(&mut stack), "{}", stack.part("scheduler-1").log());
}
