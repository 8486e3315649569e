//! The verbs on typed objects.

use futures::future;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use keelson_tests_kube_rs::{in_session, object, pod, refused};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;

#[test]
fn a_pod_is_created_read_replaced_and_deleted() {
    in_session(async |session| {
        let pods: Api<Pod> = session.api();
        let mut web = pod("web", json!({"app": "web"}));
        // Nobody schedules it, so that nobody else writes it.
        web.spec.as_mut().unwrap().scheduler_name = Some("nobody".to_owned());
        let created = pods.create(&PostParams::default(), &web).await.unwrap();
        assert_eq!(created.namespace().as_deref(), Some(session.namespace.as_str()));
        assert!(created.uid().is_some() && created.creation_timestamp().is_some());
        assert_eq!(created.spec.as_ref().unwrap().restart_policy.as_deref(), Some("Always"));

        let mut changed = pods.get("web").await.unwrap();
        let mut late = changed.clone();
        changed.annotations_mut().insert("by".to_owned(), "kube-rs".to_owned());
        let replaced = pods.replace("web", &PostParams::default(), &changed).await.unwrap();
        assert_eq!(replaced.annotations()["by"], "kube-rs");
        late.annotations_mut().insert("by".to_owned(), "another".to_owned());
        let conflict = refused(pods.replace("web", &PostParams::default(), &late).await);
        assert!(conflict.is_conflict() && conflict.code == 409, "{conflict:?}");

        let again = refused(pods.create(&PostParams::default(), &pod("web", json!({}))).await);
        assert!(again.is_already_exists(), "{again:?}");
        let deleted = pods.delete("web", &DeleteParams::default()).await.unwrap();
        assert_eq!(deleted.left().unwrap().uid(), created.uid());
        assert!(pods.get_opt("absent").await.unwrap().is_none());
        let absent = refused(pods.get("absent").await);
        assert!(absent.is_not_found(), "{absent:?}");
        assert_eq!(absent.details.unwrap().name, "absent");
    });
}

#[test]
fn what_is_wrong_is_said_of_each_field() {
    in_session(async |session| {
        let pods: Api<Pod> = session.api();
        let wrong = object(json!({"metadata": {"name": "Web"}, "spec": {"containers": []}}));
        let status = refused(pods.create(&PostParams::default(), &wrong).await);
        assert!(status.is_invalid() && status.code == 422, "{status:?}");
        let details = status.details.unwrap();
        let fields: Vec<&str> = details.causes.iter().map(|cause| cause.field.as_str()).collect();
        assert_eq!(fields, ["metadata.name", "spec.containers"]);
    });
}

#[test]
fn lists_are_selected_paged_and_bare() {
    in_session(async |session| {
        let pods: Api<Pod> = session.api();
        for name in ["a", "b", "c"] {
            session.create_pod(name, json!({"app": "web", "which": name})).await;
        }
        let selected = pods.list(&ListParams::default().labels("which in (a,c)")).await.unwrap();
        assert_eq!(selected.items.iter().map(Pod::name_any).collect::<Vec<_>>(), ["a", "c"]);
        let by_field = pods.list(&ListParams::default().fields("metadata.name=b")).await.unwrap();
        assert_eq!(by_field.items.len(), 1);

        let first = pods.list(&ListParams::default().limit(2)).await.unwrap();
        assert_eq!((first.items.len(), first.metadata.remaining_item_count), (2, Some(1)));
        let token = first.metadata.continue_.unwrap();
        let last = pods.list(&ListParams::default().limit(2).continue_token(&token)).await.unwrap();
        assert_eq!((last.items.len(), last.metadata.continue_), (1, None));
        assert_eq!(last.metadata.resource_version, first.metadata.resource_version);

        let bare = pods.list_metadata(&ListParams::default()).await.unwrap();
        assert_eq!(bare.items.len(), 3);
        assert_eq!(bare.items[0].labels()["which"], "a");
        let one = pods.get_metadata_with("b", &GetParams::any()).await.unwrap();
        assert_eq!(one.name_any(), "b");
    });
}

#[test]
fn a_dry_run_stores_nothing() {
    in_session(async |session| {
        let pods: Api<Pod> = session.api();
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let shown = pods.create(&dry, &pod("dry", json!({}))).await.unwrap();
        assert_eq!(shown.status.unwrap().phase.as_deref(), Some("Pending"));
        assert!(pods.get_opt("dry").await.unwrap().is_none());
    });
}

#[test]
fn a_deletion_holds_to_its_preconditions() {
    in_session(async |session| {
        let leases: Api<Lease> = session.api();
        let lease = object(json!({"metadata": {"name": "lock"}}));
        let created = leases.create(&PostParams::default(), &lease).await.unwrap();
        let uid = |uid: &str| {
            let preconditions = Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() };
            DeleteParams::default().preconditions(preconditions)
        };
        let status = refused(leases.delete("lock", &uid("another")).await);
        assert!(status.is_conflict(), "{status:?}");
        let stale = Preconditions { resource_version: Some("1".to_owned()), uid: None };
        let status = refused(leases.delete("lock", &DeleteParams::default().preconditions(stale)).await);
        assert!(status.is_conflict(), "{status:?}");
        let deleted = leases.delete("lock", &uid(&created.uid().unwrap())).await.unwrap();
        let status = deleted.right().expect("what goes at once is answered by a Status");
        assert!(status.is_success(), "{status:?}");
        assert!(leases.get_opt("lock").await.unwrap().is_none());
    });
}

#[test]
fn a_collection_is_deleted() {
    in_session(async |session| {
        let pods: Api<Pod> = session.api();
        for (name, app) in [("a", "web"), ("b", "web"), ("c", "db")] {
            session.create_pod(name, json!({"app": app})).await;
        }
        let now = DeleteParams::default().grace_period(0);
        let deleted = pods.delete_collection(&now, &ListParams::default().labels("app=web")).await.unwrap();
        deleted.map_left(|list| assert_eq!(list.items.len(), 2));
        let left = pods.list(&ListParams::default()).await.unwrap();
        assert_eq!(left.items.iter().map(Pod::name_any).collect::<Vec<_>>(), ["c"]);
    });
}

#[test]
fn status_and_scale_are_written_apart() {
    in_session(async |session| {
        let controllers: Api<ReplicationController> = session.api();
        session.create_controller("web", 0).await;
        let scale = controllers.get_scale("web").await.unwrap();
        assert_eq!(scale.spec.unwrap().replicas, None, "JSON leaves 0 out");
        let two = Patch::Merge(json!({"spec": {"replicas": 2}}));
        let scaled = controllers.patch_scale("web", &PatchParams::default(), &two).await.unwrap();
        assert_eq!(scaled.spec.unwrap().replicas, Some(2));

        let condition = json!({"type": "Tested", "status": "True"});
        let patch = Patch::Merge(json!({"spec": {"replicas": 9}, "status": {"conditions": [condition]}}));
        let written = controllers.patch_status("web", &PatchParams::default(), &patch).await.unwrap();
        assert_eq!(written.spec.unwrap().replicas, Some(2), "a status patch leaves the spec alone");
        let read = controllers.get_status("web").await.unwrap();
        assert_eq!(read.status.unwrap().conditions.unwrap()[0].type_, "Tested");
    });
}

#[test]
fn of_many_who_renew_a_lease_at_once_one_wins() {
    in_session(async |session| {
        let leases: Api<Lease> = session.api();
        let renewed = "2026-02-03T04:05:06.789012Z";
        let lease = object(json!({"metadata": {"name": "lock"}, "spec": {"leaseDurationSeconds": 15}}));
        let created = leases.create(&PostParams::default(), &lease).await.unwrap();
        let tries = (0..8).map(|who| {
            let mut mine = created.clone();
            let spec = mine.spec.get_or_insert_default();
            spec.holder_identity = Some(format!("holder-{who}"));
            spec.renew_time = Some(object(json!(renewed)));
            let leases = leases.clone();
            async move { leases.replace("lock", &PostParams::default(), &mine).await }
        });
        let (won, lost): (Vec<_>, Vec<_>) =
            future::join_all(tries).await.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 7));
        assert!(lost.into_iter().map(refused).all(|status| status.is_conflict()));
        let (read, won) = (leases.get("lock").await.unwrap(), won.into_iter().next().unwrap().unwrap());
        assert_eq!(read, won);
        assert_eq!(serde_json::to_value(read).unwrap()["spec"]["renewTime"], renewed);
    });
}
