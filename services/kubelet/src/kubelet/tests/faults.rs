use keelson_base_client::ApiError;

use super::*;

fn down() -> RuntimeError {
    RuntimeError::Unreachable { operation: "do it", message: "no socket".to_owned() }
}

fn ids(node: &TestNode) -> Vec<String> {
    let mut ids: Vec<_> = node.hollow.containers().into_iter().map(|container| container.id).collect();
    ids.sort();
    ids
}

#[tokio::test(start_paused = true)]
async fn a_restarted_kubelet_adopts_what_runs() {
    let mut node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    node.run(&mk_pod("db", "db:1")).await;
    let (before, status) = (ids(&node), node.pod("web").unwrap().status);
    node.stop().await;
    assert_eq!(ids(&node), before, "containers run on without their kubelet");
    node.start().await;
    pass(60).await;
    assert_eq!(ids(&node), before);
    assert_eq!(node.pod("web").unwrap().status, status);
}

#[tokio::test(start_paused = true)]
async fn what_happened_meanwhile_is_made_up_for() {
    let mut node = TestNode::new().await;
    for name in ["crashed", "deleted", "gone", "kept"] {
        node.run(&mk_pod(name, "web:1")).await;
    }
    node.stop().await;
    let of = |c: &ObservedContainer| c.identity.pod.name == "crashed" && c.identity.role == Role::App;
    let crashed = node.running().into_iter().find(of);
    node.hollow.end(&crashed.unwrap().id, 1);
    node.delete_pod("deleted", 5);
    node.api.remove(&node.pod("gone").unwrap());
    node.bind(&mk_pod("new", "web:1"));
    std::fs::create_dir_all(node.root.path().join("pods/left-over/volumes")).unwrap();
    node.start().await;
    eventually("the crashed one runs again", || {
        node.status("crashed").unwrap().restart_count == 1 && node.is_ready("crashed")
    })
    .await;
    eventually("the new one runs", || node.is_ready("new")).await;
    eventually("the deleted one is gone", || node.pod("deleted").is_none()).await;
    eventually("only three pods are left", || node.running().len() == 6 && node.pod_dirs() == 3).await;
}

#[tokio::test(start_paused = true)]
async fn no_container_is_there_twice_after_a_kill_at_any_moment() {
    for moment in 0..12 {
        let mut node = TestNode::without_kubelet();
        for index in 0..4 {
            node.bind(&mk_pod(&format!("p{index}"), "web:1"));
        }
        node.start().await;
        for _ in 0..moment * 3 {
            tokio::task::yield_now().await;
        }
        // Not a graceful end: everything is dropped where it stands.
        node.kubelet = None;
        let _ = node.tasks.join(Duration::ZERO).await;
        node.start().await;
        eventually("all run", || (0..4).all(|index| node.is_ready(&format!("p{index}")))).await;
        pass(30).await;
        assert_eq!(node.running().len(), 8, "killed at moment {moment}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_goes_away_is_told_of_and_taken_up_again() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let before = ids(&node);
    for _ in 0..10 {
        node.runtime.fail(Call::Events, down());
    }
    node.runtime.disconnect();
    eventually("the node is not ready", || node.node_ready() == "False").await;
    // What happens meanwhile is heard of afterwards.
    node.hollow.end(&node.app("main").unwrap().id, 1);
    node.bind(&mk_pod("new", "web:1"));
    eventually("the node is ready again", || node.node_ready() == "True").await;
    eventually("it runs again", || node.status("web").unwrap().restart_count == 1 && node.is_ready("web"))
        .await;
    eventually("so does the new one", || node.is_ready("new")).await;
    assert!(before.iter().all(|id| ids(&node).contains(id)), "the dead one is kept for its log");
    assert_eq!(node.running().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_are_repeated_with_patience() {
    let node = TestNode::new().await;
    node.runtime.fail(Call::Start, down());
    node.runtime.fail(Call::Image, down());
    node.run(&mk_pod("web", "web:1")).await;
    for call in [Call::Stop, Call::Remove, Call::List] {
        node.runtime.fail(call, down());
    }
    let starts = node.runtime.count(Call::Start);
    assert!(starts <= 3, "{starts}");
    node.delete_pod("web", 30);
    eventually("it is gone all the same", || {
        node.pod("web").is_none() && node.hollow.containers().is_empty()
    })
    .await;
    let calls: usize =
        [Call::Stop, Call::Remove, Call::List].into_iter().map(|call| node.runtime.count(call)).sum();
    assert!(calls < 20, "{calls}");
}

#[tokio::test(start_paused = true)]
async fn api_may_fail_conflict_or_refuse() {
    let node = TestNode::new().await;
    node.api.fail("Pods/UpdateStatus", ApiError::service_unavailable("later"));
    node.api.fail("Pods/UpdateStatus", ApiError::conflict("pods", "web"));
    node.run(&mk_pod("web", "web:1")).await;
    node.api.fail("Pods/Delete", ApiError::service_unavailable("later"));
    node.delete_pod("web", 1);
    eventually("it is gone all the same", || node.pod("web").is_none()).await;

    node.api.fail("Pods/UpdateStatus", ApiError::forbidden("pods/status", "odd", "not yours"));
    node.bind(&mk_pod("odd", "web:1"));
    eventually("it runs, untold", || node.app("main").is_some()).await;
    pass(600).await;
    let tried = node.api.count("Pods/UpdateStatus");
    pass(600).await;
    assert_eq!(node.api.count("Pods/UpdateStatus"), tried, "what api refuses is not repeated");
    node.delete_pod("odd", 1);
    eventually("it can be deleted", || node.pod("odd").is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_by_others_does_not_get_lost_and_does_not_lose_the_status() {
    let node = TestNode::new().await;
    node.bind(&mk_pod("web", "web:1"));
    for index in 0..20 {
        let mut labelled = node.pod("web").unwrap();
        labelled.metadata.labels.insert("n".to_owned(), index.to_string());
        node.api.put(&labelled);
        tokio::task::yield_now().await;
    }
    eventually("it is ready", || node.is_ready("web")).await;
    assert_eq!(node.pod("web").unwrap().metadata.labels["n"], "19");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_heard_during_a_long_pull() {
    let node = TestNode::new().await;
    node.runtime.hold(Call::Image);
    node.bind(&mk_pod("web", "web:1"));
    eventually("the infra container runs", || node.app("POD").is_some()).await;
    let begin = node.clock.now();
    node.delete_pod("web", 30);
    eventually("it is gone", || node.pod("web").is_none() && node.hollow.containers().is_empty()).await;
    assert!(node.clock.now().as_second() - begin.as_second() <= 2);
    node.runtime.release(Call::Image);
    pass(60).await;
    assert!(node.hollow.containers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deletion_during_a_start_leaves_nothing_behind() {
    let node = TestNode::new().await;
    node.runtime.hold(Call::Start);
    node.bind(&mk_pod("web", "web:1"));
    eventually("a start is under way", || node.runtime.count(Call::Start) == 1).await;
    node.api.remove(&node.pod("web").unwrap());
    pass(5).await;
    node.runtime.release(Call::Start);
    pass(60).await;
    assert!(node.hollow.containers().is_empty());
    assert_eq!(node.pod_dirs(), 0);
}

#[tokio::test(start_paused = true)]
async fn everything_can_be_put_away() {
    let mut node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    node.run(&mk_pod("db", "stubborn:1")).await;
    node.stop().await;
    let begin = node.clock.now();
    crate::remove_all(&node.runtime, Duration::from_secs(3)).await.unwrap();
    assert!(node.hollow.containers().is_empty());
    assert!(node.clock.now().as_second() - begin.as_second() <= 4);
    node.start().await;
    eventually("they are back", || node.running().len() == 4 && node.is_ready("web") && node.is_ready("db"))
        .await;
    eventually("they count it", || node.status("web").unwrap().restart_count == 1).await;
}
