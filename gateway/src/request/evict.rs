//! POST of an eviction to a pod's `eviction`.

use keelson_base_model::status::ApiError;
use keelson_proto::meta::CreateOptions;
use keelson_proto::policy::Eviction;
use keelson_proto::v1::EvictPodRequest;

use super::same_namespace;
use crate::query::Query;
use crate::route::Call;

/// Asks to evict a pod.
pub(crate) fn evict(call: &Call, query: &Query, eviction: Eviction) -> Result<EvictPodRequest, ApiError> {
    same_namespace(call, &eviction.metadata.namespace)?;
    Ok(EvictPodRequest {
        namespace: call.namespace.clone(),
        name: call.name.clone(),
        eviction: Some(eviction),
        options: Some(CreateOptions { dry_run: query.all("dryRun"), ..CreateOptions::default() }),
    })
}
