//! What nodes have besides the verbs of all nouns: the slides' "contains".

use std::sync::Arc;

use keelson_proto::Message;
use keelson_proto::v1::{GetRequest, NodesContainsRequest, NodesContainsResponse};

use crate::registry::{NodeStrategy, Noun, Registry};
use crate::rpc::unary::unary;
use crate::rpc::verbs::may;
use crate::rpc::{Extra, ResponseFuture};

/// The dispatcher of this verb.
pub(super) fn extra(registry: Arc<Registry<NodeStrategy>>) -> Extra {
    Arc::new(move |caller, method, request| {
        if method != "Contains" {
            return None;
        }
        let registry = registry.clone();
        let answer: ResponseFuture = Box::pin(async move {
            let call = |node: NodesContainsRequest| async move {
                may(&*registry as &dyn Noun, &caller, "get", "", "", &node.name)?;
                let contains =
                    match registry.get(&GetRequest { name: node.name, ..GetRequest::default() }).await {
                        Ok(_) => true,
                        Err(error) if error.is_not_found() => false,
                        Err(error) => return Err(error),
                    };
                Ok(NodesContainsResponse { contains }.encode_to_vec().into())
            };
            unary(request, call).await
        });
        Some(answer)
    })
}
