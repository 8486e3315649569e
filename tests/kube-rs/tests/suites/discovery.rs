//! What the server says of itself, and objects without types.

use k8s_openapi::api::core::v1::Pod;
use keelson_tests_kube_rs::{in_session, pod, refused};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Discovery, Scope, verbs};
use kube::{ResourceExt as _, core};
use serde_json::json;

#[test]
fn both_kinds_of_discovery_say_the_same() {
    in_session(async |session| {
        let version = session.client.apiserver_version().await.unwrap();
        assert_eq!(version.major, "1");
        let legacy = Discovery::new(session.client.clone()).run().await.unwrap();
        let aggregated = Discovery::new(session.client.clone()).run_aggregated().await.unwrap();
        for discovery in [&legacy, &aggregated] {
            assert!(discovery.has_group("coordination.k8s.io") && discovery.has_group(""));
            let gvk = GroupVersionKind::gvk("", "v1", "Pod");
            let (resource, capabilities) = discovery.resolve_gvk(&gvk).unwrap();
            assert_eq!((resource.plural.as_str(), &capabilities.scope), ("pods", &Scope::Namespaced));
            assert!(capabilities.supports_operation(verbs::WATCH), "{capabilities:?}");
            let subresources = capabilities.subresources.iter().map(|(resource, _)| resource.plural.as_str());
            assert!(subresources.into_iter().any(|name| name.ends_with("log")), "{capabilities:?}");
            let node = discovery.resolve_gvk(&GroupVersionKind::gvk("", "v1", "Node")).unwrap();
            assert_eq!(node.1.scope, Scope::Cluster);
        }
        let kinds = |discovery: &Discovery| {
            let mut kinds: Vec<String> = discovery
                .groups()
                .flat_map(|group| group.recommended_resources())
                .map(|(resource, capabilities)| format!("{} {:?}", resource.kind, capabilities.operations))
                .collect();
            kinds.sort();
            kinds
        };
        assert_eq!(kinds(&legacy), kinds(&aggregated));
    });
}

#[test]
fn an_object_without_types_lives() {
    in_session(async |session| {
        let gvk = GroupVersionKind::gvk("", "v1", "ReplicationController");
        let (resource, _) = discovery::pinned_kind(&session.client, &gvk).await.unwrap();
        let api: Api<DynamicObject> = Api::default_namespaced_with(session.client.clone(), &resource);
        let template = pod("", json!({"app": "web"}));
        let object = DynamicObject::new("web", &resource)
            .data(json!({"spec": {"replicas": 1, "selector": {"app": "web"}, "template": template}}));
        let created = api.create(&PostParams::default(), &object).await.unwrap();
        assert_eq!(created.types.unwrap().kind, "ReplicationController");
        let patch = Patch::Merge(json!({"spec": {"replicas": 0}}));
        let patched = api.patch("web", &PatchParams::default(), &patch).await.unwrap();
        assert_eq!(patched.data["spec"]["replicas"], 0);
        let listed = api.list(&ListParams::default()).await.unwrap();
        assert_eq!(listed.items.iter().map(core::DynamicObject::name_any).collect::<Vec<_>>(), ["web"]);
        let typed: Api<Pod> = session.api();
        assert!(
            typed
                .list(&ListParams::default().fields("spec.nodeName=nowhere"))
                .await
                .unwrap()
                .items
                .is_empty()
        );
    });
}

#[test]
fn a_kind_that_is_not_served_is_not_found() {
    in_session(async |session| {
        use k8s_openapi::api::apps::v1::Deployment;
        let deployments: Api<Deployment> = session.api();
        assert!(refused(deployments.list(&ListParams::default()).await).is_not_found());
    });
}
