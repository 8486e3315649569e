//! Which groups, versions and resources there are, in the words of discovery: the older documents, one per
//! version, and the aggregated ones that newer clients ask for.

mod aggregated;
mod resources;

use std::hash::{DefaultHasher, Hasher as _};

use axum::response::Response;
use http::header::{ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use keelson_base_model::status::ApiError;
use keelson_proto::meta::{
    ApiGroup, ApiGroupList, ApiVersions, GroupVersionForDiscovery, ServerAddressByClientCidr,
};
use serde_json::{Value, json};

use crate::kinds;
use crate::negotiate::{self, Form};
use crate::response::{document, message, plain};
use crate::route::subresources;

/// The Kubernetes version that this server is compatible with; clients decide by it what they may use.
pub(crate) const VERSION: &str = "v1.33.0";

/// `/version`.
pub(crate) fn version(form: Form) -> Result<Response, ApiError> {
    let version = json!({
        "major": "1",
        "minor": "33",
        "gitVersion": VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, platform()),
    });
    document(form, StatusCode::OK, version.to_string().into_bytes())
}

/// The machine's architecture as Go names it.
fn platform() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `/`: the paths that lead somewhere.
pub(crate) fn root(form: Form) -> Result<Response, ApiError> {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, version) in versions().iter().filter(|(group, _)| !group.is_empty()) {
        paths.extend([format!("/apis/{group}"), format!("/apis/{group}/{version}")]);
    }
    paths.extend(
        ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/swaggerapi", "/version"]
            .map(str::to_owned),
    );
    document(form, StatusCode::OK, json!({ "paths": paths }).to_string().into_bytes())
}

/// Group and version of everything that is served, the core group first; those too that only a subresource is of, as
/// `policy/v1` for evictions: clients look there whether they are known.
pub(crate) fn versions() -> Vec<(&'static str, &'static str)> {
    let kinds = kinds::served();
    let held = kinds.clone().flat_map(|kind| subresources::of(kind)).filter_map(|below| below.holds);
    let held = held.map(|(group, version, _)| (group, version));
    let mut versions: Vec<_> = kinds.map(|kind| (kind.group, kind.version)).chain(held).collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// `/api`, reached by clients at `server`.
pub(crate) fn core_versions(form: Form, headers: &HeaderMap, server: &str) -> Result<Response, ApiError> {
    if let Some(version) = aggregated::wanted(headers) {
        return aggregated(headers, version, aggregated::groups(version, |group| group.is_empty()));
    }
    let address =
        ServerAddressByClientCidr { client_cidr: "0.0.0.0/0".to_owned(), server_address: server.to_owned() };
    let versions = versions().into_iter().filter(|(group, _)| group.is_empty());
    let versions = ApiVersions {
        versions: versions.map(|(_, version)| version.to_owned()).collect(),
        server_address_by_client_cidrs: vec![address],
    };
    message(form, StatusCode::OK, &versions)
}

/// `/apis`.
pub(crate) fn groups(form: Form, headers: &HeaderMap) -> Result<Response, ApiError> {
    if let Some(version) = aggregated::wanted(headers) {
        return aggregated(headers, version, aggregated::groups(version, |group| !group.is_empty()));
    }
    let mut names: Vec<&str> =
        versions().into_iter().map(|(group, _)| group).filter(|group| !group.is_empty()).collect();
    names.dedup();
    message(form, StatusCode::OK, &ApiGroupList { groups: names.into_iter().map(api_group).collect() })
}

/// `/apis/<group>`.
pub(crate) fn group(form: Form, group: &str) -> Result<Response, ApiError> {
    message(form, StatusCode::OK, &api_group(group))
}

fn api_group(group: &str) -> ApiGroup {
    let versions: Vec<_> = versions().into_iter().filter(|(known, _)| *known == group).collect();
    let named = |version: &str| GroupVersionForDiscovery {
        group_version: format!("{group}/{version}"),
        version: version.to_owned(),
    };
    ApiGroup {
        name: group.to_owned(),
        versions: versions.iter().map(|(_, version)| named(version)).collect(),
        preferred_version: versions.first().map(|(_, version)| named(version)).unwrap_or_default(),
        server_address_by_client_cidrs: Vec::new(),
    }
}

/// `/api/v1` and `/apis/<group>/<version>`.
pub(crate) fn resources(form: Form, group: &str, version: &str) -> Result<Response, ApiError> {
    message(form, StatusCode::OK, &resources::list(group, version))
}

fn aggregated(
    headers: &HeaderMap,
    version: aggregated::Version,
    groups: Value,
) -> Result<Response, ApiError> {
    let body = groups.to_string();
    let mut response = tagged(headers, version.content_type(), body.as_bytes());
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

/// A document with its tag, or word that the client has it already.
fn tagged(headers: &HeaderMap, content_type: &'static str, body: &[u8]) -> Response {
    let tag = format!("\"{}\"", digest(body));
    let known = negotiate::text(headers, &IF_NONE_MATCH).split(',').any(|known| known.trim() == tag);
    let mut response = match known {
        true => plain(StatusCode::NOT_MODIFIED, content_type, axum::body::Body::empty()),
        false => plain(StatusCode::OK, content_type, body.to_vec()),
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// A short name for a document's contents; the same in every process of one build.
pub(crate) fn digest(body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    format!("{:016X}", hasher.finish())
}

#[cfg(test)]
mod tests;
