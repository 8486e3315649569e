//! Refusals that every verb shares.

use std::time::Duration;

use keelson_api_store as store;
use keelson_base_model::field::ErrorList;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;

/// What a client should wait before it tries again what the store could not do.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// A failure of the store as the client sees it.
pub(crate) fn from_store(error: store::Error) -> ApiError {
    use store::Error;
    match error {
        Error::Compacted { requested, compacted } => ApiError::expired(format!(
            "The resourceVersion for the provided watch is too old: {requested} ({compacted} is the oldest kept)"
        )),
        Error::FutureRevision { requested, head } => {
            ApiError::timeout(format!("Too large resource version: {requested}, current: {head}"), STORE_RETRY)
        }
        Error::TooLarge { size, limit } => {
            ApiError::request_entity_too_large(format!("the object has {size} bytes, limit is {limit}"))
        }
        Error::Unavailable(_) | Error::NoSpace(_) | Error::Closed => {
            tracing::warn!(%error, "the store refuses");
            ApiError::service_unavailable(error.to_string())
        }
        _ => {
            tracing::error!(%error, "the store failed");
            ApiError::internal(error)
        }
    }
}

/// Refuses an object that something is wrong with.
///
/// # Errors
/// Invalid, with every violation.
pub(crate) fn refused<K: Object>(object: &K, errors: ErrorList) -> Result<(), ApiError> {
    if errors.is_empty() {
        return Ok(());
    }
    let meta = object.metadata();
    let name = if meta.name.is_empty() { &meta.generate_name } else { &meta.name };
    Err(ApiError::invalid(K::KIND, name, errors))
}

/// Whether nothing is to be written.
///
/// # Errors
/// BadRequest for anything but `All`.
pub(crate) fn dry_run(stages: &[String]) -> Result<bool, ApiError> {
    match stages {
        [] => Ok(false),
        stages if stages.iter().all(|stage| stage == "All") => Ok(true),
        _ => Err(ApiError::bad_request("dryRun: Unsupported value: supported values: \"All\"")),
    }
}
