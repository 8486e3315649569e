use futures::StreamExt as _;
use keelson_base_daemon::trace::TraceContext;
use keelson_proto::core::{EmptyDirVolumeSource, PodLogOptions, SecretVolumeSource, Volume, VolumeMount};
use tonic::{Code, Request};

use super::*;

fn as_user<T>(message: T, name: &str, group: &str) -> Request<T> {
    let mut request = Request::new(message);
    let peer = Peer { common_name: name.to_owned(), organizations: vec![group.to_owned()] };
    request.extensions_mut().insert(peer);
    request
}

async fn log(node: &TestNode, options: PodLogOptions) -> Result<String, tonic::Status> {
    let (namespace, name) = ("default".to_owned(), "web".to_owned());
    let request = PodLogRequest { namespace, name, options: Some(options) };
    let service = &node.kubelet.as_ref().unwrap().answers.service;
    let chunks = service.log(as_user(request, "system:apiserver", "")).await?.into_inner();
    let chunks: Vec<_> = chunks.map(|chunk| chunk.unwrap().data).collect().await;
    Ok(String::from_utf8(chunks.concat()).unwrap())
}

fn seconds_since(node: &TestNode, begin: Timestamp) -> i64 {
    node.clock.now().as_second() - begin.as_second()
}

fn is_up_again(node: &TestNode) -> bool {
    node.status("web").unwrap().restart_count == 1 && node.is_ready("web")
}

#[tokio::test(start_paused = true)]
async fn a_pod_comes_up() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let pod = node.pod("web").unwrap();
    assert_eq!(pod.status.phase, "Running");
    assert_eq!((pod.status.pod_ip.as_str(), pod.status.host_ip.as_str()), ("10.1.0.2", "192.0.2.1"));
    let status = node.status("web").unwrap();
    let app = node.app("main").unwrap();
    assert_eq!(status.container_id, format!("hollow://{}", app.id));
    assert_eq!(app.identity.role, Role::App);
    assert_eq!(node.running().len(), 2);
    eventually("it is told", || node.events().contains_key("Started")).await;
    let events = node.events();
    assert!(["Pulled", "Created", "Started"].iter().all(|reason| events[*reason] == 1), "{events:?}");
    assert_eq!(node.kubelet.as_ref().unwrap().pods(), [pod]);
}

#[tokio::test(start_paused = true)]
async fn what_follows_from_a_write_belongs_to_its_trace() {
    let node = TestNode::new().await;
    let context = TraceContext::root();
    node.api.put_traced(&mk_pod("web", "web:1"), context);
    eventually("it is ready", || node.is_ready("web")).await;
    let traces = node.api.traces("Pods/UpdateStatus");
    assert!(!traces.is_empty());
    assert!(traces.iter().all(|trace| trace.map(|trace| trace.trace_id()) == Some(context.trace_id())));
    pass(5).await;
    node.hollow.end(&node.app("main").unwrap().id, 1);
    eventually("it runs again", || is_up_again(&node)).await;
    let later = node.api.traces("Pods/UpdateStatus").split_off(traces.len());
    assert_eq!(later.iter().flatten().count(), 0, "a crash is nobody's request");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_goes_down_and_leaves_nothing() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    assert_eq!(node.pod_dirs(), 1);
    node.delete_pod("web", 30);
    eventually("api has forgotten it", || node.pod("web").is_none()).await;
    eventually("nothing is left", || node.hollow.containers().is_empty() && node.pod_dirs() == 0).await;
    eventually("the kubelet has forgotten it", || node.kubelet.as_ref().unwrap().pods().is_empty()).await;
    eventually("it is told", || node.events().contains_key("Killing")).await;
}

#[tokio::test(start_paused = true)]
async fn a_stubborn_container_has_its_grace_and_no_more() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "stubborn:1")).await;
    let begin = node.clock.now();
    node.delete_pod("web", 30);
    eventually("it is gone", || node.pod("web").is_none()).await;
    let took = seconds_since(&node, begin);
    assert!((29..=31).contains(&took), "{took}");

    node.run(&mk_pod("again", "stubborn:1")).await;
    node.delete_pod("again", 300);
    pass(5).await;
    let begin = node.clock.now();
    node.delete_pod("again", 2);
    eventually("it is gone sooner", || node.pod("again").is_none()).await;
    let took = seconds_since(&node, begin);
    assert!((1..=3).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_vanishes_from_api_is_taken_down() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    node.api.remove(&node.pod("web").unwrap());
    eventually("nothing is left", || node.hollow.containers().is_empty() && node.pod_dirs() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_and_its_namesake_are_two() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let first = node.app("main").unwrap();
    let mut second = mk_pod("web", "web:1");
    second.metadata.uid = "another".to_owned();
    node.api.remove(&node.pod("web").unwrap());
    node.bind(&second);
    eventually("the new one is ready", || node.is_ready("web")).await;
    eventually("the old one is gone", || node.hollow.containers().len() == 2).await;
    assert_ne!(node.app("main").unwrap().id, first.id);
}

#[tokio::test(start_paused = true)]
async fn a_crashing_container_is_restarted_ever_more_slowly() {
    let node = TestNode::new().await;
    node.bind(&mk_pod("web", "exit:3"));
    eventually("it waits", || node.waiting("web") == "CrashLoopBackOff").await;
    let begin = node.clock.now();
    eventually("it has been restarted often", || node.status("web").unwrap().restart_count >= 5).await;
    // 10 + 20 + 40 + 80 seconds, the first restart being free.
    let took = seconds_since(&node, begin);
    assert!((145..=155).contains(&took), "{took}");
    assert_eq!(node.phase("web"), "Running");
    eventually("it waits again", || node.waiting("web") == "CrashLoopBackOff").await;
    let last = node.status("web").unwrap().last_state.terminated.unwrap();
    assert_eq!((last.exit_code, last.reason.as_str()), (3, "Error"));
    assert!(node.hollow.containers().len() <= 3, "older dead ones are removed");
    eventually("it is told", || node.events().contains_key("BackOff")).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_ends_and_keeps_its_log() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "exit:0:5");
    pod.spec.restart_policy = "Never".to_owned();
    node.bind(&pod);
    eventually("it runs", || node.phase("web") == "Running").await;
    eventually("it is done", || node.phase("web") == "Succeeded").await;
    pass(60).await;
    assert!(node.running().is_empty(), "infra has nobody to serve");
    assert_eq!(log(&node, PodLogOptions::default()).await.unwrap(), "main attempt 0\n");
}

#[tokio::test(start_paused = true)]
async fn memory_that_ran_out_is_named() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    node.hollow.run_out_of_memory(&node.app("main").unwrap().id);
    eventually("it runs again", || is_up_again(&node)).await;
    assert_eq!(node.status("web").unwrap().last_state.terminated.unwrap().reason, "OOMKilled");
}

#[tokio::test(start_paused = true)]
async fn a_new_image_replaces_the_container() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let (first, ip) = (node.app("main").unwrap(), node.pod("web").unwrap().status.pod_ip);
    let mut pod = node.pod("web").unwrap();
    pod.spec.containers[0].image = "web:2".to_owned();
    node.api.put(&pod);
    eventually("the new image runs", || node.app("main").is_some_and(|app| app.image == "web:2")).await;
    eventually("api knows", || node.status("web").unwrap().image == "web:2" && node.is_ready("web")).await;
    assert_ne!(node.app("main").unwrap().id, first.id);
    assert_eq!(node.pod("web").unwrap().status.pod_ip, ip, "the infra container stays");
}

#[tokio::test(start_paused = true)]
async fn a_lost_infra_container_is_replaced_with_the_whole_pod() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let first = node.app("main").unwrap();
    node.hollow.end(&node.app("POD").unwrap().id, 137);
    eventually("another runs", || node.app("main").is_some_and(|app| app.id != first.id)).await;
    eventually("it is ready", || node.is_ready("web")).await;
    assert_eq!(node.running().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_not_to_be_had() {
    let node = TestNode::new().await;
    node.bind(&mk_pod("web", "unpullable:1"));
    eventually("the error is shown", || node.waiting("web") == "ErrImagePull").await;
    eventually("then the waiting", || node.waiting("web") == "ImagePullBackOff").await;
    assert_eq!(node.phase("web"), "Pending");
    let mut never = mk_pod("never", "unpullable:1");
    never.spec.containers[0].image_pull_policy = "Never".to_owned();
    node.bind(&never);
    eventually("it is not even tried", || node.waiting("never") == "ErrImageNeverPull").await;
    node.bind(&mk_pod("bad", "no image"));
    eventually("the name is refused", || node.waiting("bad") == "InvalidImageName").await;
    eventually("it is told", || node.events().contains_key("BackOff")).await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_not_there() {
    let node = TestNode::new().await;
    node.bind(&mk_pod("web", "unstartable:1"));
    eventually("the error is shown", || node.waiting("web") == "CreateContainerError").await;
    pass(60).await;
    assert!(node.status("web").unwrap().restart_count >= 1);
    assert!(node.hollow.containers().len() <= 3);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_cannot_be_made_is_named() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "web:1");
    let mut volume = Volume { name: "s".to_owned(), ..Volume::default() };
    let source = SecretVolumeSource { secret_name: "none".to_owned(), ..Default::default() };
    volume.volume_source.secret = Some(source);
    pod.spec.volumes = vec![volume];
    node.bind(&pod);
    let waits = |status: &ContainerStatus| {
        let waiting = status.state.waiting.clone().unwrap_or_default();
        waiting.reason == "ContainerCreating" && waiting.message.contains("\"s\"")
    };
    eventually("the volume is named", || node.status("web").is_some_and(|status| waits(&status))).await;
    eventually("it is told", || node.events().contains_key("FailedMount")).await;
    assert!(node.app("main").is_none());
}

#[tokio::test(start_paused = true)]
async fn an_empty_dir_lives_as_long_as_its_pod() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "web:1");
    let mut volume = Volume { name: "d".to_owned(), ..Volume::default() };
    volume.volume_source.empty_dir = Some(EmptyDirVolumeSource::default());
    pod.spec.volumes = vec![volume];
    let mount = VolumeMount { name: "d".into(), mount_path: "/d".into(), ..VolumeMount::default() };
    pod.spec.containers[0].volume_mounts = vec![mount];
    node.run(&pod).await;
    let dir = node.root.path().join("pods/uid-of-web/volumes/kubernetes.io~empty-dir/d");
    std::fs::write(dir.join("file"), "x").unwrap();
    node.hollow.end(&node.app("main").unwrap().id, 1);
    eventually("it runs again", || is_up_again(&node)).await;
    assert!(dir.join("file").exists());
    node.delete_pod("web", 1);
    eventually("the directory is gone", || !dir.exists()).await;
}

#[tokio::test(start_paused = true)]
async fn last_words_reach_the_status() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let file = node.root.path().join("pods/uid-of-web/containers/main/0");
    std::fs::write(file, "the disk is full").unwrap();
    node.hollow.end(&node.app("main").unwrap().id, 1);
    eventually("it runs again", || is_up_again(&node)).await;
    let last = node.status("web").unwrap().last_state.terminated.unwrap();
    assert_eq!(last.message, "the disk is full");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_failed_without_a_word_is_quoted_from_its_log() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "web:1");
    pod.spec.containers[0].termination_message_policy = "FallbackToLogsOnError".to_owned();
    node.run(&pod).await;
    node.hollow.end(&node.app("main").unwrap().id, 1);
    eventually("it runs again", || is_up_again(&node)).await;
    let last = node.status("web").unwrap().last_state.terminated.unwrap();
    assert_eq!(last.message, "main attempt 0\n");
}

#[tokio::test(start_paused = true)]
async fn a_full_node_rejects_the_youngest() {
    let mut node = TestNode::without_kubelet();
    node.max_pods = 2;
    for (age, name) in ["old", "older", "young"].into_iter().enumerate() {
        let mut pod = mk_pod(name, "web:1");
        let seconds = 1_600_000_000 + i64::try_from(age).unwrap();
        pod.metadata.creation_timestamp = Some(keelson_proto::meta::Time { seconds, nanos: 0 });
        node.bind(&pod);
    }
    node.start().await;
    eventually("two run", || node.is_ready("old") && node.is_ready("older")).await;
    eventually("one is rejected", || node.phase("young") == "Failed").await;
    assert_eq!(node.pod("young").unwrap().status.reason, "OutOfpods");
    node.delete_pod("old", 1);
    eventually("there is room again", || node.pod("old").is_none()).await;
    pass(1).await;
    node.run(&mk_pod("next", "web:1")).await;
    node.delete_pod("young", 1);
    eventually("the rejected one can be deleted", || node.pod("young").is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn logs_are_found() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    assert_eq!(log(&node, PodLogOptions::default()).await.unwrap(), "main attempt 0\n");
    let previous = PodLogOptions { previous: true, ..PodLogOptions::default() };
    assert_eq!(log(&node, previous.clone()).await.unwrap_err().code(), Code::InvalidArgument);
    node.hollow.end(&node.app("main").unwrap().id, 1);
    eventually("it runs again", || is_up_again(&node)).await;
    assert_eq!(log(&node, PodLogOptions::default()).await.unwrap(), "main attempt 1\n");
    assert_eq!(log(&node, previous).await.unwrap(), "main attempt 0\n");
    let cut = PodLogOptions { limit_bytes: Some(4), ..PodLogOptions::default() };
    assert_eq!(log(&node, cut).await.unwrap(), "main");
    let other = PodLogOptions { container: "other".to_owned(), ..PodLogOptions::default() };
    let error = log(&node, other).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::InvalidArgument, "container other is not valid for pod web")
    );
}

#[tokio::test(start_paused = true)]
async fn a_followed_log_ends_with_its_container_or_with_the_kubelet() {
    let mut node = TestNode::new().await;
    node.run(&mk_pod("web", "exit:0:30")).await;
    let follow = PodLogOptions { follow: true, ..PodLogOptions::default() };
    let begin = node.clock.now();
    assert_eq!(log(&node, follow.clone()).await.unwrap(), "main attempt 0\n");
    assert!(seconds_since(&node, begin) >= 25);
    eventually("it runs again", || is_up_again(&node)).await;
    node.tasks.shutdown();
    let begin = node.clock.now();
    assert_eq!(log(&node, follow).await.unwrap(), "");
    assert!(seconds_since(&node, begin) <= 1);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_api_may_ask() {
    let node = TestNode::new().await;
    let service = &node.kubelet.as_ref().unwrap().answers.service;
    let code = async |name: &str, group: &str| {
        let request = as_user(KubeletPodsRequest {}, name, group);
        service.pods(request).await.map_or_else(|status| status.code(), |_| Code::Ok)
    };
    assert_eq!(code("system:apiserver", "").await, Code::Ok);
    assert_eq!(code("somebody", "system:masters").await, Code::Ok);
    assert_eq!(code("system:node:n1", "system:nodes").await, Code::PermissionDenied);
    let anonymous = service.pods(Request::new(KubeletPodsRequest {})).await.unwrap_err();
    assert_eq!(anonymous.code(), Code::Unauthenticated);
    let request = PodLogRequest::default();
    let Err(refused) = service.log(as_user(request, "system:node:n1", "")).await else { panic!("let in") };
    assert_eq!(refused.code(), Code::PermissionDenied);
}
