//! From HTTP to api's requests: pure translations, one file per verb.

pub(crate) mod binding;
pub(crate) mod connect;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod evict;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod patch;
pub(crate) mod scale;
pub(crate) mod token;
pub(crate) mod update;
pub(crate) mod watch;

use keelson_base_model::status::{ApiError, GroupKind};
use keelson_proto::v1::GetRequest;

use crate::query::Query;
use crate::route::Call;

/// What lists and watches are refused as whose parameters do not fit together.
const LIST_OPTIONS: GroupKind<'static> = GroupKind { group: "meta.k8s.io", kind: "ListOptions" };

/// Asks for one object.
pub(crate) fn get(call: &Call, query: &Query) -> GetRequest {
    GetRequest {
        namespace: call.namespace.clone(),
        name: call.name.clone(),
        resource_version: query.text("resourceVersion"),
    }
}

/// Refuses an object that says it belongs to another namespace than the path's.
fn same_namespace(call: &Call, namespace: &str) -> Result<(), ApiError> {
    if !call.kind.namespaced || namespace.is_empty() || namespace == call.namespace {
        return Ok(());
    }
    Err(ApiError::bad_request(
        "the namespace of the provided object does not match the namespace sent on the request",
    ))
}

/// Refuses an object whose name is not the path's.
fn same_name(call: &Call, name: &str) -> Result<(), ApiError> {
    if name == call.name {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "the name of the object ({name}) does not match the name on the URL ({})",
        call.name
    )))
}

#[cfg(test)]
mod tests;
