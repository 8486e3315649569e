//! What kubelets may read of secrets and config maps.

use std::time::Duration;

use keelson_base_client::{Client, ListParams, WatchParams};
use keelson_base_model::status::Reason;
use keelson_proto::core::{
    ConfigMap, LocalObjectReference, Pod, Secret, SecretVolumeSource, Volume, VolumeSource,
};
use keelson_proto::meta::DeleteOptions;

use super::{Fixture, mk_meta, mk_pod};

/// A pod that mounts a secret.
fn mk_reader(name: &str, secret: &str) -> Pod {
    let mut pod = mk_pod(name);
    let source = SecretVolumeSource { secret_name: secret.into(), ..SecretVolumeSource::default() };
    let volume_source = VolumeSource { secret: Some(source), ..VolumeSource::default() };
    pod.spec.volumes = vec![Volume { name: "v".into(), volume_source }];
    pod
}

async fn place(admin: &Client, pod: Pod, node: &str) -> Pod {
    let pods = admin.api::<Pod>().namespaced("default");
    let pod = pods.create(&pod).await.unwrap();
    pods.bind(&pod, node).await.unwrap();
    pod
}

fn kubelet(fixture: &Fixture, node: &str) -> Client {
    fixture.client_of(&format!("system:node:{node}"), "system:nodes")
}

fn named(name: &str) -> ListParams {
    ListParams { field_selector: format!("metadata.name={name}"), ..ListParams::default() }
}

#[tokio::test]
async fn a_kubelet_asking_for_another_nodes_secrets_is_refused() {
    let fixture = Fixture::new().await;
    let admin = fixture.client();
    for name in ["mine", "theirs"] {
        let secret = Secret { metadata: mk_meta(name), ..Secret::default() };
        admin.api::<Secret>().create(&secret).await.unwrap();
    }
    let pod = place(&admin, mk_reader("a", "mine"), "n1").await;
    place(&admin, mk_reader("b", "theirs"), "n2").await;

    let secrets = kubelet(&fixture, "n1").api::<Secret>().namespaced("default");
    assert_eq!(secrets.get("mine").await.unwrap().metadata.name, "mine");
    assert_eq!(secrets.list(&named("mine")).await.unwrap().items.len(), 1);
    for name in ["theirs", "missing"] {
        let refused = secrets.get(name).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Forbidden);
        assert_eq!(
            refused.message(),
            format!(
                "secrets \"{name}\" is forbidden: User \"system:node:n1\" cannot get resource \"secrets\" in API group \"\" in the namespace \"default\": no relationship found between node 'n1' and this object"
            )
        );
        assert_eq!(secrets.list(&named(name)).await.unwrap_err().reason(), Reason::Forbidden);
        let params =
            WatchParams { field_selector: format!("metadata.name={name}"), ..WatchParams::default() };
        assert_eq!(secrets.watch(&params).await.unwrap_err().reason(), Reason::Forbidden);
    }
    let other = "metadata.name!=theirs";
    for fields in ["", "type=Opaque", other] {
        let params = ListParams { field_selector: fields.into(), ..ListParams::default() };
        assert_eq!(secrets.list(&params).await.unwrap_err().reason(), Reason::Forbidden, "{fields:?}");
    }
    let everywhere = kubelet(&fixture, "n1").api::<Secret>();
    assert_eq!(everywhere.list(&named("mine")).await.unwrap_err().reason(), Reason::Forbidden);

    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    admin.api::<Pod>().namespaced("default").delete(&pod.metadata.name, now).await.unwrap();
    // What a pod gave is taken back when the cache has heard that it is gone, a moment after the client has.
    let refused = async {
        loop {
            match secrets.get("mine").await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => break error,
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(10), refused).await.expect("the pod is gone");
    assert_eq!(refused.reason(), Reason::Forbidden);
}

#[tokio::test]
async fn what_a_kubelet_may_read_outlives_a_restart_of_api() {
    let fixture = Fixture::new().await;
    let admin = fixture.client();
    admin
        .api::<ConfigMap>()
        .create(&ConfigMap { metadata: mk_meta("map"), ..ConfigMap::default() })
        .await
        .unwrap();
    let mut pod = mk_pod("a");
    let source = keelson_proto::core::ConfigMapVolumeSource {
        local_object_reference: LocalObjectReference { name: "map".into() },
        ..Default::default()
    };
    let volume_source = VolumeSource { config_map: Some(source), ..VolumeSource::default() };
    pod.spec.volumes = vec![Volume { name: "v".into(), volume_source }];
    place(&admin, pod, "n1").await;
    let fixture = fixture.restart().await;
    kubelet(&fixture, "n1").api::<ConfigMap>().namespaced("default").get("map").await.unwrap();
    let other = kubelet(&fixture, "n2").api::<ConfigMap>().namespaced("default").get("map").await;
    assert_eq!(other.unwrap_err().reason(), Reason::Forbidden);
}

#[tokio::test]
async fn a_kubelet_cannot_make_a_pod_that_lets_it_read_a_secret() {
    let fixture = Fixture::new().await;
    let mut mirror = mk_reader("mirror", "theirs");
    mirror.spec.node_name = "n1".into();
    mirror.metadata.annotations.insert("kubernetes.io/config.mirror".into(), "x".into());
    let pods = kubelet(&fixture, "n1").api::<Pod>();
    let refused = pods.create(&mirror).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Forbidden);
    assert!(
        refused.message().ends_with("node \"n1\" can not create pods that reference secrets"),
        "{refused}"
    );
    mirror.spec.volumes.clear();
    pods.create(&mirror).await.unwrap();
}
