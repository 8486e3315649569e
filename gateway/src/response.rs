//! From api's answers to HTTP: spelled in the form that the client wants.

pub(crate) mod gzip;
mod indent;
pub(crate) mod list;
pub(crate) mod status;
pub(crate) mod transcode;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, WARNING};
use http::{HeaderValue, StatusCode};
use keelson_base_model::status::ApiError;
use keelson_proto::{Message, envelope, json, wire};
use serde::Serialize;

pub(crate) use self::indent::Indenter;
use crate::kinds::{Codec, Place, to_json};
use crate::negotiate::{Form, Media, MetaVersion, Shape};

/// A response with a body of a known type.
pub(crate) fn plain(code: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An encoded object as a response.
pub(crate) fn object(
    form: Form,
    codec: &Codec,
    code: StatusCode,
    object: &Bytes,
) -> Result<Response, ApiError> {
    if form.media == Media::Protobuf {
        return Ok(plain(code, form.media.content_type(), enveloped(codec, form.shape, object)?));
    }
    let mut out = Vec::with_capacity(object.len() * 3);
    match form.shape {
        Shape::Table(version, _) => {
            let metadata = wire::metadata(object).map_err(|error| ApiError::internal(error.to_string()))?;
            let revision = &metadata.resource_version;
            let row = |out: &mut Vec<u8>| codec.write(object, form.shape, Place::Alone, out);
            table_of(codec, version, true, revision, &mut out, row)?;
        }
        shape => codec.write(object, shape, Place::Alone, &mut out)?,
    }
    document(form, code, out)
}

/// An object of a kind that has no registry, such as Status or Scale, as a response.
pub(crate) fn message<T>(form: Form, code: StatusCode, message: &T) -> Result<Response, ApiError>
where
    T: json::Message + Message + Serialize,
{
    if form.media == Media::Protobuf {
        let (version, kind) = T::TYPE_META.unwrap_or_default();
        let body = envelope::wrap(version, kind, &message.encode_to_vec(), b"");
        return Ok(plain(code, form.media.content_type(), body));
    }
    let mut out = Vec::new();
    to_json(message, &mut out)?;
    document(form, code, out)
}

/// JSON text as a response: turned into YAML, or indented, if that is wanted.
pub(crate) fn document(form: Form, code: StatusCode, mut json: Vec<u8>) -> Result<Response, ApiError> {
    if form.media == Media::Yaml {
        return Ok(plain(code, form.media.content_type(), yaml(&json)?));
    }
    if form.pretty {
        let mut indented = Vec::with_capacity(json.len() * 2);
        Indenter::default().write(&json, &mut indented);
        json = indented;
    }
    json.push(b'\n');
    Ok(plain(code, Media::Json.content_type(), json))
}

/// Tells the client what it should know about a request that succeeded all the same.
pub(crate) fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::try_from(format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(WARNING, value);
        }
    }
}

/// Appends a table of the row that `row` writes.
pub(crate) fn table_of(
    codec: &Codec,
    version: MetaVersion,
    columns: bool,
    revision: &str,
    out: &mut Vec<u8>,
    row: impl FnOnce(&mut Vec<u8>) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    out.extend_from_slice(b"{\"kind\":\"Table\",\"apiVersion\":");
    to_json(version.api_version(), out)?;
    out.extend_from_slice(b",\"metadata\":{\"resourceVersion\":");
    to_json(revision, out)?;
    out.extend_from_slice(b"},\"columnDefinitions\":");
    to_json(&columns.then_some(codec.columns), out)?;
    out.extend_from_slice(b",\"rows\":[");
    row(out)?;
    out.extend_from_slice(b"]}");
    Ok(())
}

/// An encoded object, or its metadata, in an envelope.
pub(crate) fn enveloped(codec: &Codec, shape: Shape, object: &[u8]) -> Result<Bytes, ApiError> {
    match shape {
        Shape::Partial(version) => {
            let metadata = wire::metadata(object).map_err(|error| ApiError::internal(error.to_string()))?;
            let partial = keelson_proto::meta::PartialObjectMetadata { metadata };
            Ok(envelope::wrap(version.api_version(), "PartialObjectMetadata", &partial.encode_to_vec(), b""))
        }
        _ => Ok(envelope::wrap(&codec.kind.api_version(), codec.kind.kind, object, b"")),
    }
}

/// The same in YAML.
fn yaml(json: &[u8]) -> Result<String, ApiError> {
    let value: serde_json::Value = serde_json::from_slice(json)
        .map_err(|error| ApiError::internal(format!("cannot read JSON: {error}")))?;
    yaml_serde::to_string(&value).map_err(|error| ApiError::internal(format!("cannot write YAML: {error}")))
}

#[cfg(test)]
mod tests;
