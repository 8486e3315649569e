//! POST of a binding: to a pod's `binding`, or to 1.0's `bindings` with the pod named in the body.

use keelson_base_model::status::ApiError;
use keelson_proto::core::Binding;
use keelson_proto::v1::BindPodRequest;

use super::{same_name, same_namespace};
use crate::route::Call;

/// Asks to put a pod on a node.
pub(crate) fn bind(call: &Call, mut binding: Binding) -> Result<BindPodRequest, ApiError> {
    same_namespace(call, &binding.metadata.namespace)?;
    let name = &mut binding.metadata.name;
    match (call.name.as_str(), name.as_str()) {
        ("", "") => {
            return Err(ApiError::bad_request("metadata.name of the binding must name the pod"));
        }
        ("", _) => {}
        (pod, "") => pod.clone_into(name),
        _ => same_name(call, name)?,
    }
    Ok(BindPodRequest { namespace: call.namespace.clone(), binding: Some(binding) })
}
