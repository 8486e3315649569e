//! The verbs that all nouns have.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use keelson_base_daemon::tasks::Drain;
use keelson_base_daemon::trace;
use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::v1::{
    DeleteCollectionRequest, DeleteRequest, GetRequest, ListRequest, PatchRequest, RawCreateRequest,
    RawUpdateRequest, WatchRequest,
};

use crate::auth::{self, Caller, NodeReferences, authorize_object, authorize_selection};
use crate::registry::{Noun, Part};
use crate::rpc::unary::{streaming, unary};
use crate::rpc::watch;

/// Objects in a page of a streamed list: well below gRPC's usual limit on a message, and little to hold for a reader who
/// is slow.
const STREAM_PAGE: i64 = 128;

/// A verb that all nouns have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    List,
    ListStream,
    Watch,
    Get,
    Create,
    Update,
    UpdateStatus,
    Patch,
    Delete,
    DeleteCollection,
}

// === impl Verb ===

impl Verb {
    /// The verb of a gRPC method.
    pub(super) fn parse(method: &str) -> Option<Self> {
        Some(match method {
            "List" => Self::List,
            "ListStream" => Self::ListStream,
            "Watch" => Self::Watch,
            "Get" => Self::Get,
            "Create" => Self::Create,
            "Update" => Self::Update,
            "UpdateStatus" => Self::UpdateStatus,
            "Patch" => Self::Patch,
            "Delete" => Self::Delete,
            "DeleteCollection" => Self::DeleteCollection,
            _ => return None,
        })
    }
}

/// Serves one call.
pub(super) async fn serve(
    noun: Arc<dyn Noun>,
    verb: Verb,
    caller: Caller,
    references: Arc<NodeReferences>,
    drain: Drain,
    request: Request,
) -> Response {
    match verb {
        Verb::Get => {
            let call = |get: GetRequest| async move {
                may(&*noun, &caller, "get", "", &get.namespace, &get.name)?;
                let asked = asked(&*noun, "get", "", &get.namespace, &get.name);
                references.authorize(&caller, asked, "").await?;
                let object = noun.get(get).await?;
                authorize_object(&caller, noun.kind(), &object)?;
                Ok(object)
            };
            unary(request, call).await
        }
        Verb::List => {
            let call = |list: ListRequest| async move {
                may_select(&*noun, &caller, &references, "list", &list.namespace, &list.field_selector)
                    .await?;
                Ok(noun.list(list).await?.encode_to_vec().into())
            };
            unary(request, call).await
        }
        Verb::ListStream => {
            let call = |list: ListRequest| async move {
                may_select(&*noun, &caller, &references, "list", &list.namespace, &list.field_selector)
                    .await?;
                Ok(pages(noun.clone(), list).boxed())
            };
            streaming(request, call).await
        }
        Verb::Watch => {
            let call = |watch: WatchRequest| async move {
                may_select(&*noun, &caller, &references, "watch", &watch.namespace, &watch.field_selector)
                    .await?;
                watch::frames(&*noun, watch, drain).await
            };
            streaming(request, call).await
        }
        verb => write(noun, verb, caller, request).await,
    }
}

/// Serves a call that writes.
async fn write(noun: Arc<dyn Noun>, verb: Verb, caller: Caller, request: Request) -> Response {
    match verb {
        Verb::Create => {
            let call = |create: RawCreateRequest| async move {
                may(&*noun, &caller, "create", "", &create.namespace, "")?;
                noun.create(caller, create).await
            };
            unary(request, call).await
        }
        Verb::Update => update(noun, caller, request, Part::Whole).await,
        Verb::UpdateStatus => update(noun, caller, request, Part::Status).await,
        Verb::Patch => {
            let call = |patch: PatchRequest| async move {
                may(&*noun, &caller, "patch", &patch.subresource, &patch.namespace, &patch.name)?;
                noun.patch(caller, patch).await
            };
            unary(request, call).await
        }
        Verb::Delete => {
            let call = |delete: DeleteRequest| async move {
                may(&*noun, &caller, "delete", "", &delete.namespace, &delete.name)?;
                Ok(noun.delete(caller, delete).await?.encode_to_vec().into())
            };
            unary(request, call).await
        }
        _ => {
            let call = |delete: DeleteCollectionRequest| async move {
                let namespace = delete.list.as_ref().map(|list| list.namespace.clone()).unwrap_or_default();
                may(&*noun, &caller, "deletecollection", "", &namespace, "")?;
                Ok(noun.delete_collection(caller, delete).await?.encode_to_vec().into())
            };
            unary(request, call).await
        }
    }
}

async fn update(noun: Arc<dyn Noun>, caller: Caller, request: Request, part: Part) -> Response {
    let call = |update: RawUpdateRequest| async move {
        let subresource = if part == Part::Status { "status" } else { "" };
        may(&*noun, &caller, "update", subresource, &update.namespace, &update.name)?;
        if part == Part::Status && !noun.has_status() {
            return Err(ApiError::method_not_allowed(noun.kind(), "update status"));
        }
        noun.update(caller, update, part).await
    };
    unary(request, call).await
}

/// A list as pages of one state. Each page is read when the one before has been taken.
fn pages(
    noun: Arc<dyn Noun>,
    list: ListRequest,
) -> impl futures::Stream<Item = Result<Bytes, ApiError>> + Send {
    // Of a limited list a revision means exactly that, of a whole one at least that: pages do not make it limited.
    let whole =
        list.limit == 0 && list.resource_version_match.is_empty() && !list.resource_version.is_empty();
    let first = ListRequest {
        limit: if list.limit > 0 { list.limit } else { STREAM_PAGE },
        resource_version_match: if whole { "NotOlderThan".to_owned() } else { list.resource_version_match },
        ..list
    };
    futures::stream::try_unfold(Some(first), move |next| {
        let noun = noun.clone();
        async move {
            let Some(request) = next else { return Ok(None) };
            let page = noun.list(request.clone()).await?;
            let token =
                page.metadata.as_ref().map(|metadata| metadata.r#continue.clone()).unwrap_or_default();
            let next = (!token.is_empty()).then(|| ListRequest {
                r#continue: token,
                resource_version: String::new(),
                resource_version_match: String::new(),
                ..request
            });
            Ok(Some((page.encode_to_vec().into(), next)))
        }
    })
}

/// Whether the caller may.
pub(super) fn may(
    noun: &dyn Noun,
    caller: &Caller,
    verb: &str,
    subresource: &str,
    namespace: &str,
    name: &str,
) -> Result<(), ApiError> {
    let asked = asked(noun, verb, subresource, namespace, name);
    let allowed = trace::span("authorization").in_scope(|| noun.access().authorize(caller, asked));
    if let Some(entry) = &caller.audit {
        entry.asked(noun.kind(), &asked, &allowed);
    }
    allowed
}

/// Whether the caller may list or watch what these fields select.
async fn may_select(
    noun: &dyn Noun,
    caller: &Caller,
    references: &NodeReferences,
    verb: &str,
    namespace: &str,
    fields: &str,
) -> Result<(), ApiError> {
    may(noun, caller, verb, "", namespace, "")?;
    authorize_selection(caller, noun.kind(), fields)?;
    references.authorize(caller, asked(noun, verb, "", namespace, ""), fields).await
}

fn asked<'a>(
    noun: &dyn Noun,
    verb: &'a str,
    subresource: &'a str,
    namespace: &'a str,
    name: &'a str,
) -> auth::Request<'a> {
    let kind = noun.kind();
    auth::Request { verb, resource: kind.plural, group: kind.group, subresource, namespace, name }
}
