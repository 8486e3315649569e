use super::*;

#[test]
fn a_new_pod_gets_volumes_infra_and_images_side_by_side() {
    let world = World::new(&["a", "b"]);
    let expected = [Action::MountVolumes, Action::StartInfra { attempt: 0 }, image_of("a"), image_of("b")];
    assert_eq!(world.actions(), expected);
    let status = world.status();
    assert_eq!(status.phase, "Pending");
    assert_eq!((status.host_ip.as_str(), status.pod_ip.as_str()), ("192.0.2.1", ""));
    assert_eq!(status.start_time, Some(at(0).into()));
    assert_eq!(world.state(), "waiting:ContainerCreating");
    assert_eq!(world.condition("PodScheduled").0, "True");
    assert_eq!(world.condition("Initialized").0, "True");
    assert_eq!(world.condition("Ready"), ("False".into(), "ContainersNotReady".into()));
}

#[test]
fn what_is_under_way_is_not_begun_again() {
    let mut world = World::new(&["a"]);
    for action in world.actions() {
        world.begin(action);
    }
    assert_eq!(world.actions(), []);
}

#[test]
fn containers_start_in_order_when_all_is_there() {
    let mut world = World::ready(&["a", "b"]);
    assert_eq!(world.actions(), [start("a", 0)]);
    world.begin(start("a", 0));
    assert_eq!(world.actions(), [], "one start at a time");
    world.in_flight.clear();
    world.memory.images.remove("a");
    world.add("a", 0, running(1));
    assert_eq!(world.actions(), [start("b", 0)]);
    world.memory.images.remove("b");
    world.add("b", 0, running(2));
    assert_eq!(world.actions(), []);
    let status = world.status();
    assert_eq!((status.phase.as_str(), status.pod_ip.as_str()), ("Running", "10.1.0.2"));
    assert_eq!(world.condition("Ready").0, "True");
    assert_eq!(world.condition("PodReadyToStartContainers").0, "True");
    let first = world.first();
    assert_eq!((first.ready, first.started, first.restart_count), (true, Some(true), 0));
    assert_eq!(first.container_id, "docker://a-0");
    assert_eq!(first.image_id, "docker://sha256:1");
}

#[test]
fn a_missing_image_holds_up_only_its_own_container() {
    let mut world = World::ready(&["a", "b"]);
    world.memory.images.remove("a");
    assert_eq!(world.actions(), [image_of("a"), start("b", 0)]);
}

#[test]
fn nothing_starts_without_volumes() {
    let mut world = World::ready(&["a"]);
    world.memory.volumes = VolumeState::Absent;
    assert_eq!(world.actions(), [Action::MountVolumes]);
    world.memory.failed(Memory::VOLUMES, SetbackKind::Volume, "no such volume".into(), at(0));
    let plan = world.plan();
    assert_eq!((plan.actions, plan.wake_at), (vec![], Some(at(10))));
    let waiting = world.first().state.waiting.unwrap();
    assert_eq!((waiting.reason.as_str(), waiting.message.as_str()), ("ContainerCreating", "no such volume"));
    world.now = at(10);
    assert_eq!(world.actions(), [Action::MountVolumes]);
}

#[test]
fn a_restarted_kubelet_finds_everything_as_it_was() {
    let mut world = World::up(&["a", "b"]);
    world.memory = Memory::default();
    world.now = at(100);
    assert_eq!(world.actions(), [Action::MountVolumes], "which changes nothing on disk");
    assert_eq!(world.status(), world.pod.status);
}

#[test]
fn a_container_that_was_made_and_not_started_is_removed_first() {
    let mut world = World::ready(&["a"]);
    world.add("a", 0, ContainerState::Created);
    assert_eq!(world.actions(), [removal("a-0")]);
    world.begin(removal("a-0"));
    assert_eq!(world.actions(), []);
    world.in_flight.clear();
    world.remove("a-0");
    assert_eq!(world.actions(), [start("a", 0)], "it never ran, so this is no restart");

    let mut world = World::new(&["a"]);
    world.add(INFRA, 0, ContainerState::Created);
    assert!(world.actions().contains(&removal("POD-0")));
    assert!(!world.actions().contains(&Action::StartInfra { attempt: 0 }));
}

#[test]
fn a_changed_image_replaces_the_container() {
    let mut world = World::up(&["a", "b"]);
    world.now = at(50);
    world.pod.spec.containers[0].image = "a:2".to_owned();
    assert_eq!(world.actions(), [stop("a-0", 80, StopReason::SpecChanged)]);
    world.begin(stop("a-0", 80, StopReason::SpecChanged));
    assert_eq!(world.actions(), []);
    world.in_flight.clear();
    world.set("a-0", exited(143, 0, 51));
    assert_eq!(world.actions(), [image_of("a")], "at once: it did not crash");
    world.got_image("a");
    assert_eq!(world.actions(), [start("a", 1)]);
    world.pod.spec.restart_policy = "Never".to_owned();
    assert_eq!(world.actions(), [start("a", 1)], "whatever the policy");
}

#[test]
fn a_lost_infra_container_takes_the_pod_with_it() {
    let mut world = World::up(&["a", "b"]);
    world.now = at(20);
    world.set("POD-0", exited(137, 0, 20));
    let lost = |id| stop(id, 50, StopReason::InfraLost);
    assert_eq!(world.actions(), [lost("a-0"), lost("b-0")]);
    world.now = at(21);
    world.set("a-0", exited(137, 0, 21));
    world.set("b-0", exited(137, 0, 21));
    world.memory.images.clear();
    assert_eq!(world.actions(), [Action::StartInfra { attempt: 1 }, image_of("a"), image_of("b")]);
    assert_eq!(world.status().pod_ip, "", "the old address is nobody's any more");
    world.add(INFRA, 1, running(22));
    world.got_image("a");
    let joined = Action::Start {
        container: "a".into(),
        attempt: 1,
        infra: "POD-1".into(),
        next_delay: Some(Duration::from_secs(10)),
    };
    assert_eq!(world.actions(), [joined, image_of("b"), removal("POD-0")]);
}

#[test]
fn a_container_that_joined_an_older_infra_container_is_stopped() {
    let mut world = World::up(&["a"]);
    world.set("POD-0", exited(137, 0, 5));
    world.now = at(6);
    world.add(INFRA, 1, running(6));
    assert!(world.actions().contains(&stop("a-0", 36, StopReason::InfraLost)));
}

#[test]
fn a_rejected_pod_fails_and_nothing_is_done() {
    let mut world = World::new(&["a"]);
    let (reason, message) = ("OutOfpods".to_owned(), "no room".to_owned());
    world.memory.rejection = Some(Rejection { reason, message });
    let plan = world.plan();
    assert_eq!(plan.actions, []);
    let status = plan.status.unwrap();
    assert_eq!((status.phase.as_str(), status.reason.as_str()), ("Failed", "OutOfpods"));
    assert_eq!(status.message, "Pod was rejected: no room");
}

#[test]
fn init_containers_take_turns() {
    let mut world = World::ready(&["a"]);
    world.pod.spec.init_containers = vec![mk_container("i"), mk_container("j")];
    world.got_image("i");
    assert_eq!(world.actions(), [start("i", 0)]);
    assert_eq!(world.state(), "waiting:PodInitializing");
    assert_eq!(world.condition("Initialized"), ("False".into(), "ContainersNotInitialized".into()));
    world.add("i", 0, running(1));
    assert_eq!(world.actions(), []);
    world.set("i-0", exited(0, 1, 2));
    assert_eq!(world.actions(), [image_of("j")]);
    world.add("j", 0, exited(0, 3, 4));
    assert_eq!(world.actions(), [start("a", 0)]);
    assert_eq!(world.condition("Initialized").0, "True");
    let init = world.status().init_container_statuses;
    assert!(init.iter().all(|status| status.ready));
    world.add("a", 0, running(5));
    world.remove("i-0");
    world.remove("j-0");
    world.memory.images.clear();
    assert_eq!(world.actions(), [], "they had their turn, whether or not anything is left of them");
    assert_eq!(world.status().phase, "Running");
}

#[test]
fn a_failed_init_container_is_tried_again_or_fails_the_pod() {
    let mut world = World::ready(&["a"]);
    world.pod.spec.init_containers = vec![mk_container("i")];
    world.add("i", 0, exited(1, 0, 1));
    world.now = at(2);
    assert_eq!(world.actions(), [image_of("i")]);
    assert_eq!(world.status().phase, "Pending");
    world.pod.spec.restart_policy = "Never".to_owned();
    assert_eq!(world.status().phase, "Failed");
    assert_eq!(world.actions(), [stop("POD-0", 2, StopReason::PodEnds)]);
}

#[test]
fn a_sidecar_lets_the_others_begin_and_is_kept_up() {
    let mut world = World::ready(&["a"]);
    let sidecar = Container { restart_policy: Some("Always".to_owned()), ..mk_container("s") };
    world.pod.spec.init_containers = vec![sidecar];
    world.got_image("s");
    assert_eq!(world.actions(), [start("s", 0)]);
    world.add("s", 0, running(1));
    assert_eq!(world.actions(), [start("a", 0)]);
    world.add("a", 0, running(2));
    world.set("s-0", exited(0, 1, 3));
    world.now = at(4);
    assert_eq!(world.actions(), [start_after("s", 1, Some(10))]);
}

#[test]
fn dead_containers_are_kept_for_their_logs_only_once() {
    let mut world = World::up(&["a"]);
    world.set("a-0", exited(1, 0, 1));
    world.add("a", 1, exited(1, 2, 3));
    world.add("a", 2, exited(1, 4, 5));
    world.add("a", 3, running(6));
    let mut actions = world.actions();
    actions.sort_by_key(Action::key);
    assert_eq!(actions, [removal("a-0"), removal("a-1")]);
    let first = world.first();
    assert_eq!(first.restart_count, 3);
    assert_eq!(first.last_state.terminated.unwrap().container_id, "docker://a-2");
}

#[test]
fn a_pod_whose_time_is_up_fails() {
    let mut world = World::up(&["a"]);
    world.pod.spec.active_deadline_seconds = Some(60);
    assert_eq!(world.plan().wake_at, Some(at(60)));
    world.now = at(60);
    let plan = world.plan();
    assert_eq!(plan.actions, [stop("a-0", 90, StopReason::PodEnds)]);
    assert_eq!(plan.status.unwrap().phase, "Running", "what it has taken is not free yet");
    world.set("a-0", exited(143, 0, 61));
    let status = world.status();
    assert_eq!((status.phase.as_str(), status.reason.as_str()), ("Failed", "DeadlineExceeded"));
    assert_eq!(world.condition("ContainersReady"), ("False".into(), "PodFailed".into()));
    assert_eq!(world.state(), "terminated:Error");
    world.report();
    world.memory = Memory::default();
    assert_eq!(world.actions(), [stop("POD-0", 60, StopReason::PodEnds)], "whatever is forgotten");
}

#[test]
fn an_evicted_pod_says_why() {
    let mut world = World::up(&["a"]);
    let message = "The node was low on resource: memory.".to_owned();
    world.memory.eviction = Some(Rejection { reason: "Evicted".to_owned(), message: message.clone() });
    assert_eq!(world.actions(), [stop("a-0", 1, StopReason::PodEnds)]);
    assert_eq!(world.condition("DisruptionTarget"), ("True".into(), "TerminationByKubelet".into()));
    world.set("a-0", exited(137, 0, 1));
    let status = world.status();
    assert_eq!((status.phase.as_str(), status.reason.as_str()), ("Failed", "Evicted"));
    assert_eq!(status.message, message);
}

#[test]
fn conditions_keep_the_time_of_their_last_change() {
    let mut world = World::up(&["a"]);
    let since = |world: &World, kind: &str| {
        let status = world.status();
        status.conditions.iter().find(|condition| condition.r#type == kind).unwrap().last_transition_time
    };
    world.now = at(30);
    assert_eq!(since(&world, "Ready"), Some(at(0).into()));
    world.set("a-0", exited(1, 0, 30));
    assert_eq!(since(&world, "Ready"), Some(at(30).into()));
    assert_eq!(since(&world, "PodScheduled"), Some(at(0).into()));
}

#[test]
fn readiness_gates_of_others_are_waited_for() {
    use keelson_proto::core::{PodCondition, PodReadinessGate};
    let mut world = World::up(&["a"]);
    world.pod.spec.readiness_gates = vec![PodReadinessGate { condition_type: "lb".to_owned() }];
    assert_eq!(world.condition("Ready"), ("False".into(), "ReadinessGatesNotReady".into()));
    assert_eq!(world.condition("ContainersReady").0, "True");
    let open = PodCondition { r#type: "lb".into(), status: "True".into(), ..PodCondition::default() };
    world.pod.status.conditions.push(open.clone());
    assert_eq!(world.condition("Ready").0, "True");
    assert!(world.status().conditions.contains(&open), "it is not ours to remove");
}
