//! Refusals that every verb shares.

use std::time::Duration;

use keelson_api_store as store;
use keelson_base_model::field::{ErrorList, FieldError, Path};
use keelson_base_model::status::{ApiError, GroupKind, Reason};
use keelson_proto::Object;
use keelson_proto::meta::StatusCause;

/// What a client should wait before it tries again what could not be done now.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// A failure of the store as the client sees it.
pub(crate) fn from_store(error: store::Error) -> ApiError {
    use store::Error;
    match error {
        Error::Compacted { requested, compacted } => ApiError::expired(format!(
            "The resourceVersion for the provided watch is too old: {requested} ({compacted} is the oldest kept)"
        )),
        Error::FutureRevision { requested, head } => future_revision(requested, head),
        Error::TooLarge { size, limit } => {
            ApiError::request_entity_too_large(format!("the object has {size} bytes, limit is {limit}"))
        }
        Error::Unavailable(_) | Error::Closed => {
            tracing::warn!(%error, "the store refuses");
            ApiError::service_unavailable(error.to_string())
        }
        // Without a time to retry after: a client that retried by itself might do twice what was done already, or wait
        // for room that nobody makes.
        Error::Unknown(_) => {
            tracing::warn!(%error, "the store did not answer");
            ApiError::new(Reason::Timeout, error.to_string())
        }
        Error::NoSpace(_) => {
            tracing::error!(%error, "the store refuses");
            ApiError::new(Reason::TooManyRequests, error.to_string())
        }
        _ => {
            tracing::error!(%error, "the store failed");
            ApiError::internal(error)
        }
    }
}

/// A revision that is still to come. The cause tells clients that what they know may be of a store that is no
/// more, so that they list again.
pub(crate) fn future_revision(requested: u64, current: u64) -> ApiError {
    let error =
        ApiError::timeout(format!("Too large resource version: {requested}, current: {current}"), RETRY);
    with_cause(error, "ResourceVersionTooLarge", "Too large resource version", "")
}

/// The error with a cause that programs can look for.
pub(crate) fn with_cause(error: ApiError, reason: &str, message: &str, field: &str) -> ApiError {
    let mut status = error.into_status();
    let cause =
        StatusCause { reason: reason.to_owned(), message: message.to_owned(), field: field.to_owned() };
    status.details.get_or_insert_default().causes.push(cause);
    ApiError::from_status(status)
}

/// Options of a request that something is wrong with; `kind` is for instance `ListOptions`.
pub(crate) fn invalid_options(kind: &str, errors: impl Into<ErrorList>) -> ApiError {
    ApiError::invalid(GroupKind { group: "meta.k8s.io", kind }, "", errors.into())
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

/// Whether nothing is to be written. `kind` is that of the options, for instance `CreateOptions`.
///
/// # Errors
/// Invalid for anything but `All`.
pub(crate) fn dry_run(kind: &str, stages: &[String]) -> Result<bool, ApiError> {
    match stages.iter().find(|stage| *stage != "All") {
        None => Ok(!stages.is_empty()),
        Some(stage) => {
            let error = FieldError::not_supported(&Path::new("dryRun"), stage.as_str(), &["All"]);
            Err(invalid_options(kind, error))
        }
    }
}
