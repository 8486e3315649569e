use super::*;

#[test]
fn a_crashing_container_waits_longer_each_time() {
    let mut world = World::up(&["a"]);
    world.now = at(5);
    world.set("a-0", exited(3, 0, 5));
    assert_eq!(world.actions(), [image_of("a")], "the first time at once");
    assert_eq!(world.state(), "terminated:Error");
    assert_eq!(world.status().phase, "Running");
    world.got_image("a");
    assert_eq!(world.actions(), [start_after("a", 1, Some(10))]);
    world.memory.restarted("a", Duration::from_secs(10));
    world.memory.images.clear();
    world.add("a", 1, exited(3, 6, 8));
    world.now = at(8);
    let plan = world.plan();
    assert_eq!((plan.actions, plan.wake_at), (vec![], Some(at(18))));
    let first = world.first();
    let waiting = first.state.waiting.unwrap();
    assert_eq!(waiting.reason, "CrashLoopBackOff");
    assert_eq!(waiting.message, "back-off 10s restarting failed container=a pod=p_ns(u)");
    assert_eq!(first.last_state.terminated.unwrap().exit_code, 3);
    assert_eq!(first.restart_count, 1);
    assert_eq!(world.status().phase, "Running");
    assert_eq!(world.condition("Ready").0, "False");
    world.now = at(18);
    world.got_image("a");
    assert_eq!(world.actions(), [start_after("a", 2, Some(20))]);
}

#[test]
fn ten_good_minutes_are_a_new_beginning() {
    let mut world = World::up(&["a"]);
    world.memory.restarted("a", Duration::from_secs(300));
    world.got_image("a");
    world.set("a-0", exited(1, 0, 600));
    world.now = at(600);
    assert_eq!(world.actions(), [start_after("a", 1, Some(10))]);
}

#[test]
fn policy_decides_what_an_end_means() {
    let table = [
        // policy, exit code, phase, state, runs again
        ("Always", 0, "Running", "terminated:Completed", true),
        ("Always", 1, "Running", "terminated:Error", true),
        ("OnFailure", 0, "Succeeded", "terminated:Completed", false),
        ("OnFailure", 1, "Running", "terminated:Error", true),
        ("Never", 0, "Succeeded", "terminated:Completed", false),
        ("Never", 1, "Failed", "terminated:Error", false),
    ];
    for (policy, code, phase, state, again) in table {
        let mut world = World::up(&["a"]);
        world.pod.spec.restart_policy = policy.to_owned();
        world.now = at(5);
        world.set("a-0", exited(code, 0, 5));
        assert_eq!(world.status().phase, phase, "{policy} {code}");
        assert_eq!(world.state(), state, "{policy} {code}");
        let expected = if again { image_of("a") } else { stop("POD-0", 5, StopReason::PodEnds) };
        assert_eq!(world.actions(), [expected], "{policy} {code}");
        if !again {
            world.set("POD-0", exited(0, 0, 6));
            world.report();
            world.now = at(99);
            assert_eq!(world.status(), world.pod.status, "{policy} {code}: the end is the end");
            assert_eq!(world.actions(), [], "{policy} {code}: its dead stay for their logs");
        }
    }
}

#[test]
fn a_pod_ends_when_its_last_container_does() {
    let mut world = World::up(&["a", "b"]);
    world.pod.spec.restart_policy = "Never".to_owned();
    world.set("a-0", exited(1, 0, 5));
    assert_eq!(world.status().phase, "Running");
    world.set("b-0", exited(0, 0, 5));
    assert_eq!(world.status().phase, "Failed");
}

#[test]
fn reasons_of_an_end() {
    let exit = |code, oom_killed, error: &str| {
        ContainerState::Exited(Exit {
            started_at: None,
            finished_at: at(1),
            code,
            oom_killed,
            error: error.to_owned(),
        })
    };
    let table = [
        (exit(137, true, ""), "terminated:OOMKilled"),
        (exit(127, false, "no such program"), "terminated:ContainerCannotRun"),
        (exit(2, false, ""), "terminated:Error"),
        (exit(0, false, ""), "terminated:Completed"),
    ];
    for (state, expected) in table {
        let mut world = World::up(&["a"]);
        world.now = at(2);
        world.set("a-0", state);
        world.memory.messages.insert("a-0".to_owned(), "last words".to_owned());
        assert_eq!(world.state(), expected);
        assert_eq!(world.first().state.terminated.unwrap().message, "last words");
    }
}

#[test]
fn failures_are_shown_and_tried_again() {
    let table = [
        // kind, at once, a little later
        (SetbackKind::Pull, "waiting:ErrImagePull", "waiting:ImagePullBackOff"),
        (SetbackKind::NeverPull, "waiting:ErrImageNeverPull", "waiting:ErrImageNeverPull"),
        (SetbackKind::ImageName, "waiting:InvalidImageName", "waiting:InvalidImageName"),
        (SetbackKind::Config, "waiting:CreateContainerConfigError", "waiting:CreateContainerConfigError"),
        (SetbackKind::Create, "waiting:CreateContainerError", "waiting:CreateContainerError"),
    ];
    for (kind, first, then) in table {
        let mut world = World::ready(&["a"]);
        world.memory.images.clear();
        world.memory.failed("a", kind, "why".to_owned(), at(0));
        let plan = world.plan();
        assert_eq!((plan.actions, plan.wake_at), (vec![], Some(at(2))), "{kind:?}");
        assert_eq!(world.state(), first);
        world.now = at(2);
        assert_eq!(world.plan().wake_at, Some(at(10)), "{kind:?}");
        assert_eq!(world.state(), then);
        world.now = at(10);
        assert_eq!(world.actions(), [image_of("a")], "{kind:?}");
        world.memory.failed("a", kind, "why".to_owned(), at(10));
        assert_eq!(world.memory.setbacks["a"].delay, Duration::from_secs(20), "{kind:?}");
    }
}

#[test]
fn an_infra_container_that_fails_is_tried_again() {
    let mut world = World::new(&["a"]);
    world.memory.failed(INFRA, SetbackKind::Create, "port in use".to_owned(), at(0));
    assert!(!world.actions().contains(&Action::StartInfra { attempt: 0 }));
    assert_eq!(world.plan().wake_at, Some(at(10)));
    assert_eq!(world.first().state.waiting.unwrap().message, "port in use");
    world.now = at(10);
    assert!(world.actions().contains(&Action::StartInfra { attempt: 0 }));
}

#[test]
fn what_the_runtime_forgot_is_counted_on() {
    let mut world = World::up(&["a"]);
    world.pod.status.container_statuses[0].restart_count = 4;
    world.observed.clear();
    world.got_image("a");
    assert_eq!(world.actions(), [Action::StartInfra { attempt: 0 }]);
    assert_eq!(world.first().restart_count, 4);
    assert_eq!(world.state(), "terminated:ContainerStatusUnknown");
    assert_eq!(world.status().phase, "Running", "it is between two runs");
    world.add(INFRA, 0, running(0));
    assert_eq!(world.actions(), [start("a", 5)]);
}

#[test]
fn what_the_runtime_forgot_is_not_run_twice_if_once_was_all() {
    for (policy, code, phase) in [("Never", 1, "Failed"), ("OnFailure", 0, "Succeeded")] {
        let mut world = World::up(&["a", "b"]);
        world.pod.spec.restart_policy = policy.to_owned();
        world.set("a-0", exited(code, 0, 5));
        world.report();
        world.observed.clear();
        world.add(INFRA, 0, running(0));
        world.add("b", 0, exited(0, 0, 6));
        assert_eq!(world.status().phase, phase);
        assert_eq!(world.first().state.terminated.unwrap().exit_code, code);
    }
    let mut world = World::up(&["a"]);
    world.pod.spec.restart_policy = "Never".to_owned();
    world.observed.clear();
    assert_eq!(world.status().phase, "Failed");
    assert_eq!(world.state(), "terminated:ContainerStatusUnknown");
}
