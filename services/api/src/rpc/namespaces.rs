//! What namespaces have besides the verbs of all nouns: their finalizers.

use std::sync::Arc;

use keelson_proto::v1::RawUpdateRequest;

use crate::registry::{NamespaceStrategy, Noun, Registry};
use crate::rpc::unary::unary;
use crate::rpc::verbs::may;
use crate::rpc::{Extra, ResponseFuture};

/// The dispatcher of this verb.
pub(super) fn extra(registry: Arc<Registry<NamespaceStrategy>>) -> Extra {
    Arc::new(move |caller, method, request| {
        if method != "Finalize" {
            return None;
        }
        let registry = registry.clone();
        let answer: ResponseFuture = Box::pin(async move {
            let call = |update: RawUpdateRequest| async move {
                may(&*registry as &dyn Noun, &caller, "update", "finalize", "", &update.name)?;
                registry.finalize(update).await
            };
            unary(request, call).await
        });
        Some(answer)
    })
}
