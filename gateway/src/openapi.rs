//! What the objects look like and what can be done with them, for clients that explain or check: OpenAPI v2, as JSON
//! and as the protobuf that older kubectls ask for, and OpenAPI v3, one document per version; and for clients of 1.0
//! swagger 1.2.
//!
//! Everything is generated from the descriptors when it is first asked for, and kept compressed.

mod document;
mod gnostic;
mod operation;
mod paths;
mod schema;
mod swagger;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use keelson_base_model::status::ApiError;
use tokio::sync::OnceCell;

use crate::discovery::digest;
use crate::negotiate;
use crate::response::{gzip, plain};

/// The name of the protobuf form of OpenAPI v2.
const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// What clients ask for it by. They ask with an `@` that they do not take for a media type when it is answered.
const V2_PROTOBUF_ASKED: [&str; 2] =
    ["application/com.github.proto-openapi.spec.v2@v1.0+protobuf", V2_PROTOBUF];

const JSON: &str = "application/json";

/// The generated documents.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    v2: OnceCell<Document>,
    v2_protobuf: OnceCell<Document>,
    v3: OnceCell<BTreeMap<String, Document>>,
    swagger: OnceCell<BTreeMap<String, Document>>,
}

/// A document, compressed.
#[derive(Debug)]
struct Document {
    compressed: Bytes,
    digest: String,
}

// === impl Documents ===

impl Documents {
    /// `/openapi/v2`.
    pub(crate) async fn v2(&self, headers: &HeaderMap) -> Result<Response, ApiError> {
        for clause in negotiate::clauses(headers) {
            if V2_PROTOBUF_ASKED.contains(&clause.media.as_str()) {
                let make = || generate(|| Document::new(&gnostic::encode(&document::v2()?)));
                return self.v2_protobuf.get_or_try_init(make).await?.response(V2_PROTOBUF, headers);
            }
            if matches!(clause.media.as_str(), JSON | "application/*" | "*/*")
                && clause.param("as").is_empty()
            {
                let make = || generate(|| Document::new(document::v2()?.to_string().as_bytes()));
                return self.v2.get_or_try_init(make).await?.response(JSON, headers);
            }
        }
        Err(ApiError::not_acceptable(&[JSON, V2_PROTOBUF]))
    }

    /// `/openapi/v3`: which documents there are. The address of each changes with its contents.
    pub(crate) async fn v3(&self, headers: &HeaderMap) -> Result<Response, ApiError> {
        acceptable(headers)?;
        let paths = self.all_v3().await?.iter().map(|(path, document)| {
            let address = format!("/openapi/v3/{path}?hash={}", document.digest);
            (path.clone(), serde_json::json!({ "serverRelativeURL": address }))
        });
        let paths: serde_json::Map<_, _> = paths.collect();
        Ok(plain(StatusCode::OK, JSON, serde_json::json!({ "paths": paths }).to_string()))
    }

    /// `/openapi/v3/<path>`.
    pub(crate) async fn v3_of(&self, path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
        acceptable(headers)?;
        match self.all_v3().await?.get(path) {
            Some(document) => document.response(JSON, headers),
            None => Err(ApiError::unknown_resource()),
        }
    }

    /// `/swaggerapi`: which declarations there are.
    pub(crate) async fn swagger(&self) -> Result<Response, ApiError> {
        let paths: Vec<String> = self.all_swagger().await?.keys().cloned().collect();
        Ok(plain(StatusCode::OK, JSON, swagger::listing(&paths).to_string()))
    }

    /// `/swaggerapi/<path>`.
    pub(crate) async fn swagger_of(&self, path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
        match self.all_swagger().await?.get(path) {
            Some(document) => document.response(JSON, headers),
            None => Err(ApiError::unknown_resource()),
        }
    }

    async fn all_swagger(&self) -> Result<&BTreeMap<String, Document>, ApiError> {
        self.swagger.get_or_try_init(|| generate(|| documents(document::swagger()?))).await
    }

    async fn all_v3(&self) -> Result<&BTreeMap<String, Document>, ApiError> {
        self.v3.get_or_try_init(|| generate(|| documents(document::v3()?))).await
    }
}

fn documents(values: Vec<(String, serde_json::Value)>) -> Result<BTreeMap<String, Document>, ApiError> {
    let one =
        |(path, value): (String, serde_json::Value)| Ok((path, Document::new(value.to_string().as_bytes())?));
    values.into_iter().map(one).collect()
}

fn acceptable(headers: &HeaderMap) -> Result<(), ApiError> {
    let json = |media: &str| matches!(media, JSON | "application/*" | "*/*");
    let accepted = negotiate::clauses(headers).iter().any(|clause| json(&clause.media));
    if accepted { Ok(()) } else { Err(ApiError::not_acceptable(&[JSON])) }
}

/// Makes documents beside the tasks that serve: it takes tens of milliseconds.
async fn generate<T: Send + 'static>(
    make: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let made = tokio::task::spawn_blocking(make).await;
    made.map_err(|error| ApiError::internal(format!("cannot generate the API description: {error}")))?
}

// === impl Document ===

impl Document {
    fn new(contents: &[u8]) -> Result<Self, ApiError> {
        let failed = |error: std::io::Error| ApiError::internal(format!("cannot compress: {error}"));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(contents).map_err(failed)?;
        let compressed = Bytes::from(encoder.finish().map_err(failed)?);
        Ok(Self { compressed, digest: digest(contents) })
    }

    fn response(&self, content_type: &'static str, headers: &HeaderMap) -> Result<Response, ApiError> {
        let tag = format!("\"{}\"", self.digest);
        let mut response =
            if negotiate::text(headers, &IF_NONE_MATCH).split(',').any(|known| known.trim() == tag) {
                plain(StatusCode::NOT_MODIFIED, content_type, Body::empty())
            } else if gzip::accepted(headers) {
                let mut response = plain(StatusCode::OK, content_type, self.compressed.clone());
                gzip::mark(response.headers_mut());
                response
            } else {
                plain(StatusCode::OK, content_type, self.contents()?)
            };
        if let Ok(tag) = HeaderValue::try_from(tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        Ok(response)
    }

    fn contents(&self) -> Result<Vec<u8>, ApiError> {
        let mut contents = Vec::new();
        let read = GzDecoder::new(&*self.compressed).read_to_end(&mut contents);
        read.map_err(|error| ApiError::internal(format!("cannot decompress: {error}")))?;
        Ok(contents)
    }
}

#[cfg(test)]
mod tests;
