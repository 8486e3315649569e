//! An operator: a controller with a finalizer, as kube-rs' users write them.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use keelson_tests_kube_rs::{Session, in_session, soon};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::finalizer::{self, Event, finalizer};
use kube::runtime::wait::{await_condition, delete};
use kube::runtime::watcher::Config;
use serde_json::json;

const FINALIZER: &str = "kube-rs.example.com/cleanup";

/// A pod that the operator keeps beside each replication controller, and removes with it.
fn companion(of: &ReplicationController) -> String {
    format!("beside-{}", of.name_any())
}

async fn reconcile(controller: Arc<ReplicationController>, session: Arc<Session>) -> Result<Action, Error> {
    let api: Api<ReplicationController> = session.api();
    let reconciled = finalizer(&api, FINALIZER, controller, async |event| match event {
        Event::Apply(controller) => apply(&session, &controller).await,
        Event::Cleanup(controller) => clean_up(&session, &controller).await,
    });
    reconciled.await.map_err(|error| Error::Finalizer(Box::new(error)))
}

async fn apply(session: &Session, controller: &ReplicationController) -> Result<Action, kube::Error> {
    let pods: Api<Pod> = session.api();
    if pods.get_opt(&companion(controller)).await?.is_none() {
        let mut pod = keelson_tests_kube_rs::pod(&companion(controller), json!({"kept": "beside"}));
        pod.metadata = ObjectMeta { namespace: controller.namespace(), ..pod.metadata };
        pods.create(&PostParams::default(), &pod).await?;
    }
    Ok(Action::requeue(Duration::from_secs(300)))
}

async fn clean_up(session: &Session, controller: &ReplicationController) -> Result<Action, kube::Error> {
    let pods: Api<Pod> = session.api();
    pods.delete(&companion(controller), &DeleteParams::default().grace_period(0)).await?;
    Ok(Action::await_change())
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Finalizer(Box<finalizer::Error<kube::Error>>),
}

#[test]
fn an_operator_keeps_and_cleans_up() {
    in_session(async |session| {
        let api: Api<ReplicationController> = session.api();
        let operator = Controller::new(api.clone(), Config::default())
            .run(reconcile, |_, _, _| Action::requeue(Duration::from_millis(200)), Arc::new(session.clone()))
            .for_each(|_| std::future::ready(()));
        let operator = tokio::spawn(operator);

        let pods: Api<Pod> = session.api();
        session.create_controller("web", 0).await;
        let exists = |pod: Option<&Pod>| pod.is_some();
        soon("the companion", await_condition(pods.clone(), "beside-web", exists)).await.unwrap();
        assert_eq!(api.get("web").await.unwrap().finalizers(), [FINALIZER]);

        // Another's finalizer beside it: the operator removes its own only.
        let more = Patch::Strategic(json!({"metadata": {"finalizers": ["example.com/other"]}}));
        api.patch("web", &PatchParams::default(), &more).await.unwrap();
        api.delete("web", &DeleteParams::default()).await.unwrap();
        let released = |controller: Option<&ReplicationController>| {
            controller.is_some_and(|controller| controller.finalizers() == ["example.com/other"])
        };
        soon("its finalizer is gone", await_condition(api.clone(), "web", released)).await.unwrap();
        assert!(pods.list(&ListParams::default().labels("kept=beside")).await.unwrap().items.is_empty());

        let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        api.patch("web", &PatchParams::default(), &none).await.unwrap();
        let gone = |controller: Option<&ReplicationController>| controller.is_none();
        soon("the controller is gone", await_condition(api.clone(), "web", gone)).await.unwrap();

        session.create_controller("next", 0).await;
        soon("the companion", await_condition(pods, "beside-next", exists)).await.unwrap();
        let params = DeleteParams::background();
        let finalized = delete::delete_and_finalize(api, "next", &params);
        soon("the operator lets it go", finalized).await.unwrap();
        operator.abort();
    });
}
