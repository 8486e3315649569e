//! POST of a request for a token to a service account's `token`.

use keelson_base_model::status::ApiError;
use keelson_proto::authentication::TokenRequest;
use keelson_proto::meta::CreateOptions;
use keelson_proto::v1::CreateTokenRequest;

use super::same_namespace;
use crate::query::Query;
use crate::route::Call;

/// Asks for a token.
pub(crate) fn token(call: &Call, query: &Query, asked: TokenRequest) -> Result<CreateTokenRequest, ApiError> {
    same_namespace(call, &asked.metadata.namespace)?;
    let options = CreateOptions { dry_run: query.all("dryRun"), ..CreateOptions::default() };
    Ok(CreateTokenRequest {
        namespace: call.namespace.clone(),
        name: call.name.clone(),
        object: Some(asked),
        options: Some(options),
    })
}
