use keelson_base_client::Patch;
use keelson_base_model::status::Reason;
use keelson_proto::core::{Endpoints, Namespace, Pod, ReplicationController, Service};
use keelson_proto::meta::{DeleteOptions, ObjectMeta};
use serde_json::json;

use super::{Fixture, mk_meta, mk_pod, mk_service};

#[tokio::test]
async fn a_cluster_begins_with_its_namespaces_and_the_kubernetes_service() {
    let fixture = Fixture::new().await;
    let namespaces = fixture.client().api::<Namespace>();
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        assert_eq!(namespaces.get(name).await.unwrap().status.phase, "Active");
    }
    let service = fixture.client().api::<Service>().namespaced("default").get("kubernetes").await.unwrap();
    assert_eq!(service.spec.cluster_ip, "10.0.0.1");
}

#[tokio::test]
async fn what_is_created_can_be_read_with_its_defaults() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let created = pods.create(&mk_pod("web")).await.unwrap();
    assert_eq!(created.spec.restart_policy, "Always");
    assert_eq!(created.status.phase, "Pending");
    assert!(!created.metadata.uid.is_empty() && created.metadata.creation_timestamp.is_some());
    assert_eq!(pods.get("web").await.unwrap(), created);
    assert!(pods.create(&mk_pod("web")).await.unwrap_err().is_already_exists());
}

#[tokio::test]
async fn bad_objects_are_refused_and_nothing_is_stored() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>();
    let head = fixture.store.head().await.unwrap();
    let mut nameless = mk_pod("Bad_Name");
    nameless.spec.containers.clear();
    let error = pods.namespaced("default").create(&nameless).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Invalid);
    let fields: Vec<_> =
        error.status().details.as_ref().unwrap().causes.iter().map(|cause| cause.field.as_str()).collect();
    assert!(fields.contains(&"metadata.name") && fields.contains(&"spec.containers"), "{fields:?}");

    let mut versioned = mk_pod("a");
    versioned.metadata.resource_version = "7".into();
    assert_eq!(pods.namespaced("default").create(&versioned).await.unwrap_err().code(), 400);
    let mut elsewhere = mk_pod("a");
    elsewhere.metadata.namespace = "missing".into();
    let error = pods.namespaced("missing").create(&elsewhere).await.unwrap_err();
    assert_eq!(error.message(), "namespaces \"missing\" not found");
    assert_eq!(pods.namespaced("default").create(&elsewhere).await.unwrap_err().code(), 400);
    assert_eq!(fixture.store.head().await.unwrap(), head);
}

#[tokio::test]
async fn names_are_generated() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let mut pod = mk_pod("");
    pod.metadata.generate_name = "web-".into();
    let first = pods.create(&pod).await.unwrap().metadata.name;
    let second = pods.create(&pod).await.unwrap().metadata.name;
    assert!(first.starts_with("web-") && first.len() == 9, "{first}");
    assert_ne!(first, second);
}

#[tokio::test]
async fn an_update_of_an_old_version_is_a_conflict() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let old = pods.create(&mk_pod("web")).await.unwrap();
    let mut new = old.clone();
    new.metadata.labels.insert("a".into(), "b".into());
    let updated = pods.update(&new).await.unwrap();
    assert_ne!(updated.metadata.resource_version, old.metadata.resource_version);
    assert!(pods.update(&old).await.unwrap_err().is_conflict());
    // Nothing changes: nothing is written.
    assert_eq!(
        pods.update(&updated).await.unwrap().metadata.resource_version,
        updated.metadata.resource_version
    );
    new.metadata.resource_version.clear();
    new.spec.containers[0].image = "i:2".into();
    assert_eq!(pods.update(&new).await.unwrap().spec.containers[0].image, "i:2");
    new.spec.node_name = "n".into();
    assert_eq!(pods.update(&new).await.unwrap_err().reason(), Reason::Invalid);
}

#[tokio::test]
async fn many_writers_of_one_object_lose_nothing() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    pods.create(&mk_pod("web")).await.unwrap();
    let writers = (0..16).map(|n| {
        let pods = pods.clone();
        async move {
            let patch = Patch::merge(&json!({"metadata": {"labels": {format!("l{n}"): "x"}}})).unwrap();
            pods.patch("web", &patch).await.unwrap();
        }
    });
    futures::future::join_all(writers).await;
    assert_eq!(pods.get("web").await.unwrap().metadata.labels.len(), 16);
}

#[tokio::test]
async fn the_status_is_written_apart_from_the_spec() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let mut pod = pods.create(&mk_pod("web")).await.unwrap();
    pod.status.phase = "Running".into();
    pod.metadata.labels.insert("a".into(), "b".into());
    assert_eq!(pods.update(&pod).await.unwrap().status.phase, "Pending");
    pod.metadata.resource_version.clear();
    pod.spec.containers[0].image = "other".into();
    let updated = pods.update_status(&pod).await.unwrap();
    assert_eq!(
        (updated.status.phase.as_str(), updated.spec.containers[0].image.as_str()),
        ("Running", "i:1")
    );
}

#[tokio::test]
async fn a_status_of_no_version_leaves_the_metadata_alone() {
    let fixture = Fixture::new().await;
    let rcs = fixture.client().api::<ReplicationController>().namespaced("default");
    let rc = json!({
        "metadata": {"name": "web"},
        "spec": {"replicas": 0, "selector": {"a": "b"}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]},
        }},
    });
    let mut seen = rcs.create(&serde_json::from_value(rc).unwrap()).await.unwrap();
    let orphan = DeleteOptions { propagation_policy: Some("Orphan".into()), ..DeleteOptions::default() };
    assert!(!rcs.delete("web", orphan).await.unwrap().removed);
    // The loop has not heard of the deletion yet.
    seen.metadata.resource_version.clear();
    seen.status.observed_generation = 1;
    let written = rcs.update_status(&seen).await.unwrap();
    assert_eq!(
        (written.metadata.finalizers.as_slice(), written.status.observed_generation),
        (&["orphan".into()][..], 1)
    );
    assert_eq!(rcs.get("web").await.unwrap().metadata, written.metadata, "it waits to be let go");
}

#[tokio::test]
async fn all_three_patches_work() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    pods.create(&mk_pod("web")).await.unwrap();
    let strategic = json!({"spec": {"containers": [{"name": "c", "image": "i:2"}]}});
    assert_eq!(
        pods.patch("web", &Patch::strategic(&strategic).unwrap()).await.unwrap().spec.containers[0].image,
        "i:2"
    );
    let json_patch = json!([{"op": "replace", "path": "/spec/containers/0/image", "value": "i:3"}]);
    assert_eq!(
        pods.patch("web", &Patch::json(&json_patch).unwrap()).await.unwrap().spec.containers[0].image,
        "i:3"
    );
    let merge = json!({"metadata": {"annotations": {"a": "b"}}});
    assert_eq!(
        pods.patch("web", &Patch::merge(&merge).unwrap()).await.unwrap().metadata.annotations["a"],
        "b"
    );
    let rename = json!({"metadata": {"name": "other"}});
    assert_eq!(pods.patch("web", &Patch::merge(&rename).unwrap()).await.unwrap_err().code(), 400);
    assert!(pods.patch("missing", &Patch::merge(&merge).unwrap()).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let pod = pods.create(&mk_pod("web")).await.unwrap();
    pods.bind(&pod, "n1").await.unwrap();
    let error = pods.bind(&pod, "n2").await.unwrap_err();
    assert!(error.is_conflict() && error.message().contains("already assigned to node \"n1\""), "{error}");
    assert_eq!(pods.get("web").await.unwrap().spec.node_name, "n1");
}

#[tokio::test]
async fn racing_services_never_share_an_address_and_give_it_back() {
    let fixture = Fixture::new().await;
    let services = fixture.client().api::<Service>().namespaced("default");
    let creations = (0..64).map(|n| {
        let services = services.clone();
        async move { services.create(&mk_service(&format!("s{n}"))).await.unwrap().spec.cluster_ip }
    });
    let mut addresses = futures::future::join_all(creations).await;
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 64);

    let mut taken = mk_service("taken");
    taken.spec.cluster_ip.clone_from(&addresses[0]);
    assert_eq!(services.create(&taken).await.unwrap_err().reason(), Reason::Invalid);
    let holder = services.list(&Default::default()).await.unwrap().items;
    let holder = holder.into_iter().find(|service| service.spec.cluster_ip == addresses[0]).unwrap();
    services.delete(&holder.metadata.name, DeleteOptions::default()).await.unwrap();
    services.create(&taken).await.unwrap();
}

#[tokio::test]
async fn the_scale_of_a_controller_is_read_and_written() {
    let fixture = Fixture::new().await;
    let rcs = fixture.client().api::<ReplicationController>().namespaced("default");
    let mut rc = ReplicationController { metadata: mk_meta("rc"), ..ReplicationController::default() };
    rc.spec.template = Some(keelson_proto::core::PodTemplateSpec {
        metadata: ObjectMeta { labels: [("a".into(), "b".into())].into(), ..ObjectMeta::default() },
        spec: mk_pod("x").spec,
    });
    let created = rcs.create(&rc).await.unwrap();
    assert_eq!((created.metadata.generation, created.spec.replicas), (1, Some(1)));
    let mut scale = rcs.get_scale("rc").await.unwrap();
    assert_eq!((scale.spec.replicas, scale.status.selector.as_str()), (1, "a=b"));
    scale.spec.replicas = 3;
    assert_eq!(rcs.scale("rc", scale.clone()).await.unwrap().spec.replicas, 3);
    assert!(rcs.scale("rc", scale).await.unwrap_err().is_conflict());
    assert_eq!(rcs.get("rc").await.unwrap().metadata.generation, 2);
}

#[tokio::test]
async fn endpoints_are_created_by_an_update_and_kept_in_order() {
    let fixture = Fixture::new().await;
    let endpoints = fixture.client().api::<Endpoints>().namespaced("default");
    let updated =
        endpoints.update(&Endpoints { metadata: mk_meta("web"), ..Endpoints::default() }).await.unwrap();
    assert!(!updated.metadata.uid.is_empty());
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    pods.create(&mk_pod("web")).await.unwrap();
    let policy =
        |policy: &str| DeleteOptions { propagation_policy: Some(policy.into()), ..DeleteOptions::default() };
    for (options, message) in [
        (
            policy("Sideways"),
            "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Sideways\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
        ),
        (
            DeleteOptions { orphan_dependents: Some(true), ..policy("Orphan") },
            "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Invalid value: \"Orphan\": orphanDependents and deletionPropagation cannot be both set",
        ),
        (
            DeleteOptions { dry_run: vec!["Some".into()], ..DeleteOptions::default() },
            "DeleteOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"Some\": supported values: \"All\"",
        ),
    ] {
        let error = pods.delete("web", options).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (422, message));
    }
}

#[tokio::test]
async fn an_update_does_not_bring_back_an_object_that_is_gone() {
    let fixture = Fixture::new().await;
    let endpoints = fixture.client().api::<Endpoints>().namespaced("default");
    let made =
        endpoints.update(&Endpoints { metadata: mk_meta("web"), ..Endpoints::default() }).await.unwrap();
    endpoints.delete("web", DeleteOptions::default()).await.unwrap();
    assert!(endpoints.update(&made).await.unwrap_err().is_conflict());
    assert!(endpoints.get("web").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_message_over_the_limit_is_told_as_such() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    for (bytes, name) in [(2 << 20, "over-the-stores"), (5 << 20, "over-the-message")] {
        let mut pod = mk_pod(name);
        pod.spec.containers[0].args.push("x".repeat(bytes));
        assert_eq!(pods.create(&pod).await.unwrap_err().code(), 413, "{name}");
    }
}
