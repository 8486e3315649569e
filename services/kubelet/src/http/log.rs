//! `/containerLogs/<namespace>/<pod>/<container>`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use keelson_base_client::ApiError;
use keelson_proto::core::PodLogOptions;
use keelson_proto::v1::PodLogRequest;

use super::{Answers, refusal};

/// The log of a container, as it is read.
pub(super) async fn container(
    State(answers): State<Answers>,
    Path((namespace, name, container)): Path<(String, String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let read = options(&container, &query).and_then(|options| {
        answers.service.read_log(&PodLogRequest { namespace, name, options: Some(options) })
    });
    match read {
        Ok(log) => {
            let text = HeaderValue::from_static("text/plain");
            ([(CONTENT_TYPE, text)], Body::from_stream(log)).into_response()
        }
        Err(error) => refusal(error),
    }
}

/// The options in a query; `tail` is 1.0's name of `tailLines`.
fn options(container: &str, query: &BTreeMap<String, String>) -> Result<PodLogOptions, ApiError> {
    let yes = |key: &str| query.get(key).is_some_and(|value| !matches!(value.as_str(), "false" | "0"));
    let number = |key: &str| match query.get(key) {
        None => Ok(None),
        Some(value) => {
            let why = || ApiError::bad_request(format!("{key} must be a number, not {value:?}"));
            value.parse().map(Some).map_err(|_| why())
        }
    };
    Ok(PodLogOptions {
        container: container.to_owned(),
        follow: yes("follow"),
        previous: yes("previous"),
        timestamps: yes("timestamps"),
        tail_lines: number("tailLines")?.or(number("tail")?),
        limit_bytes: number("limitBytes")?,
        since_seconds: number("sinceSeconds")?,
        stream: query.get("stream").cloned(),
        ..PodLogOptions::default()
    })
}
