//! DELETE on an object or a collection.

use keelson_base_model::status::ApiError;
use keelson_proto::meta::DeleteOptions;
use keelson_proto::v1::{DeleteCollectionRequest, DeleteRequest};

use super::list;
use crate::body::{self, Content, Validation};
use crate::query::Query;
use crate::route::Call;

/// Asks to delete one object.
pub(crate) fn delete(call: &Call, options: DeleteOptions) -> DeleteRequest {
    DeleteRequest { namespace: call.namespace.clone(), name: call.name.clone(), options: Some(options) }
}

/// Asks to delete all objects that a list would show.
pub(crate) fn collection(
    call: &Call,
    query: &Query,
    options: DeleteOptions,
) -> Result<DeleteCollectionRequest, ApiError> {
    Ok(DeleteCollectionRequest { list: Some(list::list(call, query)?), options: Some(options) })
}

/// How to delete: what the body says, or the query if there is no body.
pub(crate) fn options(query: &Query, content: Content) -> Result<DeleteOptions, ApiError> {
    if !content.bytes.is_empty() {
        return Ok(body::decode(&content, Validation::Ignore)?.0);
    }
    Ok(DeleteOptions {
        grace_period_seconds: query.number("gracePeriodSeconds")?,
        orphan_dependents: query.optional_flag("orphanDependents"),
        propagation_policy: query
            .first("propagationPolicy")
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        dry_run: query.all("dryRun"),
        ..DeleteOptions::default()
    })
}
