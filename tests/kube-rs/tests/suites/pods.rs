//! Pods at work.

use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Binding, Node, Pod};
use keelson_tests_kube_rs::{Session, in_session, object, pod, refused, soon};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, LogParams, PostParams};
use kube::core::Status;
use kube::runtime::wait::{await_condition, conditions, delete};
use serde_json::json;

async fn running(session: &Session, name: &str) -> Pod {
    let running = await_condition(session.api::<Pod>(), name, conditions::is_pod_running());
    soon("the pod runs", running).await.unwrap().unwrap()
}

#[test]
fn a_pod_is_awaited_until_it_runs_and_until_it_is_gone() {
    in_session(async |session| {
        let pods: Api<Pod> = session.api();
        // Somebody waits before there is anything to see.
        let waiting = tokio::spawn({
            let session = session.clone();
            async move { running(&session, "web").await }
        });
        let uid = session.create_pod("web", json!({})).await.uid();
        assert_eq!(waiting.await.unwrap().uid(), uid);
        let params = DeleteParams::default();
        let deleted = pods.delete("web", &params).await.unwrap().left().unwrap();
        assert!(deleted.metadata.deletion_timestamp.is_some(), "it is given its grace");
        let gone = delete::delete_and_finalize(pods.clone(), "web", &params);
        soon("the pod is gone", gone).await.unwrap();
        assert!(pods.get_opt("web").await.unwrap().is_none());
    });
}

#[test]
fn logs_are_read_whole_and_as_they_come() {
    in_session(async |session| {
        let pods: Api<Pod> = session.api();
        session.create_pod("web", json!({})).await;
        running(session, "web").await;
        let log = pods.logs("web", &LogParams::default()).await.unwrap();
        assert_eq!(log, "main attempt 0\n");
        let follow = LogParams { follow: true, ..LogParams::default() };
        let mut lines = pods.log_stream("web", &follow).await.unwrap().lines();
        assert_eq!(soon("a line", lines.try_next()).await.unwrap().unwrap(), "main attempt 0");
        pods.delete("web", &DeleteParams::default()).await.unwrap();
        assert_eq!(soon("its end", lines.try_next()).await.unwrap(), None, "the log ends with the pod");

        let absent = LogParams { container: Some("absent".to_owned()), ..LogParams::default() };
        session.create_pod("other", json!({})).await;
        running(session, "other").await;
        let status = refused(pods.logs("other", &absent).await);
        assert!(status.code == 400 && status.message.contains("absent"), "{status:?}");
        assert!(refused(pods.logs("nobody", &LogParams::default()).await).is_not_found());
    });
}

#[test]
fn a_scheduler_of_ones_own_binds() {
    in_session(async |session| {
        let pods: Api<Pod> = session.api();
        let nodes: Api<Node> = Api::all(session.client.clone());
        let node = nodes.list(&ListParams::default()).await.unwrap().items.remove(0).name_any();
        let mut mine = pod("web", json!({}));
        mine.spec.as_mut().unwrap().scheduler_name = Some("mine".to_owned());
        pods.create(&PostParams::default(), &mine).await.unwrap();
        let binding: Binding =
            object(json!({"metadata": {"name": "web"}, "target": {"kind": "Node", "name": node}}));
        let params = PostParams::default();
        let bind = || pods.create_subresource::<_, Status>("binding", "web", &params, &binding);
        assert!(bind().await.unwrap().is_success());
        assert_eq!(running(session, "web").await.spec.unwrap().node_name, Some(node));
        assert!(refused(bind().await).is_conflict());
    });
}
