use keelson_proto::core::Probe;

use super::*;

fn mk_probe(period: i32, failures: i32) -> Probe {
    Probe { period_seconds: period, failure_threshold: failures, success_threshold: 1, ..Probe::default() }
}

fn probe(id: &str, kind: ProbeKind) -> Action {
    Action::Probe { id: id.to_owned(), container: id.rsplit_once('-').unwrap().0.to_owned(), kind }
}

/// A probe of this container has been done now.
fn found(world: &mut World, id: &str, kind: ProbeKind, found: Option<bool>) {
    let container = id.rsplit_once('-').unwrap().0;
    let specs = world.pod.spec.containers.iter().chain(&world.pod.spec.init_containers);
    let spec = specs.into_iter().find(|spec| spec.name == container).unwrap();
    let key = (id.to_owned(), kind);
    let before = world.memory.probes.get(&key).copied();
    let track = Track::note(before, kind.of(spec).unwrap(), found, world.now);
    world.memory.probes.insert(key, track);
}

use ProbeKind::{Liveness, Readiness, Startup};

#[test]
fn a_pod_without_probes_has_no_clock() {
    let world = World::up(&["a"]);
    assert_eq!(world.plan().wake_at, None);
    assert!(world.first().ready);
}

#[test]
fn thresholds_count_findings_in_a_row() {
    let probe = Probe { success_threshold: 2, failure_threshold: 3, ..Probe::default() };
    let table = [
        ("", None),
        ("+", None),
        ("++", Some(true)),
        ("-", None),
        ("--", None),
        ("---", Some(false)),
        ("++-", Some(true)),
        ("++--+--", Some(true)),
        ("++---", Some(false)),
        ("---+", Some(false)),
        ("---++", Some(true)),
        ("--?-", Some(false)),
        ("+?+", Some(true)),
    ];
    for (findings, expected) in table {
        let mut track: Option<Track> = None;
        for finding in findings.chars() {
            let found = match finding {
                '+' => Some(true),
                '-' => Some(false),
                _ => None,
            };
            track = Some(Track::note(track, &probe, found, at(0)));
        }
        assert_eq!(track.and_then(|track| track.verdict()), expected, "{findings}");
    }
}

#[test]
fn readiness_waits_for_its_probe_and_follows_it() {
    let mut world = World::up(&["a"]);
    world.pod.status = PodStatus::default();
    world.pod.spec.containers[0].readiness_probe =
        Some(Probe { initial_delay_seconds: 5, ..mk_probe(10, 2) });
    let plan = world.plan();
    assert_eq!((plan.actions, plan.wake_at), (vec![], Some(at(5))));
    assert_eq!(world.condition("Ready").0, "False");
    assert_eq!((world.first().started, world.state()), (Some(true), "running".to_owned()));
    world.now = at(5);
    assert_eq!(world.actions(), [probe("a-0", Readiness)]);
    world.begin(probe("a-0", Readiness));
    assert_eq!(world.actions(), [], "never twice at once");
    world.in_flight.clear();
    found(&mut world, "a-0", Readiness, Some(true));
    assert_eq!(world.condition("Ready").0, "True");
    assert_eq!(world.plan().wake_at, Some(at(15)));
    world.now = at(15);
    found(&mut world, "a-0", Readiness, Some(false));
    assert!(world.first().ready, "once is not enough");
    world.now = at(25);
    found(&mut world, "a-0", Readiness, Some(false));
    assert!(!world.first().ready);
    assert_eq!(world.actions(), [], "and it goes on running");
    world.now = at(35);
    found(&mut world, "a-0", Readiness, Some(true));
    assert!(world.first().ready);
}

#[test]
fn a_container_that_is_not_alive_is_killed_and_started_again() {
    let mut world = World::up(&["a", "b"]);
    world.pod.spec.containers[0].liveness_probe = Some(mk_probe(10, 2));
    world.now = at(10);
    found(&mut world, "a-0", Liveness, Some(false));
    assert_eq!(world.actions(), []);
    world.now = at(20);
    found(&mut world, "a-0", Liveness, Some(false));
    let kill = stop("a-0", 50, StopReason::Unhealthy(Liveness));
    assert_eq!(world.actions(), std::slice::from_ref(&kill));
    world.memory.stopping.insert("a-0".to_owned(), at(50));
    world.begin(kill);
    world.now = at(30);
    assert_eq!(world.actions(), [], "it is not asked again, and its time is not extended");
    world.in_flight.clear();
    world.set("a-0", exited(0, 0, 31));
    world.now = at(31);
    world.got_image("a");
    assert_eq!(world.actions(), [start_after("a", 1, Some(10))]);
    world.pod.spec.restart_policy = "OnFailure".to_owned();
    assert_eq!(world.actions(), [start_after("a", 1, Some(10))], "whatever code it ended with");
    world.pod.spec.restart_policy = "Never".to_owned();
    assert_eq!(world.actions(), []);
}

#[test]
fn a_probe_may_have_a_grace_of_its_own() {
    let mut world = World::up(&["a"]);
    let mut probe = mk_probe(10, 1);
    probe.termination_grace_period_seconds = Some(3);
    world.pod.spec.containers[0].liveness_probe = Some(probe);
    found(&mut world, "a-0", Liveness, Some(false));
    assert_eq!(world.actions(), [stop("a-0", 3, StopReason::Unhealthy(Liveness))]);
}

#[test]
fn the_other_probes_wait_for_startup() {
    let mut world = World::up(&["a"]);
    world.pod.status = PodStatus::default();
    let container = &mut world.pod.spec.containers[0];
    container.startup_probe = Some(mk_probe(1, 3));
    container.liveness_probe = Some(mk_probe(10, 3));
    container.readiness_probe = Some(mk_probe(10, 3));
    assert_eq!(world.actions(), [probe("a-0", Startup)]);
    assert_eq!((world.first().started, world.first().ready), (Some(false), false));
    found(&mut world, "a-0", Startup, Some(true));
    assert_eq!(
        world.actions(),
        [probe("a-0", Liveness), probe("a-0", Readiness)],
        "at once, and startup no more"
    );
    assert_eq!((world.first().started, world.first().ready), (Some(true), false));
    let mut failing = World::up(&["a"]);
    failing.pod.status = PodStatus::default();
    failing.pod.spec.containers[0].startup_probe = Some(mk_probe(1, 1));
    found(&mut failing, "a-0", Startup, Some(false));
    assert_eq!(failing.actions(), [stop("a-0", 30, StopReason::Unhealthy(Startup))]);
}

#[test]
fn a_restarted_kubelet_remembers_by_the_status_what_it_found() {
    let mut world = World::up(&["a"]);
    let container = &mut world.pod.spec.containers[0];
    container.startup_probe = Some(mk_probe(1, 3));
    container.readiness_probe = Some(mk_probe(10, 3));
    assert!(world.first().ready, "as it was");
    assert_eq!(world.first().started, Some(true));
    world.set("a-0", exited(1, 0, 1));
    world.add("a", 1, running(2));
    assert_eq!(
        (world.first().ready, world.first().started),
        (false, Some(false)),
        "another instance starts anew"
    );
}

#[test]
fn while_a_pod_ends_only_readiness_is_looked_at() {
    let mut world = World::up(&["a"]);
    let container = &mut world.pod.spec.containers[0];
    container.liveness_probe = Some(mk_probe(1, 1));
    container.readiness_probe = Some(mk_probe(1, 1));
    world.begin(probe("a-0", Liveness));
    delete(&mut world, 0, 30);
    let plan = world.plan();
    assert_eq!(plan.cancel, [Key::Probe("a-0".to_owned(), Liveness)]);
    assert_eq!(plan.actions, [stop("a-0", 30, StopReason::PodEnds), probe("a-0", Readiness)]);
}

#[test]
fn a_check_of_what_runs_no_more_is_given_up() {
    let mut world = World::up(&["a"]);
    world.pod.spec.containers[0].liveness_probe = Some(mk_probe(1, 1));
    world.begin(probe("a-0", Liveness));
    world.set("a-0", exited(0, 0, 1));
    assert_eq!(world.plan().cancel, [Key::Probe("a-0".to_owned(), Liveness)]);
}

#[test]
fn a_clock_that_is_set_back_stops_no_probe() {
    let mut world = World::up(&["a"]);
    world.pod.spec.containers[0].liveness_probe = Some(mk_probe(10, 3));
    world.now = at(5000);
    found(&mut world, "a-0", Liveness, Some(true));
    world.now = at(100);
    assert_eq!(world.actions(), [probe("a-0", Liveness)]);
}

#[test]
fn a_sidecar_lets_the_others_begin_when_it_has_started() {
    let mut world = World::ready(&["a"]);
    let sidecar = Container {
        restart_policy: Some("Always".to_owned()),
        startup_probe: Some(mk_probe(1, 3)),
        ..mk_container("s")
    };
    world.pod.spec.init_containers = vec![sidecar];
    world.add("s", 0, running(0));
    assert_eq!(world.actions(), [probe("s-0", Startup)]);
    assert_eq!(world.condition("Initialized").0, "False");
    found(&mut world, "s-0", Startup, Some(true));
    assert_eq!(world.actions(), [start("a", 0)]);
    assert_eq!(world.condition("Initialized").0, "True");
}
