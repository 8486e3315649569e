//! GET on a collection with `watch`, or below 1.0's `/watch/` prefix.

use std::time::Duration;

use keelson_base_model::status::ApiError;
use keelson_proto::v1::WatchRequest;

use crate::query::Query;
use crate::route::Call;

/// Asks for changes. A name in the path selects that one object.
pub(crate) fn watch(call: &Call, query: &Query) -> Result<WatchRequest, ApiError> {
    let named = (!call.name.is_empty()).then(|| format!("metadata.name={}", call.name));
    let given = query.first("fieldSelector").filter(|selector| !selector.is_empty()).map(str::to_owned);
    if named.is_some() && given.is_some() {
        return Err(ApiError::bad_request("a field selector cannot be combined with a name in the path"));
    }
    Ok(WatchRequest {
        namespace: call.namespace.clone(),
        label_selector: query.text("labelSelector"),
        field_selector: named.or(given).unwrap_or_default(),
        resource_version: query.text("resourceVersion"),
        resource_version_match: query.text("resourceVersionMatch"),
        allow_bookmarks: query.flag("allowWatchBookmarks"),
        send_initial_events: query.optional_flag("sendInitialEvents"),
        // The gateway ends the watch itself, in an orderly way.
        timeout_seconds: 0,
    })
}

/// How long the client wants to watch, if it says so.
pub(crate) fn timeout(query: &Query) -> Result<Option<Duration>, ApiError> {
    let seconds = query.number("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok());
    Ok(seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs))
}
