use super::*;

fn ending(id: &str, deadline: i64) -> Action {
    stop(id, deadline, StopReason::PodEnds)
}

#[test]
fn a_deleted_pod_goes_down_in_order() {
    let mut world = World::up(&["a", "b"]);
    world.now = at(100);
    delete(&mut world, 100, 30);
    assert_eq!(world.actions(), [ending("a-0", 130), ending("b-0", 130)]);
    world.set("a-0", exited(143, 0, 101));
    world.begin(ending("b-0", 130));
    assert_eq!(world.actions(), [], "infra serves while anything runs");
    world.in_flight.clear();
    world.set("b-0", exited(0, 0, 102));
    assert_eq!(world.actions(), [ending("POD-0", 100)], "and needs no grace");
    world.set("POD-0", exited(0, 0, 103));
    assert_eq!(world.actions(), [], "first api hears how it ended");
    let status = world.report();
    assert_eq!(status.phase, "Failed");
    assert_eq!(status.pod_ip, "10.1.0.2");
    assert_eq!(world.state(), "terminated:Error");
    assert_eq!(world.actions(), [removal("POD-0"), removal("a-0"), removal("b-0")]);
    world.remove("POD-0");
    world.remove("a-0");
    assert_eq!(world.status(), world.pod.status, "what is removed is not forgotten");
    world.remove("b-0");
    assert_eq!(world.actions(), [Action::Teardown]);
    world.memory.torn_down = true;
    assert_eq!(world.actions(), [Action::ConfirmDeletion]);
    world.memory.confirmed = true;
    let plan = world.plan();
    assert_eq!((plan.actions, plan.finished), (vec![], false), "a finalizer may hold it");
    world.gone = true;
    assert!(world.plan().finished);
}

#[test]
fn a_pod_that_never_began_is_gone_at_once() {
    let mut world = World::new(&["a"]);
    world.report();
    delete(&mut world, 0, 30);
    world.report();
    assert_eq!(world.actions(), [Action::Teardown]);
    assert_eq!(world.status().phase, "Pending");
}

#[test]
fn a_pull_is_given_up_and_a_start_is_waited_for() {
    let mut world = World::new(&["a", "b"]);
    world.begin(image_of("a"));
    world.begin(Action::StartInfra { attempt: 0 });
    delete(&mut world, 0, 30);
    world.report();
    let plan = world.plan();
    assert_eq!(plan.cancel, [Key::Container("a".to_owned())]);
    assert_eq!(plan.actions, []);
    world.in_flight.clear();
    world.add(INFRA, 0, running(0));
    assert_eq!(world.actions(), [ending("POD-0", 0)]);
}

#[test]
fn grace_is_what_is_left_of_it() {
    let table = [
        // asked at, grace, now, deadline
        ("just now", 100, 30, 100, 130),
        ("a while ago", 100, 30, 120, 130),
        ("too long ago", 100, 30, 500, 500),
        ("without grace", 100, 0, 100, 100),
        ("by a clock that is ahead", 900, 30, 100, 130),
    ];
    for (name, asked, grace, now, deadline) in table {
        let mut world = World::up(&["a"]);
        delete(&mut world, asked, grace);
        world.now = at(now);
        assert_eq!(world.actions(), [ending("a-0", deadline)], "{name}");
    }
}

#[test]
fn a_shorter_grace_overtakes_a_longer_one() {
    let mut world = World::up(&["a"]);
    delete(&mut world, 0, 30);
    world.begin(ending("a-0", 30));
    assert_eq!(world.actions(), []);
    delete(&mut world, 0, 5);
    assert_eq!(world.actions(), [ending("a-0", 5)]);
}

#[test]
fn a_pod_that_vanished_from_api_has_its_grace() {
    let mut world = World::up(&["a"]);
    world.gone = true;
    world.now = at(50);
    world.memory.gone_since = Some(at(40));
    assert_eq!(world.actions(), [ending("a-0", 70)]);
    world.set("a-0", exited(0, 0, 51));
    world.set("POD-0", exited(0, 0, 51));
    assert_eq!(world.actions(), [removal("POD-0"), removal("a-0")], "there is nobody to tell");
}

#[test]
fn a_pod_that_was_deleted_by_force_has_none() {
    let mut world = World::up(&["a"]);
    world.pod.metadata.deletion_grace_period_seconds = Some(0);
    world.gone = true;
    world.now = at(50);
    world.memory.gone_since = Some(at(50));
    assert_eq!(world.actions(), [ending("a-0", 50)]);
}

#[test]
fn containers_of_no_known_pod_are_taken_down() {
    let mut world = World::up(&["a"]);
    world.known = false;
    world.gone = true;
    world.now = at(50);
    world.memory = Memory { gone_since: Some(at(50)), ..Memory::default() };
    let plan = world.plan();
    assert_eq!(plan.status, None);
    assert_eq!(plan.actions, [ending("a-0", 80)], "with the grace of their labels");
    world.set("a-0", exited(0, 0, 51));
    assert_eq!(world.actions(), [ending("POD-0", 50)]);
    world.remove("POD-0");
    assert_eq!(world.actions(), [removal("a-0")]);
    world.remove("a-0");
    assert_eq!(world.actions(), [Action::Teardown]);
    world.memory.torn_down = true;
    assert!(world.plan().finished);
}

#[test]
fn a_status_that_api_refuses_holds_nothing_up() {
    let mut world = World::up(&["a"]);
    delete(&mut world, 0, 30);
    world.set("a-0", exited(0, 0, 1));
    world.set("POD-0", exited(0, 0, 1));
    assert_eq!(world.actions(), []);
    world.memory.status_refused = true;
    assert_eq!(world.actions(), [removal("POD-0"), removal("a-0")]);
}

#[test]
fn a_deleted_pod_is_not_restarted() {
    let mut world = World::up(&["a", "b"]);
    delete(&mut world, 0, 30);
    world.set("a-0", exited(1, 0, 1));
    assert_eq!(world.actions(), [ending("b-0", 30)]);
    assert_eq!(world.state(), "terminated:Error");
}
