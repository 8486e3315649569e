use keelson_proto::core::{ExecAction, Lifecycle, LifecycleHandler};

use super::*;

fn hook() -> Option<LifecycleHandler> {
    let exec = ExecAction { command: vec!["true".to_owned()] };
    Some(LifecycleHandler { exec: Some(exec), ..LifecycleHandler::default() })
}

fn with_post_start(world: &mut World, index: usize) {
    let lifecycle = Lifecycle { post_start: hook(), ..Lifecycle::default() };
    world.pod.spec.containers[index].lifecycle = Some(lifecycle);
}

fn with_pre_stop(container: &mut Container) {
    container.lifecycle = Some(Lifecycle { pre_stop: hook(), ..Lifecycle::default() });
}

fn post_start(id: &str) -> Action {
    Action::PostStart { id: id.to_owned(), container: id.rsplit_once('-').unwrap().0.to_owned() }
}

fn pre_stop(id: &str, deadline: i64, reason: StopReason) -> Action {
    let container = id.rsplit_once('-').unwrap().0.to_owned();
    Action::PreStop { id: id.to_owned(), container, deadline: at(deadline), reason }
}

#[test]
fn nothing_follows_a_start_before_its_hook_has_ended() {
    let mut world = World::ready(&["a", "b"]);
    with_post_start(&mut world, 0);
    world.memory.images.remove("a");
    world.add("a", 0, running(1));
    assert_eq!(world.actions(), [post_start("a-0")]);
    assert_eq!(world.state(), "waiting:ContainerCreating");
    assert_eq!(world.status().phase, "Pending");
    world.begin(post_start("a-0"));
    assert_eq!(world.actions(), []);
    world.in_flight.clear();
    world.memory.post_starts.insert("a-0".to_owned(), true);
    assert_eq!(world.actions(), [start("b", 0)]);
    assert_eq!(world.state(), "running");
}

#[test]
fn a_container_whose_hook_failed_is_killed() {
    let mut world = World::ready(&["a"]);
    with_post_start(&mut world, 0);
    world.memory.images.clear();
    world.add("a", 0, running(0));
    world.memory.post_starts.insert("a-0".to_owned(), false);
    assert_eq!(world.actions(), [stop("a-0", 30, StopReason::PostStartFailed)]);
    world.set("a-0", exited(0, 0, 1));
    world.now = at(1);
    world.pod.spec.restart_policy = "OnFailure".to_owned();
    assert_eq!(world.actions(), [image_of("a")], "whatever code it ended with");
}

#[test]
fn a_hook_that_was_not_seen_to_end_runs_again_and_one_that_was_does_not() {
    let mut world = World::up(&["a"]);
    with_post_start(&mut world, 0);
    assert_eq!(world.actions(), [], "api knows it as running");
    world.pod.status = PodStatus::default();
    assert_eq!(world.actions(), [post_start("a-0")], "nobody was told that it runs");
}

#[test]
fn a_stop_waits_for_its_hook() {
    let mut world = World::up(&["a", "b"]);
    with_pre_stop(&mut world.pod.spec.containers[0]);
    delete(&mut world, 0, 30);
    let (hook, other) = (pre_stop("a-0", 30, StopReason::PodEnds), stop("b-0", 30, StopReason::PodEnds));
    assert_eq!(world.actions(), [hook.clone(), other.clone()]);
    world.begin(hook);
    world.begin(other);
    world.memory.stopping = [("a-0".to_owned(), at(30)), ("b-0".to_owned(), at(30))].into();
    let plan = world.plan();
    assert_eq!((plan.actions, plan.wake_at), (vec![], Some(at(30))));
    world.in_flight.remove(&Key::PreStop("a-0".to_owned()));
    world.now = at(10);
    world.memory.pre_stops.insert("a-0".to_owned(), at(10));
    assert_eq!(world.actions(), [stop("a-0", 30, StopReason::PodEnds)], "it counts within the grace");
    world.now = at(30);
    world.memory.pre_stops.insert("a-0".to_owned(), at(30));
    assert_eq!(world.actions(), [stop("a-0", 32, StopReason::PodEnds)], "and two seconds are always left");
}

#[test]
fn a_hook_whose_time_is_over_is_given_up() {
    let mut world = World::up(&["a"]);
    with_pre_stop(&mut world.pod.spec.containers[0]);
    delete(&mut world, 0, 30);
    world.begin(pre_stop("a-0", 30, StopReason::PodEnds));
    world.memory.stopping.insert("a-0".to_owned(), at(30));
    delete(&mut world, 0, 5);
    assert_eq!(world.plan().wake_at, Some(at(5)), "a shorter grace holds for the hook, too");
    world.now = at(5);
    let plan = world.plan();
    assert_eq!(plan.cancel, [Key::PreStop("a-0".to_owned())]);
    assert_eq!(plan.actions, [stop("a-0", 7, StopReason::PodEnds)]);
    world.in_flight.clear();
    world.begin(stop("a-0", 7, StopReason::PodEnds));
    world.memory.pre_stops.insert("a-0".to_owned(), at(5));
    world.now = at(6);
    assert_eq!(world.actions(), []);
}

#[test]
fn without_grace_there_is_no_hook() {
    let mut world = World::up(&["a"]);
    with_pre_stop(&mut world.pod.spec.containers[0]);
    delete(&mut world, 0, 0);
    assert_eq!(world.actions(), [stop("a-0", 0, StopReason::PodEnds)]);
}

#[test]
fn a_changed_container_has_its_hook_as_well() {
    let mut world = World::up(&["a"]);
    with_pre_stop(&mut world.pod.spec.containers[0]);
    world.pod.spec.containers[0].image = "a:2".to_owned();
    assert_eq!(world.actions(), [pre_stop("a-0", 30, StopReason::SpecChanged)]);
}

#[test]
fn sidecars_go_last_in_the_reverse_of_their_order() {
    let mut world = World::ready(&["a"]);
    let sidecar = |name| Container { restart_policy: Some("Always".to_owned()), ..mk_container(name) };
    world.pod.spec.init_containers = vec![sidecar("s"), sidecar("t")];
    for name in ["s", "t", "a"] {
        world.add(name, 0, running(0));
    }
    world.report();
    delete(&mut world, 0, 30);
    let end = |name| stop(name, 30, StopReason::PodEnds);
    let plan = world.plan();
    assert_eq!((plan.actions, plan.wake_at), (vec![end("a-0")], Some(at(30))));
    world.set("a-0", exited(0, 0, 1));
    assert_eq!(world.actions(), [end("t-0")]);
    world.set("t-0", exited(0, 0, 1));
    assert_eq!(world.actions(), [end("s-0")]);
    world.set("t-0", running(0));
    world.set("a-0", running(0));
    world.now = at(30);
    let mut all = world.actions();
    all.sort_by_key(Action::key);
    assert_eq!(all, [end("a-0"), end("s-0"), end("t-0")], "nobody waits beyond the grace");
}

#[test]
fn sidecars_do_not_keep_a_job_from_ending() {
    let mut world = World::up(&["a"]);
    world.pod.spec.restart_policy = "Never".to_owned();
    world.pod.spec.init_containers =
        vec![Container { restart_policy: Some("Always".to_owned()), ..mk_container("s") }];
    world.add("s", 0, running(0));
    world.set("a-0", exited(0, 0, 9));
    world.now = at(9);
    assert_eq!(world.actions(), [stop("s-0", 39, StopReason::PodEnds)]);
    assert_eq!(world.status().phase, "Running", "what it has taken is not free yet");
    world.set("s-0", exited(143, 0, 10));
    assert_eq!(world.status().phase, "Succeeded", "however the sidecar ended");
}
