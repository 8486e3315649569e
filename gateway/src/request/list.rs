//! GET on a collection.

use keelson_base_model::status::ApiError;
use keelson_proto::v1::ListRequest;

use crate::query::Query;
use crate::route::Call;

/// Asks for a list.
pub(crate) fn list(call: &Call, query: &Query) -> Result<ListRequest, ApiError> {
    Ok(ListRequest {
        namespace: call.namespace.clone(),
        label_selector: query.text("labelSelector"),
        field_selector: query.text("fieldSelector"),
        resource_version: query.text("resourceVersion"),
        resource_version_match: query.text("resourceVersionMatch"),
        limit: query.number("limit")?.unwrap_or_default(),
        r#continue: query.text("continue"),
    })
}
