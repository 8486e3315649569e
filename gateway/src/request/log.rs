//! GET on a pod's log.

use keelson_base_model::status::ApiError;
use keelson_proto::core::PodLogOptions;
use keelson_proto::meta::Time;
use keelson_proto::v1::PodLogRequest;

use crate::query::Query;
use crate::route::Call;

/// Asks for a log.
pub(crate) fn log(call: &Call, query: &Query) -> Result<PodLogRequest, ApiError> {
    let options = PodLogOptions {
        container: query.text("container"),
        follow: query.flag("follow"),
        previous: query.flag("previous"),
        since_seconds: query.number("sinceSeconds")?,
        since_time: since_time(query)?,
        timestamps: query.flag("timestamps"),
        tail_lines: query.number("tailLines")?,
        limit_bytes: query.number("limitBytes")?,
        insecure_skip_tls_verify_backend: query.flag("insecureSkipTLSVerifyBackend"),
        stream: query.first("stream").filter(|text| !text.is_empty()).map(str::to_owned),
    };
    Ok(PodLogRequest { namespace: call.namespace.clone(), name: call.name.clone(), options: Some(options) })
}

fn since_time(query: &Query) -> Result<Option<Time>, ApiError> {
    let Some(text) = query.first("sinceTime").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let at: jiff::Timestamp = text.parse().map_err(|_| {
        ApiError::bad_request(format!(
            "invalid query parameter sinceTime: {text:?} is not a time of RFC 3339"
        ))
    })?;
    Ok(Some(Time { seconds: at.as_second(), nanos: at.subsec_nanosecond() }))
}
