//! POST on a collection.

use keelson_base_model::status::ApiError;
use keelson_proto::meta::CreateOptions;
use keelson_proto::v1::RawCreateRequest;

use super::same_namespace;
use crate::kinds::Received;
use crate::query::Query;
use crate::route::Call;

/// Asks to store a new object.
pub(crate) fn create(call: &Call, query: &Query, received: &Received) -> Result<RawCreateRequest, ApiError> {
    same_namespace(call, &received.namespace)?;
    let options = CreateOptions {
        dry_run: query.all("dryRun"),
        field_manager: query.text("fieldManager"),
        field_validation: query.text("fieldValidation"),
    };
    Ok(RawCreateRequest {
        namespace: call.namespace.clone(),
        object: received.object.clone(),
        options: Some(options),
    })
}
