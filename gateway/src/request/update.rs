//! PUT on an object, its status or its finalizers.

use keelson_base_model::status::ApiError;
use keelson_proto::meta::UpdateOptions;
use keelson_proto::v1::RawUpdateRequest;

use super::{same_name, same_namespace};
use crate::kinds::Received;
use crate::query::Query;
use crate::route::Call;

/// Asks to replace an object.
pub(crate) fn update(call: &Call, query: &Query, received: &Received) -> Result<RawUpdateRequest, ApiError> {
    same_name(call, &received.name)?;
    same_namespace(call, &received.namespace)?;
    Ok(RawUpdateRequest {
        namespace: call.namespace.clone(),
        name: call.name.clone(),
        object: received.object.clone(),
        options: Some(options(query)),
    })
}

/// How an object is replaced.
pub(super) fn options(query: &Query) -> UpdateOptions {
    UpdateOptions {
        dry_run: query.all("dryRun"),
        field_manager: query.text("fieldManager"),
        field_validation: query.text("fieldValidation"),
    }
}
