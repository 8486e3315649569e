//! Patches of every type.

use k8s_openapi::api::core::v1::Service;
use keelson_tests_kube_rs::{Session, in_session, object, refused};
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

async fn service(session: &Session) -> Api<Service> {
    let services: Api<Service> = session.api();
    let ports = json!([{"name": "http", "port": 80}, {"name": "https", "port": 443}]);
    let service =
        object(json!({"metadata": {"name": "web"}, "spec": {"selector": {"a": "b"}, "ports": ports}}));
    services.create(&PostParams::default(), &service).await.unwrap();
    services
}

fn ports(service: &Service) -> Vec<i32> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref());
    ports.into_iter().flatten().map(|port| port.port).collect()
}

fn json_patch(operations: Value) -> Patch<()> {
    Patch::Json(object(operations))
}

#[test]
fn strategic_merge_and_json_patches() {
    in_session(async |session| {
        let services = service(session).await;
        let params = PatchParams::default();
        let strategic = Patch::Strategic(json!({"spec": {"ports": [{"name": "more", "port": 81}]}}));
        let patched = services.patch("web", &params, &strategic).await.unwrap();
        let mut all = ports(&patched);
        all.sort_unstable();
        assert_eq!(all, [80, 81, 443], "a strategic patch merges ports by number");

        let merge =
            Patch::Merge(json!({"metadata": {"labels": {"x": "y"}}, "spec": {"ports": [{"port": 82}]}}));
        let patched = services.patch("web", &params, &merge).await.unwrap();
        assert_eq!(ports(&patched), [82], "a merge patch replaces lists");

        let operations = json!([
            {"op": "test", "path": "/metadata/labels/x", "value": "y"},
            {"op": "replace", "path": "/metadata/labels/x", "value": "z"},
            {"op": "add", "path": "/spec/ports/0/targetPort", "value": "named"},
        ]);
        let patched = services.patch("web", &params, &json_patch(operations)).await.unwrap();
        assert_eq!(patched.labels()["x"], "z");
        let metadata = services.patch_metadata("web", &params, &merge).await.unwrap();
        assert_eq!(metadata.labels()["x"], "y");
    });
}

#[test]
fn a_json_patch_whose_test_fails_changes_nothing() {
    in_session(async |session| {
        let services = service(session).await;
        let operations = json!([
            {"op": "remove", "path": "/spec/selector"},
            {"op": "test", "path": "/metadata/name", "value": "another"},
        ]);
        let status = refused(services.patch("web", &PatchParams::default(), &json_patch(operations)).await);
        assert!(status.is_invalid(), "{status:?}");
        assert!(services.get("web").await.unwrap().spec.unwrap().selector.is_some());
    });
}

#[test]
fn a_patch_of_an_old_version_conflicts() {
    in_session(async |session| {
        let services = service(session).await;
        let old = services.get("web").await.unwrap().resource_version();
        let label = |value: &str| json!({"metadata": {"resourceVersion": old, "labels": {"x": value}}});
        services.patch("web", &PatchParams::default(), &Patch::Merge(label("first"))).await.unwrap();
        let second = services.patch("web", &PatchParams::default(), &Patch::Merge(label("second"))).await;
        assert!(refused(second).is_conflict());
    });
}

#[test]
fn server_side_apply_knows_whose_a_field_is() {
    in_session(async |session| {
        let services = service(session).await;
        let apply = |app: &str| {
            Patch::Apply(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": {"app": app}},
            }))
        };
        let mine = services.patch("web", &PatchParams::apply("kube-rs"), &apply("mine")).await.unwrap();
        assert_eq!((mine.labels()["app"].as_str(), ports(&mine)), ("mine", vec![80, 443]));
        let status = refused(services.patch("web", &PatchParams::apply("other"), &apply("theirs")).await);
        assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"), "{status:?}");
        assert!(status.message.contains("conflict with \"kube-rs\""), "{status:?}");
        let taken =
            services.patch("web", &PatchParams::apply("other").force(), &apply("theirs")).await.unwrap();
        assert_eq!(taken.labels()["app"], "theirs");
    });
}
