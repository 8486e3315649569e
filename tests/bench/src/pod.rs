//! The pod that is created again and again.

use anyhow::Context;
use bytes::Bytes;
use keelson_base_client::Client;
use keelson_proto::core::Pod;
use keelson_proto::v1::{GetRequest, RawCreateRequest};
use keelson_proto::{Message, Object, envelope};
use serde_json::json;

/// Where pods are created.
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

/// A pod as a user would write it, with the label `bench=<group>`. It waits for a scheduler that does not exist, so
/// nothing happens to it but that it is stored and told to those who watch.
pub(crate) fn unscheduled(group: &str, name: &str) -> Bytes {
    let mut pod = template(group, name);
    pod["spec"]["schedulerName"] = json!("none");
    pod.to_string().into()
}

/// The same pod as a request to api, without the gateway.
pub(crate) fn request(group: &str, name: &str) -> anyhow::Result<RawCreateRequest> {
    let pod: Pod = serde_json::from_slice(&unscheduled(group, name))?;
    let object = pod.encode_to_vec().into();
    Ok(RawCreateRequest { namespace: "default".into(), object, options: None })
}

/// A pod that runs: one container of this image.
pub(crate) fn running(group: &str, name: &str, image: &str) -> Bytes {
    let mut pod = template(group, name);
    pod["spec"]["containers"][0] = json!({"name": "app", "image": image, "imagePullPolicy": "Never"});
    pod.to_string().into()
}

/// What the store was given for a pod: without its resourceVersion, in the envelope.
pub(crate) async fn stored(client: &Client, name: &str) -> anyhow::Result<Bytes> {
    let request = GetRequest { namespace: "default".into(), name: name.into(), ..Default::default() };
    let raw = client.raw(Pod::KIND.service).get(request).await.context("cannot read a pod back")?;
    let mut pod = Pod::decode(raw)?;
    pod.metadata.resource_version.clear();
    Ok(envelope::wrap("v1", "Pod", &pod.encode_to_vec(), &[]))
}

fn template(group: &str, name: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web", "bench": group}},
        "spec": {
            "terminationGracePeriodSeconds": 2,
            "containers": [{
                "name": "web",
                "image": "registry.example.com/team/web:1.27.3",
                "args": ["--listen=:8080", "--log-level=info"],
                "ports": [{"name": "http", "containerPort": 8080}],
                "env": [
                    {"name": "DATABASE", "value": "postgres://db.default/app"},
                    {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "64Mi"},
                    "limits": {"cpu": "500m", "memory": "128Mi"},
                },
                "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
            }],
            "volumes": [{"name": "cache", "emptyDir": {}}],
        },
    })
}
