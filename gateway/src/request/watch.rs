//! GET on a collection with `watch`, or below 1.0's `/watch/` prefix.

use std::time::Duration;

use keelson_base_model::field::{FieldError, Path};
use keelson_base_model::status::ApiError;
use keelson_proto::v1::WatchRequest;

use crate::kinds::alias;
use crate::query::Query;
use crate::request::LIST_OPTIONS;
use crate::route::Call;

const NOT_OLDER_THAN: &str = "NotOlderThan";

/// Asks for changes. A name in the path selects that one object.
pub(crate) fn watch(call: &Call, query: &Query) -> Result<WatchRequest, ApiError> {
    check_match(query)?;
    let named = (!call.name.is_empty()).then(|| format!("metadata.name={}", call.name));
    let given = query.first("fieldSelector").filter(|selector| !selector.is_empty()).map(str::to_owned);
    if named.is_some() && given.is_some() {
        return Err(ApiError::bad_request("a field selector cannot be combined with a name in the path"));
    }
    Ok(WatchRequest {
        namespace: call.namespace.clone(),
        label_selector: query.text("labelSelector"),
        field_selector: alias::selector(call.kind, named.or(given).unwrap_or_default()),
        resource_version: query.text("resourceVersion"),
        resource_version_match: query.text("resourceVersionMatch"),
        allow_bookmarks: query.flag("allowWatchBookmarks"),
        send_initial_events: query.optional_flag("sendInitialEvents"),
        // The gateway ends the watch itself, in an orderly way.
        timeout_seconds: 0,
    })
}

/// That what is asked of the revision makes sense.
fn check_match(query: &Query) -> Result<(), ApiError> {
    let path = Path::new("resourceVersionMatch");
    let wanted = query.first("resourceVersionMatch").unwrap_or_default();
    let streaming = query.first("sendInitialEvents").is_some();
    let error = match wanted {
        "" if !streaming => return Ok(()),
        NOT_OLDER_THAN if streaming => return Ok(()),
        _ if streaming => FieldError::forbidden(
            &path,
            format!("sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER_THAN}"),
        ),
        _ => FieldError::forbidden(
            &path,
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
    };
    Err(ApiError::invalid(LIST_OPTIONS, "", error.into()))
}

/// How long the client wants to watch, if it says so.
pub(crate) fn timeout(query: &Query) -> Result<Option<Duration>, ApiError> {
    let seconds = query.number("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok());
    Ok(seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs))
}
