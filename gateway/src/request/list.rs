//! GET on a collection.

use keelson_base_model::field::{FieldError, Path};
use keelson_base_model::status::ApiError;
use keelson_proto::v1::ListRequest;

use crate::kinds::alias;
use crate::query::Query;
use crate::request::LIST_OPTIONS;
use crate::route::Call;

/// Asks for a list.
pub(crate) fn list(call: &Call, query: &Query) -> Result<ListRequest, ApiError> {
    if query.first("sendInitialEvents").is_some() {
        let path = Path::new("sendInitialEvents");
        let error = FieldError::forbidden(&path, "sendInitialEvents is forbidden for list");
        return Err(ApiError::invalid(LIST_OPTIONS, "", error.into()));
    }
    Ok(ListRequest {
        namespace: call.namespace.clone(),
        label_selector: query.text("labelSelector"),
        field_selector: alias::selector(call.kind, query.text("fieldSelector")),
        resource_version: query.text("resourceVersion"),
        resource_version_match: query.text("resourceVersionMatch"),
        limit: query.number("limit")?.unwrap_or_default(),
        r#continue: query.text("continue"),
    })
}
