use futures::stream::{self, StreamExt as _};
use keelson_base_model::status::Reason;
use keelson_proto::Object as _;
use keelson_proto::core::{Pod, PodList};
use keelson_proto::meta::{ListMeta, Status};
use keelson_proto::v1::RawList;
use serde_json::{Value, json};

use super::*;
use crate::kinds::codec;
use crate::negotiate::Include;

const JSON: Form = Form { media: Media::Json, shape: Shape::Object, pretty: false };

fn pod(name: &str) -> Bytes {
    let mut pod = Pod::default();
    pod.metadata.name = name.into();
    pod.encode_to_vec().into()
}

fn page(names: &[&str]) -> RawList {
    let metadata = ListMeta { resource_version: "12".into(), ..Default::default() };
    RawList {
        metadata: Some(metadata),
        items: names.iter().map(|name| pod(name)).collect(),
        ..RawList::default()
    }
}

async fn body(response: Response) -> Bytes {
    axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()
}

/// A list of two pages.
async fn listed(form: Form) -> Bytes {
    let rest = stream::iter([Ok(page(&["c"])), Ok(page(&[]))]).boxed();
    body(list::list(form, codec(Pod::KIND).unwrap(), page(&["a", "b"]), rest, false).await.unwrap()).await
}

fn names(list: &Value, items: &str) -> Vec<String> {
    let items = list[items].as_array().unwrap().iter();
    items
        .map(|item| {
            item.pointer("/metadata/name")
                .or_else(|| item.pointer("/cells/0"))
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_list_has_the_objects_of_all_pages() {
    let text = listed(JSON).await;
    assert!(text.ends_with(b"]}\n"));
    let list: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((list["kind"].clone(), list["apiVersion"].clone()), (json!("PodList"), json!("v1")));
    assert_eq!(list["metadata"], json!({"resourceVersion": "12"}));
    assert_eq!(names(&list, "items"), ["a", "b", "c"]);
    assert_eq!(list["items"][0].get("kind"), None);
}

#[tokio::test]
async fn an_empty_list_has_no_items() {
    let response =
        list::list(JSON, codec(Pod::KIND).unwrap(), page(&[]), stream::empty().boxed(), false).await.unwrap();
    let list: Value = serde_json::from_slice(&body(response).await).unwrap();
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn a_list_in_other_forms() {
    let table = listed(Form { shape: Shape::Table(MetaVersion::V1, Include::None), ..JSON }).await;
    let table: Value = serde_json::from_slice(&table).unwrap();
    assert_eq!(table["columnDefinitions"][0]["name"], "Name");
    assert_eq!(names(&table, "rows"), ["a", "b", "c"]);

    let partial = listed(Form { shape: Shape::Partial(MetaVersion::V1), ..JSON }).await;
    let partial: Value = serde_json::from_slice(&partial).unwrap();
    assert_eq!(partial["kind"], "PartialObjectMetadataList");
    assert_eq!(partial["items"][2]["kind"], "PartialObjectMetadata");

    let indented = listed(Form { pretty: true, ..JSON }).await;
    let value: Value = serde_json::from_slice(&indented).unwrap();
    assert_eq!(indented, serde_json::to_string_pretty(&value).unwrap() + "\n");

    let yaml = listed(Form { media: Media::Yaml, ..JSON }).await;
    let value: Value = yaml_serde::from_slice(&yaml).unwrap();
    assert_eq!(names(&value, "items"), ["a", "b", "c"]);

    let wrapped = envelope::unwrap(&listed(Form { media: Media::Protobuf, ..JSON }).await).unwrap();
    assert_eq!((&*wrapped.api_version, &*wrapped.kind), ("v1", "PodList"));
    let list = PodList::decode(wrapped.raw).unwrap();
    assert_eq!(list.metadata.resource_version, "12");
    assert_eq!(list.items.len(), 3);
}

/// A list of two pages in protobuf, of which api said that they take so many bytes.
async fn streamed(items_bytes: u64) -> Result<Bytes, String> {
    let form = Form { media: Media::Protobuf, ..JSON };
    let first = RawList { items_bytes, ..page(&["a", "b"]) };
    let rest = stream::iter([Ok(page(&["c"]))]).boxed();
    let response = list::list(form, codec(Pod::KIND).unwrap(), first, rest, false).await;
    let response = response.map_err(|error| error.to_string())?;
    axum::body::to_bytes(response.into_body(), usize::MAX).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_list_in_protobuf_is_streamed_if_its_length_is_known() {
    let size: u64 = ["a", "b", "c"].map(|name| wire::item_len(pod(name).len())).iter().sum();
    let whole = listed(Form { media: Media::Protobuf, ..JSON }).await;
    assert_eq!(streamed(size).await.unwrap(), whole);
    assert!(streamed(size + 1).await.unwrap_err().contains("less of a list"));
    assert!(streamed(size - 1).await.unwrap_err().contains("more of a list"));
}

#[tokio::test]
async fn one_object_as_a_table_has_one_row() {
    let form = Form { shape: Shape::Table(MetaVersion::V1beta1, Include::Metadata), ..JSON };
    let object = wire::with_resource_version(&pod("web"), 5);
    let table = body(super::object(form, codec(Pod::KIND).unwrap(), StatusCode::OK, &object).unwrap()).await;
    let table: Value = serde_json::from_slice(&table).unwrap();
    assert_eq!(table["apiVersion"], "meta.k8s.io/v1beta1");
    assert_eq!(table["metadata"]["resourceVersion"], "5");
    assert_eq!(names(&table, "rows"), ["web"]);
}

#[tokio::test]
async fn failures_are_statuses_in_every_form() {
    let failed = || ApiError::too_many_requests("slow down", std::time::Duration::from_secs(1));
    let response = status::failure(JSON, failed());
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    let value: Value = serde_json::from_slice(&body(response).await).unwrap();
    assert_eq!((value["kind"].clone(), value["reason"].clone()), (json!("Status"), json!("TooManyRequests")));

    let response = status::failure(Form { media: Media::Protobuf, ..JSON }, failed());
    let wrapped = envelope::unwrap(&body(response).await).unwrap();
    assert_eq!(wrapped.kind, "Status");
    assert_eq!(Status::decode(wrapped.raw).unwrap().code, 429);

    let response = status::failure(JSON, ApiError::new(Reason::Unauthorized, "who?"));
    assert!(response.headers().contains_key("www-authenticate"));
}

#[test]
fn warnings_are_quoted() {
    let mut response = Response::default();
    warn(&mut response, &["unknown field \"spec.x\"".to_owned(), "duplicate field \"a\"".to_owned()]);
    let values: Vec<_> = response.headers().get_all("warning").iter().collect();
    assert_eq!(values, [r#"299 - "unknown field \"spec.x\"""#, r#"299 - "duplicate field \"a\"""#]);
}
