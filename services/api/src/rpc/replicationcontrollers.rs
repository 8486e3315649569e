//! What replication controllers have besides the verbs of all nouns: their scale.

use std::sync::Arc;

use keelson_proto::Message;
use keelson_proto::v1::{GetRequest, ScaleRequest};

use crate::registry::{Noun, Registry, ReplicationControllerStrategy};
use crate::rpc::unary::unary;
use crate::rpc::verbs::may;
use crate::rpc::{Extra, ResponseFuture};

/// The dispatcher of these verbs.
pub(super) fn extra(registry: Arc<Registry<ReplicationControllerStrategy>>) -> Extra {
    Arc::new(move |caller, method, request| {
        let registry = registry.clone();
        let answer: ResponseFuture = match method.as_str() {
            "GetScale" => Box::pin(async move {
                let call = |get: GetRequest| async move {
                    may(&*registry as &dyn Noun, &caller, "get", "scale", &get.namespace, &get.name)?;
                    Ok(registry.scale_of(&get).await?.encode_to_vec().into())
                };
                unary(request, call).await
            }),
            "Scale" => Box::pin(async move {
                let call = |scale: ScaleRequest| async move {
                    may(&*registry as &dyn Noun, &caller, "update", "scale", &scale.namespace, &scale.name)?;
                    Ok(registry.scale(&caller, scale).await?.encode_to_vec().into())
                };
                unary(request, call).await
            }),
            _ => return None,
        };
        Some(answer)
    })
}
