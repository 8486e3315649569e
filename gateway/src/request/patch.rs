//! PATCH on an object or its status. The patch passes through: api knows how to apply it.

use bytes::Bytes;
use keelson_base_model::status::ApiError;
use keelson_proto::meta::PatchOptions;
use keelson_proto::v1::PatchRequest;

use crate::query::Query;
use crate::route::{Call, Verb};

const ACCEPTED: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// Asks to change part of an object.
pub(crate) fn patch(
    call: &Call,
    query: &Query,
    content_type: String,
    patch: Bytes,
) -> Result<PatchRequest, ApiError> {
    if !ACCEPTED.contains(&content_type.as_str()) {
        return Err(ApiError::unsupported_media_type(ACCEPTED));
    }
    let subresource = if call.verb == Verb::PatchStatus { "status" } else { "" };
    let options = PatchOptions {
        dry_run: query.all("dryRun"),
        force: query.optional_flag("force"),
        field_manager: query.text("fieldManager"),
        field_validation: query.text("fieldValidation"),
    };
    Ok(PatchRequest {
        namespace: call.namespace.clone(),
        name: call.name.clone(),
        subresource: subresource.to_owned(),
        content_type,
        patch,
        options: Some(options),
    })
}
