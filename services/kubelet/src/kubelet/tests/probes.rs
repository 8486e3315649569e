use keelson_proto::core::{ExecAction, Lifecycle, LifecycleHandler, Probe, ProbeHandler, SleepAction};

use super::*;

fn exec(word: &str) -> ExecAction {
    ExecAction { command: vec![word.to_owned()] }
}

/// A probe every second that runs `word`.
fn mk_probe(word: &str, failures: i32) -> Option<Probe> {
    Some(Probe {
        handler: ProbeHandler { exec: Some(exec(word)), ..ProbeHandler::default() },
        period_seconds: 1,
        timeout_seconds: 1,
        success_threshold: 1,
        failure_threshold: failures,
        ..Probe::default()
    })
}

fn mk_hook(word: &str) -> Option<LifecycleHandler> {
    Some(LifecycleHandler { exec: Some(exec(word)), ..LifecycleHandler::default() })
}

fn refused() -> RuntimeError {
    RuntimeError::Refused { operation: "run command", message: "not now".to_owned() }
}

fn message_of(node: &TestNode, reason: &str) -> String {
    let event = node.api.list::<Event>().into_iter().find(|event| event.reason == reason);
    event.map(|event| event.message).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_not_alive_is_restarted() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "web:1");
    pod.spec.containers[0].liveness_probe = mk_probe("exit:7", 3);
    node.bind(&pod);
    node.bind(&mk_pod("web-2", "web:1"));
    eventually("it runs", || node.is_ready("web") && node.is_ready("web-2")).await;
    let begin = node.clock.now();
    eventually("it was restarted", || node.status("web").unwrap().restart_count == 1).await;
    let took = node.clock.now().as_second() - begin.as_second();
    assert!((1..=4).contains(&took), "{took}");
    let last = node.status("web").unwrap().last_state.terminated.unwrap();
    assert_eq!((last.exit_code, last.reason.as_str()), (143, "Error"));
    eventually("it is told", || node.events().contains_key("Killing")).await;
    assert_eq!(message_of(&node, "Killing"), "Container main failed liveness probe, will be restarted");
    assert!(message_of(&node, "Unhealthy").starts_with("Liveness probe failed: "));
    eventually("it waits ever longer", || node.waiting("web") == "CrashLoopBackOff").await;
    assert_eq!(
        node.status("web-2").unwrap().restart_count,
        0,
        "another pod with a similar name is left alone"
    );
}

#[tokio::test(start_paused = true)]
async fn readiness_comes_and_goes_without_a_restart() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "web:1");
    pod.spec.containers[0].readiness_probe = mk_probe("exit:0", 2);
    node.run(&pod).await;
    node.runtime.fail(Call::Exec, refused());
    node.runtime.fail(Call::Exec, refused());
    eventually("it is not ready", || !node.is_ready("web")).await;
    eventually("it is ready again", || node.is_ready("web")).await;
    assert_eq!(node.status("web").unwrap().restart_count, 0);
    assert!(message_of(&node, "Unhealthy").starts_with("Readiness probe failed: "));
    let writes = node.api.count("Pods/UpdateStatus");
    pass(60).await;
    assert_eq!(node.api.count("Pods/UpdateStatus"), writes, "what finds nothing new writes nothing");
}

#[tokio::test(start_paused = true)]
async fn a_hung_probe_fails_in_its_time_and_holds_nothing_up() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "web:1");
    pod.spec.containers[0].readiness_probe = mk_probe("hang", 1);
    node.bind(&pod);
    eventually("it is told", || message_of(&node, "Unhealthy").contains("timed out")).await;
    assert!(!node.is_ready("web"));
    node.delete_pod("web", 30);
    let begin = node.clock.now();
    eventually("it is gone", || node.pod("web").is_none()).await;
    assert!(node.clock.now().as_second() - begin.as_second() <= 2);
}

#[tokio::test(start_paused = true)]
async fn liveness_waits_for_startup() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "web:1");
    pod.spec.containers[0].startup_probe = mk_probe("exit:0", 100);
    pod.spec.containers[0].liveness_probe = mk_probe("exit:0", 1);
    for _ in 0..20 {
        node.runtime.fail(Call::Exec, refused());
    }
    node.bind(&pod);
    eventually("it runs", || node.phase("web") == "Running").await;
    assert_eq!(node.status("web").unwrap().started, Some(false));
    eventually("it is ready", || node.is_ready("web")).await;
    pass(60).await;
    assert_eq!(node.status("web").unwrap().restart_count, 0, "no failure of startup was one of liveness");
}

#[tokio::test(start_paused = true)]
async fn a_container_runs_when_its_hook_has_ended() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "web:1");
    let lifecycle = Lifecycle { post_start: mk_hook("exit:0:5"), ..Lifecycle::default() };
    pod.spec.containers[0].lifecycle = Some(lifecycle);
    node.bind(&pod);
    eventually("it was started", || node.app("main").is_some()).await;
    pass(4).await;
    assert_eq!((node.phase("web").as_str(), node.waiting("web").as_str()), ("Pending", "ContainerCreating"));
    eventually("it runs", || node.is_ready("web")).await;
    assert_eq!(node.runtime.count(Call::Exec), 1);
}

#[tokio::test(start_paused = true)]
async fn a_container_whose_hook_fails_is_killed() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "web:1");
    let lifecycle = Lifecycle { post_start: mk_hook("exit:1"), ..Lifecycle::default() };
    pod.spec.containers[0].lifecycle = Some(lifecycle);
    node.bind(&pod);
    eventually("it waits", || node.waiting("web") == "CrashLoopBackOff").await;
    eventually("it is told", || node.events().contains_key("FailedPostStartHook")).await;
    assert_eq!(message_of(&node, "Killing"), "FailedPostStartHook");
    assert!(!node.is_ready("web"));
    node.delete_pod("web", 1);
    eventually("it is gone", || node.pod("web").is_none() && node.hollow.containers().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_runs_before_the_stop_and_within_its_grace() {
    let node = TestNode::new().await;
    for (name, hook, expected) in
        [("quick", "exit:0:5", 5..=6), ("failing", "exit:1", 0..=1), ("hung", "hang", 20..=21)]
    {
        let mut pod = mk_pod(name, "web:1");
        let lifecycle = Lifecycle { pre_stop: mk_hook(hook), ..Lifecycle::default() };
        pod.spec.containers[0].lifecycle = Some(lifecycle);
        node.run(&pod).await;
        let begin = node.clock.now();
        node.delete_pod(name, 20);
        eventually("its main program is gone", || node.app("main").is_none()).await;
        let took = node.clock.now().as_second() - begin.as_second();
        assert!(expected.contains(&took), "{name}: {took}");
        eventually("it is gone", || node.pod(name).is_none()).await;
    }
    eventually("it is told", || node.events().contains_key("FailedPreStopHook")).await;
    assert_eq!(node.events()["Killing"], 3, "each is told once");
}

#[tokio::test(start_paused = true)]
async fn a_shorter_grace_ends_a_hook_that_sleeps() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "stubborn:1");
    let sleep = LifecycleHandler { sleep: Some(SleepAction { seconds: 100 }), ..LifecycleHandler::default() };
    pod.spec.containers[0].lifecycle = Some(Lifecycle { pre_stop: Some(sleep), ..Lifecycle::default() });
    node.run(&pod).await;
    node.delete_pod("web", 300);
    pass(5).await;
    let begin = node.clock.now();
    node.delete_pod("web", 3);
    eventually("it is gone", || node.pod("web").is_none()).await;
    let took = node.clock.now().as_second() - begin.as_second();
    assert!((4..=6).contains(&took), "three seconds, and two after the hook: {took}");
}

#[tokio::test(start_paused = true)]
async fn probes_and_hooks_survive_a_kill_at_any_moment() {
    for moment in 0..14 {
        let mut node = TestNode::without_kubelet();
        for index in 0..2 {
            let mut pod = mk_pod(&format!("p{index}"), "web:1");
            let container = &mut pod.spec.containers[0];
            container.startup_probe = mk_probe("exit:0", 3);
            container.readiness_probe = mk_probe("exit:0", 3);
            container.liveness_probe = mk_probe("exit:0", 3);
            let (post_start, pre_stop) = (mk_hook("exit:0:1"), mk_hook("exit:0:1"));
            container.lifecycle = Some(Lifecycle { post_start, pre_stop, ..Lifecycle::default() });
            node.bind(&pod);
        }
        node.start().await;
        tokio::time::sleep(Duration::from_millis(150 * moment)).await;
        for _ in 0..moment {
            tokio::task::yield_now().await;
        }
        // Not a graceful end: everything is dropped where it stands.
        node.kubelet = None;
        let _ = node.tasks.join(Duration::ZERO).await;
        node.start().await;
        eventually("all are ready", || node.is_ready("p0") && node.is_ready("p1")).await;
        pass(10).await;
        assert_eq!(node.running().len(), 4, "killed at moment {moment}");
        assert!((0..2).all(|index| node.status(&format!("p{index}")).unwrap().restart_count == 0));
        node.delete_pod("p0", 10);
        tokio::time::sleep(Duration::from_millis(150 * moment)).await;
        node.kubelet = None;
        let _ = node.tasks.join(Duration::ZERO).await;
        node.start().await;
        eventually("it is gone", || node.pod("p0").is_none() && node.running().len() == 2).await;
        assert!(node.is_ready("p1"));
    }
}
