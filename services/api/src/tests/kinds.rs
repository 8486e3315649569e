//! The kinds that have nothing besides the verbs of all nouns.

use std::fmt::Debug;

use keelson_base_client::{ApiError, Client};
use keelson_base_model::status::Reason;
use keelson_proto::Object;
use keelson_proto::core::{
    ConfigMap, LimitRange, PersistentVolume, PersistentVolumeClaim, PodTemplate, ResourceQuota, Secret,
    ServiceAccount,
};
use keelson_proto::discovery::EndpointSlice;
use serde_json::{Value, json};

use super::Fixture;

/// An object of this kind called `x`.
fn mk<K: Object>(rest: Value) -> K {
    let mut object: K = serde_json::from_value(rest).unwrap();
    let metadata = object.metadata_mut();
    metadata.name = "x".to_owned();
    if K::KIND.namespaced {
        metadata.namespace = "default".to_owned();
    }
    object
}

/// Creates an object, finds it under its key, and replaces it by itself.
async fn stored<K: Object + Debug>(fixture: &Fixture, key: &str, rest: Value) -> K {
    let api = fixture.client().api::<K>();
    let created = api.create(&mk(rest)).await.unwrap();
    let kept = fixture.store.get(&format!("/registry/{key}")).await.unwrap();
    assert!(kept.is_some_and(|kept| kept.value.starts_with(b"k8s\0")), "{key}");
    assert_eq!(api.update(&created).await.unwrap(), created, "{key}");
    created
}

fn volume() -> Value {
    json!({"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/d"}}})
}

fn claim() -> Value {
    json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
}

#[tokio::test]
async fn every_kind_is_kept_where_kubernetes_keeps_it() {
    let fixture = Fixture::new().await;
    let container = json!({"name": "c", "image": "i:1"});
    stored::<ConfigMap>(&fixture, "configmaps/default/x", json!({"data": {"a": "1"}})).await;
    stored::<EndpointSlice>(&fixture, "endpointslices/default/x", json!({"addressType": "IPv4"})).await;
    stored::<LimitRange>(&fixture, "limitranges/default/x", json!({})).await;
    stored::<PersistentVolume>(&fixture, "persistentvolumes/x", volume()).await;
    stored::<PersistentVolumeClaim>(&fixture, "persistentvolumeclaims/default/x", claim()).await;
    let template = json!({"template": {"spec": {"containers": [container]}}});
    stored::<PodTemplate>(&fixture, "podtemplates/default/x", template).await;
    stored::<ResourceQuota>(&fixture, "resourcequotas/default/x", json!({})).await;
    let secret = stored::<Secret>(&fixture, "secrets/default/x", json!({"stringData": {"a": "1"}})).await;
    assert_eq!((secret.r#type.as_str(), secret.data["a"].as_slice()), ("Opaque", b"1".as_slice()));
    stored::<ServiceAccount>(&fixture, "serviceaccounts/default/x", json!({})).await;
}

/// Writes a status with a spec that must not count.
async fn write_status<K: Object>(client: &Client, spec: Value, status: Value) -> Result<K, ApiError> {
    let api = client.api::<K>().namespaced(if K::KIND.namespaced { "default" } else { "" });
    let mut object = serde_json::to_value(api.get("x").await?).unwrap();
    object["spec"] = spec;
    object["status"] = status;
    api.update_status(&serde_json::from_value(object).unwrap()).await
}

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let fixture = Fixture::new().await;
    let client = fixture.client();
    client.api().create(&mk::<ResourceQuota>(json!({"spec": {"hard": {"pods": "1"}}}))).await.unwrap();
    let quota: ResourceQuota =
        write_status(&client, json!({}), json!({"used": {"pods": "1"}})).await.unwrap();
    assert_eq!((quota.spec.hard.len(), quota.status.used.len()), (1, 1));
    let refused = write_status::<ResourceQuota>(&client, json!({}), json!({"used": {"shoes": "1"}})).await;
    assert_eq!(refused.unwrap_err().reason(), Reason::Invalid);

    let created = client.api().create(&mk::<PersistentVolume>(volume())).await.unwrap();
    assert_eq!(created.status.phase, "Pending");
    assert!(created.status.last_phase_transition_time.is_some());
    let bound: PersistentVolume = write_status(&client, json!({}), json!({"phase": "Bound"})).await.unwrap();
    assert_eq!((bound.status.phase.as_str(), bound.spec), ("Bound", created.spec));

    client.api().create(&mk::<PersistentVolumeClaim>(claim())).await.unwrap();
    let bound: PersistentVolumeClaim =
        write_status(&client, json!({}), json!({"phase": "Bound"})).await.unwrap();
    assert_eq!(bound.status.phase, "Bound");
    assert_eq!(bound.spec.access_modes, ["ReadWriteOnce"]);
    let api = client.api::<PersistentVolumeClaim>();
    let mut grown = bound;
    grown.spec.resources.requests.get_mut("storage").unwrap().string = "2Gi".to_owned();
    grown.status.phase = "Lost".to_owned();
    let grown = api.update(&grown).await.unwrap();
    assert_eq!(grown.status.phase, "Bound", "an update leaves the status alone");

    let secret = client.api().create(&mk::<Secret>(json!({}))).await.unwrap();
    let refused = client.api::<Secret>().update_status(&secret).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::MethodNotAllowed, "secrets have no status");
}

#[tokio::test]
async fn what_a_secret_holds_is_in_no_refusal() {
    let fixture = Fixture::new().await;
    let secrets = fixture.client().api::<Secret>();
    let kind = "kubernetes.io/dockerconfigjson";
    let wrong = mk(json!({"type": kind, "stringData": {".dockerconfigjson": "\"hush\"", "a/b": "hush"}}));
    let refused = secrets.create(&wrong).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Invalid);
    assert!(!refused.message().contains("hush"), "{refused}");
    let status = format!("{:?}", refused.into_status());
    assert!(!status.contains("hush"), "{status}");
}

#[tokio::test]
async fn the_kubernetes_service_has_a_slice() {
    let fixture = Fixture::new_at(&["10.9.8.7:6443", "10.9.8.8:6443"]).await;
    let slice =
        fixture.client().api::<EndpointSlice>().namespaced("default").get("kubernetes").await.unwrap();
    assert_eq!(slice.metadata.labels["kubernetes.io/service-name"], "kubernetes");
    assert!(!slice.metadata.labels.contains_key("endpointslice.kubernetes.io/managed-by"));
    let addresses: Vec<_> = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses).collect();
    assert_eq!(addresses, ["10.9.8.7", "10.9.8.8"]);
    assert_eq!((slice.ports[0].name.as_deref(), slice.ports[0].port), (Some("https"), Some(6443)));
}
