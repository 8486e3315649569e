use std::collections::BTreeSet;

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use prost::Message as _;
use serde_json::{Value, json};

use super::*;

fn v3(path: &str) -> Value {
    document::v3().unwrap().into_iter().find(|(known, _)| known == path).unwrap().1
}

/// Everything that `$ref` names below a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| references(element, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let mut documents: Vec<Value> = document::v3().unwrap().into_iter().map(|(_, value)| value).collect();
    documents.push(document::v2().unwrap());
    for document in documents {
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 2);
        for reference in found {
            let schema = document.pointer(reference.strip_prefix('#').unwrap());
            assert!(schema.is_some_and(|schema| schema["description"].is_string()), "{reference}");
        }
    }
}

#[test]
fn operations_have_names_of_their_own() {
    let document = document::v2().unwrap();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
        {
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        }
    }
    assert!(ids.contains("readCoreV1NamespacedPodStatus"), "{ids:?}");
}

#[test]
fn fields_carry_what_clients_merge_by() {
    let spec = &document::v2().unwrap()["definitions"]["io.k8s.api.core.v1.PodSpec"];
    let containers = &spec["properties"]["containers"];
    assert_eq!(containers["items"]["$ref"], "#/definitions/io.k8s.api.core.v1.Container");
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(spec["required"], json!(["containers"]));
    let spec = &v3("api/v1")["components"]["schemas"]["io.k8s.api.core.v1.ServiceSpec"];
    let ports = &spec["properties"]["ports"];
    assert_eq!(ports["x-kubernetes-list-map-keys"], json!(["port", "protocol"]));
    assert_eq!(ports["x-kubernetes-list-type"], "map");
}

#[test]
fn kinds_say_what_they_are() {
    let document = v3("api/v1");
    let pod = &document["components"]["schemas"]["io.k8s.api.core.v1.Pod"];
    assert_eq!(
        pod["x-kubernetes-group-version-kind"],
        json!([{"group": "", "version": "v1", "kind": "Pod"}])
    );
    assert!(pod["properties"]["apiVersion"].is_object() && pod["properties"]["kind"].is_object());
    assert_eq!(
        pod["properties"]["spec"]["allOf"],
        json!([{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}])
    );
    let get = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["get"];
    assert_eq!(get["x-kubernetes-group-version-kind"], json!({"group": "", "version": "v1", "kind": "Pod"}));
    assert_eq!(get["x-kubernetes-action"], "get");
    let scale =
        &document["paths"]["/api/v1/namespaces/{namespace}/replicationcontrollers/{name}/scale"]["put"];
    assert_eq!(scale["x-kubernetes-group-version-kind"]["kind"], "Scale");
}

#[test]
fn values_have_the_types_of_their_json() {
    let schemas = &v3("api/v1")["components"]["schemas"];
    let meta = &schemas["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]["properties"];
    assert_eq!(meta["labels"]["additionalProperties"], json!({"type": "string"}));
    assert_eq!(
        (&meta["generation"]["type"], &meta["generation"]["format"]),
        (&json!("integer"), &json!("int64"))
    );
    let time = &schemas["io.k8s.apimachinery.pkg.apis.meta.v1.Time"];
    assert_eq!((&time["type"], &time["format"]), (&json!("string"), &json!("date-time")));
    assert_eq!(schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"], "int-or-string");
}

/// kubectl finds out by these whether the server checks fields and knows dry runs.
#[test]
fn patches_take_validation_and_dry_run() {
    for (path, item) in v3("api/v1")["paths"].as_object().unwrap() {
        let Some(patch) = item.get("patch").filter(|patch| patch["x-kubernetes-action"] != "connect") else {
            continue;
        };
        let names: Vec<_> =
            patch["parameters"].as_array().unwrap().iter().map(|known| &known["name"]).collect();
        assert!(names.contains(&&json!("fieldValidation")) && names.contains(&&json!("dryRun")), "{path}");
    }
}

#[test]
fn the_protobuf_form_says_the_same() {
    let json = document::v2().unwrap();
    let decoded = gnostic::Decoded::decode(&*gnostic::encode(&json)).unwrap();
    let definitions = decoded.definitions.unwrap().additional_properties;
    assert_eq!(definitions.len(), json["definitions"].as_object().unwrap().len());
    let pod = definitions.iter().find(|known| known.name == "io.k8s.api.core.v1.Pod").unwrap();
    let pod = pod.value.as_ref().unwrap();
    assert_eq!(pod.types.as_ref().unwrap().value, ["object"]);
    assert_eq!(pod.vendor_extension[0].name, "x-kubernetes-group-version-kind");
    let properties = &pod.properties.as_ref().unwrap().additional_properties;
    let spec = properties.iter().find(|known| known.name == "spec").unwrap().value.as_ref().unwrap();
    assert_eq!(spec.reference, "#/definitions/io.k8s.api.core.v1.PodSpec");
    let paths = decoded.paths.unwrap().path;
    let pods = paths.iter().find(|known| known.name == "/api/v1/namespaces/{namespace}/pods/{name}").unwrap();
    let patch = pods.value.as_ref().unwrap().patch.as_ref().unwrap();
    let query = patch
        .parameters
        .iter()
        .filter_map(|known| known.parameter.as_ref()?.non_body_parameter.as_ref()?.query_parameter.as_ref());
    assert!(query.map(|known| known.name.as_str()).any(|name| name == "dryRun"));
}

#[tokio::test]
async fn documents_are_served_in_the_form_asked_for() {
    let documents = Documents::default();
    let headers = |accept: &str, encoding: &str| {
        HeaderMap::from_iter([
            (ACCEPT, accept.parse().unwrap()),
            (ACCEPT_ENCODING, encoding.parse().unwrap()),
        ])
    };

    let protobuf = documents.v2(&headers(V2_PROTOBUF_ASKED[0], "gzip")).await.unwrap();
    assert_eq!(
        (&protobuf.headers()[CONTENT_TYPE], &protobuf.headers()[CONTENT_ENCODING]),
        (&HeaderValue::from_static(V2_PROTOBUF), &HeaderValue::from_static("gzip"))
    );

    let index = documents.v3(&headers("*/*", "")).await.unwrap();
    let index: Value =
        serde_json::from_slice(&axum::body::to_bytes(index.into_body(), usize::MAX).await.unwrap()).unwrap();
    let address = index["paths"]["api/v1"]["serverRelativeURL"].as_str().unwrap();
    let hash = address.strip_prefix("/openapi/v3/api/v1?hash=").unwrap();

    let mut asking = headers("application/json", "");
    let one = documents.v3_of("api/v1", &asking).await.unwrap();
    assert_eq!(one.headers()[ETAG], format!("\"{hash}\""));
    let body = axum::body::to_bytes(one.into_body(), usize::MAX).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["openapi"], "3.0.0");

    asking.insert(IF_NONE_MATCH, format!("\"{hash}\"").parse().unwrap());
    assert_eq!(documents.v3_of("api/v1", &asking).await.unwrap().status(), 304);
    assert_eq!(documents.v3_of("apis/none/v1", &asking).await.unwrap_err().code(), 404);
    assert_eq!(documents.v2(&headers("text/html", "")).await.unwrap_err().code(), 406);
}
