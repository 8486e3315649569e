//! Failures and plain successes as `Status` objects.

use axum::response::Response;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use keelson_base_model::status::{ApiError, Reason};
use keelson_proto::Kind;
use keelson_proto::meta::{ObjectMeta, Status, StatusDetails};

use super::{message, plain};
use crate::negotiate::Form;

/// A failure as a response; its HTTP code is the reason's.
pub(crate) fn failure(form: Form, error: ApiError) -> Response {
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (reason, retry_after) = (error.reason(), error.retry_after());
    if code.is_server_error() && code != StatusCode::NOT_IMPLEMENTED {
        tracing::warn!(%error, "request failed");
    }
    let spelled = message(form, code, &error.into_status());
    let mut response =
        spelled.unwrap_or_else(|error| plain(code, "text/plain; charset=utf-8", error.to_string()));
    if reason == Reason::Unauthorized {
        let scheme = HeaderValue::from_static("Certificate realm=\"keelson\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    if let Some(wait) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
    }
    response
}

/// A success that has no object to show.
pub(crate) fn success() -> Status {
    Status { status: "Success".to_owned(), code: 201, ..Status::default() }
}

/// The success of a deletion.
pub(crate) fn deleted(kind: &Kind, metadata: ObjectMeta) -> Status {
    let details = StatusDetails {
        name: metadata.name,
        group: kind.group.to_owned(),
        kind: kind.plural.to_owned(),
        uid: metadata.uid,
        ..StatusDetails::default()
    };
    Status { status: "Success".to_owned(), details: Some(details), ..Status::default() }
}

/// Whether the deletion of such an object answers with the object rather than with a Status.
pub(crate) fn returns_deleted(kind: &Kind) -> bool {
    const KINDS: &[&str] = &[
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
        "services",
    ];
    kind.group.is_empty() && KINDS.contains(&kind.plural)
}
