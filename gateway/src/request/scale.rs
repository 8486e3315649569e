//! PUT and PATCH on the scale of an object.

use keelson_base_model::patch::{self, Form, Schema};
use keelson_base_model::status::ApiError;
use keelson_proto::autoscaling::Scale;
use keelson_proto::json;
use keelson_proto::v1::ScaleRequest;

use super::{same_name, same_namespace, update};
use crate::query::Query;
use crate::route::Call;

/// Asks for a number of replicas.
pub(crate) fn scale(call: &Call, query: &Query, scale: Scale) -> Result<ScaleRequest, ApiError> {
    same_name(call, &scale.metadata.name)?;
    same_namespace(call, &scale.metadata.namespace)?;
    Ok(ScaleRequest {
        namespace: call.namespace.clone(),
        name: call.name.clone(),
        scale: Some(scale),
        options: Some(update::options(query)),
    })
}

/// Asks for what a patch makes of a scale that was read. It is refused if the object has changed since.
pub(crate) fn patched(
    call: &Call,
    query: &Query,
    form: Form,
    patch: &[u8],
    old: &Scale,
) -> Result<ScaleRequest, ApiError> {
    let old = serde_json::to_value(old)
        .map_err(|error| ApiError::internal(format!("cannot write JSON: {error}")))?;
    let new = patch::apply(form, Schema::of("k8s.io.api.autoscaling.v1.Scale"), &old, patch)?;
    let (new, _) = json::from_deserializer::<Scale, _>(new)
        .map_err(|error| ApiError::bad_request(format!("the patched object is no Scale: {error}")))?;
    scale(call, query, new)
}
