//! What service accounts have besides the verbs of all nouns: their tokens, and how others check those.

use std::sync::Arc;

use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::v1::{CreateTokenRequest, IssuerRequest};

use crate::auth::{Decision, What, path_denied};
use crate::registry::Noun;
use crate::rpc::unary::unary;
use crate::rpc::verbs::may;
use crate::rpc::{Door, Extra, ResponseFuture};

/// Where REST clients find the public keys.
const KEYS: &str = "/openid/v1/jwks";

/// The dispatcher of these verbs.
pub(super) fn extra(noun: Arc<dyn Noun>, door: Arc<Door>) -> Extra {
    Arc::new(move |caller, method, request| {
        let (noun, door) = (noun.clone(), door.clone());
        let answer: ResponseFuture = match method.as_str() {
            "CreateToken" => Box::pin(async move {
                let call = |create: CreateTokenRequest| async move {
                    may(&*noun, &caller, "create", "token", &create.namespace, &create.name)?;
                    let made = door.authenticator.accounts.create(&caller, create).await?;
                    Ok(made.encode_to_vec().into())
                };
                unary(request, call).await
            }),
            "Issuer" => Box::pin(async move {
                let call = |_: IssuerRequest| async move {
                    let (verb, path) = ("get", KEYS);
                    match noun.access().decide(&caller, What::Path { verb, path }) {
                        Decision::Allowed(_) => {
                            Ok(door.authenticator.accounts.documents().encode_to_vec().into())
                        }
                        Decision::Refused(_) => Err::<_, ApiError>(path_denied(&caller.user, verb, path)),
                    }
                };
                unary(request, call).await
            }),
            _ => return None,
        };
        Some(answer)
    })
}
