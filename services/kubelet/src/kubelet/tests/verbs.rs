//! The slides' verbs, each said twice.

use keelson_proto::v1::{
    ContainerHealthRequest, DeleteContainersRequest, KillContainerRequest, KubeletPodRequest,
    KubeletStatsRequest, RootInfoRequest, RunCommandRequest, RunContainerRequest,
    container_health_response::Health,
};
use tonic::{Code, Request};

use super::*;
use crate::server::Service as Verbs;

fn by_api<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let peer = Peer { common_name: "system:apiserver".to_owned(), organizations: vec![] };
    request.extensions_mut().insert(peer);
    request
}

fn verbs(node: &TestNode) -> Verbs {
    node.kubelet.as_ref().unwrap().answers.service.clone()
}

fn web() -> KubeletPodRequest {
    KubeletPodRequest { namespace: "default".to_owned(), name: "web".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_killed_container_runs_again_as_its_policy_says() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let ask = KillContainerRequest {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        ..KillContainerRequest::default()
    };
    let id = node.app("main").unwrap().id;
    let killed = verbs(&node).kill_container(by_api(ask.clone())).await.unwrap().into_inner();
    assert_eq!(killed.id, format!("hollow://{id}"));
    eventually("it runs again", || node.status("web").unwrap().restart_count == 1 && node.is_ready("web"))
        .await;
    node.runtime.hold(Call::Start);
    verbs(&node).kill_container(by_api(ask.clone())).await.unwrap();
    eventually("it is gone", || node.app("main").is_none()).await;
    eventually("it is seen to be gone", || node.status("web").unwrap().state.running.is_none()).await;
    let again = verbs(&node).kill_container(by_api(ask)).await.unwrap().into_inner();
    assert_eq!(again.id, "", "none was running");
    node.runtime.release(Call::Start);
}

#[tokio::test(start_paused = true)]
async fn a_container_in_back_off_is_run_at_once() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    for _ in 0..2 {
        let app = node.app("main").unwrap();
        node.hollow.end(&app.id, 1);
        let next = || node.app("main").is_some_and(|next| next.id != app.id);
        eventually("it runs again, or waits", || next() || node.waiting("web") == "CrashLoopBackOff").await;
    }
    assert_eq!(node.waiting("web"), "CrashLoopBackOff");
    let ask = RunContainerRequest {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        ..RunContainerRequest::default()
    };
    let before = node.clock.now();
    let run = verbs(&node).run_container(by_api(ask.clone())).await.unwrap().into_inner();
    assert!(node.clock.now().duration_since(before).as_secs() < 1, "it did not wait");
    assert_eq!((run.name.as_str(), run.attempt, run.running), ("main", 2, true));
    let again = verbs(&node).run_container(by_api(ask)).await.unwrap().into_inner();
    assert_eq!(again.id, run.id, "it runs already");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_done_is_not_run() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "exit:0");
    pod.spec.restart_policy = "Never".to_owned();
    node.bind(&pod);
    eventually("it has ended", || node.phase("web") == "Succeeded").await;
    let ask = RunContainerRequest {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        ..RunContainerRequest::default()
    };
    let refused = verbs(&node).run_container(by_api(ask)).await.unwrap_err();
    assert!(refused.message().contains("has ended"), "{refused}");
    let refused = verbs(&node).make_network_container(by_api(web())).await.unwrap_err();
    assert!(refused.message().contains("has ended"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn all_containers_of_a_pod_are_deleted_and_made_anew() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    node.run(&mk_pod("web-2", "web:1")).await;
    let theirs = |name: &str| {
        let of = |c: &ObservedContainer| (c.identity.pod.name == name).then(|| c.id.clone());
        node.running().iter().filter_map(of).collect::<Vec<_>>()
    };
    let (before, others) = (theirs("web"), theirs("web-2"));
    let ask = DeleteContainersRequest {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        grace_seconds: Some(0),
    };
    let deleted = verbs(&node).delete_containers(by_api(ask)).await.unwrap().into_inner();
    assert_eq!(deleted.ids.len(), before.len());
    eventually("there are new ones", || theirs("web").len() == before.len()).await;
    eventually("the pod is ready", || node.is_ready("web")).await;
    assert!(theirs("web").iter().all(|id| !before.contains(id)));
    assert_eq!(theirs("web-2"), others, "a pod named web never touches web-2");
}

#[tokio::test(start_paused = true)]
async fn the_network_container_is_made_once() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let made = verbs(&node).make_network_container(by_api(web())).await.unwrap().into_inner();
    assert_eq!((made.name.as_str(), made.running, made.addresses.len()), ("POD", true, 1));
    let again = verbs(&node).make_network_container(by_api(web())).await.unwrap().into_inner();
    assert_eq!(again.id, made.id);
}

#[tokio::test(start_paused = true)]
async fn a_sync_sees_what_events_did_not_tell() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let lists = node.runtime.count(Call::List);
    let pod = verbs(&node).sync_now(by_api(web())).await.unwrap().into_inner();
    assert_eq!((pod.metadata.name.as_str(), pod.status.phase.as_str()), ("web", "Running"));
    assert_eq!(node.runtime.count(Call::List), lists + 1);
    let unknown = KubeletPodRequest { name: "none".to_owned(), ..web() };
    assert_eq!(verbs(&node).sync_now(by_api(unknown)).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn commands_health_and_statistics_are_answered() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let ask = |command: &str| RunCommandRequest {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        command: command.split(' ').map(str::to_owned).collect(),
        timeout_seconds: 5,
        ..RunCommandRequest::default()
    };
    let ran = verbs(&node).run_command(by_api(ask("echo a"))).await.unwrap().into_inner();
    assert_eq!((ran.exit_code, ran.stdout.as_ref()), (0, b"a\n".as_slice()));
    let late = verbs(&node).run_command(by_api(ask("hang"))).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);

    let ask = ContainerHealthRequest {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        container: "main".to_owned(),
    };
    let health = verbs(&node).container_health(by_api(ask)).await.unwrap().into_inner();
    assert_eq!((health.health(), health.status.unwrap().ready), (Health::Healthy, true));

    let root = verbs(&node).root_info(by_api(RootInfoRequest {})).await.unwrap().into_inner();
    assert!(root.cores > 0 && root.usage.unwrap().memory_usage_bytes > Some(0));
    let pod = verbs(&node).pod_info(by_api(web())).await.unwrap().into_inner();
    assert_eq!((pod.uid.as_str(), pod.containers.len()), ("uid-of-web", 1));
    let all = verbs(&node).stats(by_api(KubeletStatsRequest {})).await.unwrap().into_inner();
    assert_eq!(all.pods.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn verbs_are_for_api_and_masters() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let nobody = verbs(&node).sync_now(Request::new(web())).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    let mut other = Request::new(web());
    let peer =
        Peer { common_name: "system:node:n1".to_owned(), organizations: vec!["system:nodes".to_owned()] };
    other.extensions_mut().insert(peer);
    assert_eq!(verbs(&node).sync_now(other).await.unwrap_err().code(), Code::PermissionDenied);
}
