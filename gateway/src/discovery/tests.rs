use http::header::{ACCEPT, CONTENT_TYPE};

use super::*;
use crate::negotiate::{Media, Shape};

const JSON: Form = Form { media: Media::Json, shape: Shape::Object, pretty: false };

/// What kubectl 1.27 and later send.
const KUBECTL: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

fn accepting(accept: &str) -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())])
}

async fn value(response: Result<Response, ApiError>) -> Value {
    let body = axum::body::to_bytes(response.unwrap().into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn versions_and_groups() {
    let headers = accepting("application/json, */*");
    assert_eq!(
        value(core_versions(JSON, &headers, "10.0.0.1:6443")).await,
        json!({
            "kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "10.0.0.1:6443"}],
        })
    );
    let group = |name: &str| {
        let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
        json!({"name": name, "versions": [version], "preferredVersion": version})
    };
    // Those that no resource is of, but a subresource, are there too.
    let names = [
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
    ];
    assert_eq!(
        value(groups(JSON, &headers)).await,
        json!({
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": names.map(group),
        })
    );
    assert_eq!(value(super::group(JSON, "coordination.k8s.io")).await["name"], "coordination.k8s.io");
    assert_eq!(value(super::version(JSON)).await["gitVersion"], "v1.33.0");
}

#[tokio::test]
async fn the_core_group_has_the_resources_of_kubectl() {
    let list = value(resources(JSON, "", "v1")).await;
    assert_eq!((&list["kind"], &list["groupVersion"]), (&json!("APIResourceList"), &json!("v1")));
    let resources = list["resources"].as_array().unwrap();
    let names: Vec<&str> = resources.iter().map(|resource| resource["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "bindings",
            "componentstatuses",
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "namespaces/finalize",
            "namespaces/status",
            "nodes",
            "nodes/proxy",
            "nodes/status",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "persistentvolumes",
            "persistentvolumes/status",
            "pods",
            "pods/attach",
            "pods/binding",
            "pods/eviction",
            "pods/exec",
            "pods/log",
            "pods/portforward",
            "pods/proxy",
            "pods/status",
            "podtemplates",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
            "secrets",
            "serviceaccounts",
            "serviceaccounts/token",
            "services",
            "services/proxy",
            "services/status",
        ]
    );
    let pods = &resources[names.iter().position(|name| *name == "pods").unwrap()];
    assert_eq!(
        *pods,
        json!({
            "name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod",
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
            "shortNames": ["po"], "categories": ["all"],
        })
    );
    let exec = &resources[names.iter().position(|name| *name == "pods/exec").unwrap()];
    assert_eq!(
        *exec,
        json!({
            "name": "pods/exec", "singularName": "", "namespaced": true, "kind": "PodExecOptions",
            "verbs": ["create", "get"],
        })
    );
    let scale = &resources[names.iter().position(|name| *name == "replicationcontrollers/scale").unwrap()];
    assert_eq!(
        *scale,
        json!({
            "name": "replicationcontrollers/scale", "singularName": "", "namespaced": true,
            "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"],
        })
    );
}

#[tokio::test]
async fn newer_clients_get_all_in_one_document() {
    let response = core_versions(JSON, &accepting(KUBECTL), "").unwrap();
    assert_eq!(
        response.headers()[CONTENT_TYPE],
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    let list = value(Ok(response)).await;
    assert_eq!(list["apiVersion"], "apidiscovery.k8s.io/v2");
    let resources = list["items"][0]["versions"][0]["resources"].as_array().unwrap();
    let pods = resources.iter().find(|resource| resource["resource"] == "pods").unwrap();
    assert_eq!((&pods["scope"], &pods["shortNames"]), (&json!("Namespaced"), &json!(["po"])));
    assert_eq!(pods["responseKind"], json!({"group": "", "version": "v1", "kind": "Pod"}));
    let below = pods["subresources"].as_array().unwrap();
    assert_eq!(
        *below.iter().find(|below| below["subresource"] == "log").unwrap(),
        json!({
            "subresource": "log", "responseKind": {"group": "", "version": "v1", "kind": "Pod"}, "verbs": ["get"],
        })
    );
    let others = value(groups(JSON, &accepting(KUBECTL))).await;
    assert_eq!(others["items"][0]["metadata"]["name"], "authentication.k8s.io");
    let groups_of = others["items"].as_array().unwrap();
    let slices = groups_of.iter().find(|group| group["metadata"]["name"] == "discovery.k8s.io").unwrap();
    assert_eq!(
        slices["versions"][0]["resources"][0]["responseKind"],
        json!({"group": "discovery.k8s.io", "version": "v1", "kind": "EndpointSlice"})
    );
    let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    assert_eq!(value(groups(JSON, &accepting(beta))).await["apiVersion"], "apidiscovery.k8s.io/v2beta1");
}

#[tokio::test]
async fn a_client_that_has_the_document_is_told_so() {
    let mut headers = accepting(KUBECTL);
    let tag = groups(JSON, &headers).unwrap().headers()[ETAG].clone();
    headers.insert(IF_NONE_MATCH, tag);
    assert_eq!(groups(JSON, &headers).unwrap().status(), StatusCode::NOT_MODIFIED);
    headers.insert(IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
    assert_eq!(groups(JSON, &headers).unwrap().status(), StatusCode::OK);
}
