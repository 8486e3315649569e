//! What clients send: read within the limit, decoded from any of the three forms, checked against what the
//! path leads one to expect.

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use keelson_base_model::status::ApiError;
use keelson_proto::json::{self, Report};
use keelson_proto::{Message, envelope};

use crate::negotiate::{Media, OBJECTS, text};
use crate::query::Query;

/// A body that was read whole, and the form it says it is in.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// The bytes as they came.
    pub(crate) bytes: Bytes,
    /// How they are to be read.
    pub(crate) media: Media,
}

/// What becomes of fields that the kind does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validation {
    /// They are dropped in silence.
    Ignore,
    /// They are dropped, and the client is told.
    Warn,
    /// The object is refused.
    Strict,
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn bytes(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(ApiError::request_entity_too_large(format!("limit is {limit} bytes")))
        }
        Err(error) => Err(ApiError::bad_request(format!("cannot read the body of the request: {error}"))),
    }
}

/// The form that the `Content-Type` names; JSON if there is none, as 1.0's clients send none.
pub(crate) fn media(headers: &HeaderMap) -> Result<Media, ApiError> {
    match content_type(headers).as_str() {
        "" | "application/json" => Ok(Media::Json),
        "application/yaml" | "application/x-yaml" | "text/yaml" => Ok(Media::Yaml),
        "application/vnd.kubernetes.protobuf" => Ok(Media::Protobuf),
        _ => Err(ApiError::unsupported_media_type(OBJECTS)),
    }
}

/// The `Content-Type` without parameters, in lower case.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    let full = text(headers, &CONTENT_TYPE);
    full.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Decodes an object of kind `T`; returns it with warnings for the client.
pub(crate) fn decode<T>(content: &Content, validation: Validation) -> Result<(T, Vec<String>), ApiError>
where
    T: json::Message + Message + Default,
{
    let (object, report) = match content.media {
        Media::Json => json::from_slice::<T>(&content.bytes).map_err(|error| unreadable::<T>(&error))?,
        Media::Yaml => yaml(&content.bytes)?,
        Media::Protobuf => protobuf(&content.bytes)?,
    };
    expect::<T>(&report)?;
    let problems = problems(&report);
    match validation {
        Validation::Ignore => Ok((object, Vec::new())),
        Validation::Strict if !problems.is_empty() => {
            Err(unreadable::<T>(&format!("strict decoding error: {}", problems.join(", "))))
        }
        Validation::Warn | Validation::Strict => Ok((object, problems)),
    }
}

fn yaml<T: json::Message>(bytes: &Bytes) -> Result<(T, Report), ApiError> {
    let deserializer = yaml_serde::Deserializer::from_slice(bytes);
    json::from_deserializer(deserializer).map_err(|error| unreadable::<T>(&error))
}

fn protobuf<T: json::Message + Message + Default>(bytes: &Bytes) -> Result<(T, Report), ApiError> {
    let envelope = envelope::unwrap(bytes).map_err(|error| unreadable::<T>(&error))?;
    let object = T::decode(envelope.raw).map_err(|error| unreadable::<T>(&error))?;
    let report =
        Report { api_version: Some(envelope.api_version), kind: Some(envelope.kind), ..Report::default() };
    Ok((object, report))
}

/// `Pod in version "v1" cannot be handled as a Pod: why`.
fn unreadable<T: json::Message>(why: &impl ToString) -> ApiError {
    let (version, kind) = T::TYPE_META.unwrap_or_default();
    let why = why.to_string();
    ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
}

/// Refuses a body that says it is something else. One that says nothing is what the path expects.
fn expect<T: json::Message>(report: &Report) -> Result<(), ApiError> {
    let (version, kind) = T::TYPE_META.unwrap_or_default();
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(given) = given(&report.kind).filter(|given| given != kind) {
        let given_version = report.api_version.as_deref().filter(|text| !text.is_empty()).unwrap_or(version);
        return Err(ApiError::bad_request(format!(
            "{given} in version {given_version:?} cannot be handled as a {kind}: the path expects kind {kind}"
        )));
    }
    match given(&report.api_version) {
        // Clients send these options under the version of whatever they delete.
        _ if kind == "DeleteOptions" => Ok(()),
        // The same message, for clients that know no other.
        Some(given) if kind == "Eviction" && given == "policy/v1beta1" => Ok(()),
        Some(given) if given != version => Err(ApiError::bad_request(format!(
            "the API version in the data ({given}) does not match the expected API version ({version})"
        ))),
        _ => Ok(()),
    }
}

fn problems(report: &Report) -> Vec<String> {
    let unknown = report.unknown.iter().map(|path| format!("unknown field {path:?}"));
    unknown.chain(report.duplicate.iter().map(|path| format!("duplicate field {path:?}"))).collect()
}

// === impl Validation ===

impl Validation {
    /// Reads `fieldValidation`; today's servers warn unless told otherwise.
    pub(crate) fn read(query: &Query) -> Result<Self, ApiError> {
        match query.first("fieldValidation") {
            None | Some("" | "Warn") => Ok(Self::Warn),
            Some("Ignore") => Ok(Self::Ignore),
            Some("Strict") => Ok(Self::Strict),
            Some(other) => Err(ApiError::bad_request(format!(
                "invalid query parameter fieldValidation: {other:?} is none of Ignore, Warn, Strict"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::Pod;
    use keelson_proto::meta::DeleteOptions;

    use super::*;

    fn pod(media: Media, body: &[u8], validation: Validation) -> Result<(Pod, Vec<String>), String> {
        let content = Content { bytes: Bytes::copy_from_slice(body), media };
        decode(&content, validation).map_err(|error| {
            assert_eq!(error.code(), 400);
            error.message().to_owned()
        })
    }

    #[test]
    fn all_three_forms_are_the_same_object() {
        let json = pod(
            Media::Json,
            br#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web"},"spec":{"nodeName":"n"}}"#,
            Validation::Strict,
        )
        .unwrap();
        let yaml = pod(
            Media::Yaml,
            b"apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec: {nodeName: n}\n",
            Validation::Strict,
        )
        .unwrap();
        let wrapped = envelope::wrap("v1", "Pod", &json.0.encode_to_vec(), b"");
        let protobuf = pod(Media::Protobuf, &wrapped, Validation::Strict).unwrap();
        assert_eq!(json, yaml);
        assert_eq!(json, protobuf);
        assert_eq!(json.0.metadata.name, "web");
    }

    #[test]
    fn a_body_that_says_nothing_is_what_the_path_expects() {
        assert!(pod(Media::Json, br#"{"metadata":{"name":"web"}}"#, Validation::Strict).is_ok());
        assert!(pod(Media::Json, br#"{"kind":"","apiVersion":""}"#, Validation::Strict).is_ok());
    }

    #[test]
    fn bad_bodies_are_refused_with_the_field_named() {
        for (media, body, part) in [
            (Media::Json, &b"{"[..], "EOF"),
            (Media::Json, b"", "EOF"),
            (Media::Json, b"[]", "an object"),
            (
                Media::Json,
                br#"{"spec":{"containers":[{"name":"a"},{"name":7}]}}"#,
                "spec.containers[1].name: ",
            ),
            (Media::Json, br#"{"metadata":{"creationTimestamp":"noon"}}"#, "metadata.creationTimestamp: "),
            (Media::Json, br#"{"kind":"Service"}"#, "Service in version \"v1\" cannot be handled as a Pod"),
            (
                Media::Json,
                br#"{"kind":"Pod","apiVersion":"v2"}"#,
                "does not match the expected API version (v1)",
            ),
            (Media::Yaml, b"spec: [", "cannot be handled as a Pod"),
            (Media::Yaml, b"spec: {containers: 5}", "spec.containers: "),
            (Media::Protobuf, b"{}", "not a Kubernetes protobuf object"),
            (Media::Protobuf, b"k8s\0\x0a\x7f", "cut short"),
        ] {
            let refused = pod(media, body, Validation::Warn).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
        let torn = envelope::wrap("v1", "Pod", b"\x0a\x05", b"");
        assert!(pod(Media::Protobuf, &torn, Validation::Warn).is_err());
        let other = envelope::wrap("v1", "Node", b"", b"");
        assert!(pod(Media::Protobuf, &other, Validation::Warn).unwrap_err().contains("Node"));
    }

    #[test]
    fn unknown_and_duplicate_fields_are_treated_as_asked() {
        let body = br#"{"spec":{"x":1,"nodeName":"a","nodeName":"b"},"metadata":{"name":"web"}}"#;
        let told =
            vec!["unknown field \"spec.x\"".to_owned(), "duplicate field \"spec.nodeName\"".to_owned()];
        assert_eq!(pod(Media::Json, body, Validation::Ignore).unwrap().1, Vec::<String>::new());
        assert_eq!(pod(Media::Json, body, Validation::Warn).unwrap().1, told);
        let refused = pod(Media::Json, body, Validation::Strict).unwrap_err();
        assert_eq!(
            refused,
            "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \"spec.x\", duplicate field \"spec.nodeName\""
        );
    }

    #[test]
    fn options_of_a_deletion_come_under_any_version() {
        let content = Content {
            bytes: Bytes::from_static(
                br#"{"kind":"DeleteOptions","apiVersion":"policy/v1","gracePeriodSeconds":5}"#,
            ),
            media: Media::Json,
        };
        let (options, _) = decode::<DeleteOptions>(&content, Validation::Ignore).unwrap();
        assert_eq!(options.grace_period_seconds, Some(5));
    }

    #[tokio::test]
    async fn a_body_above_the_limit_is_refused() {
        assert_eq!(bytes(Body::from("12345"), 5).await.unwrap(), "12345");
        assert_eq!(bytes(Body::from("123456"), 5).await.unwrap_err().code(), 413);
    }
}
