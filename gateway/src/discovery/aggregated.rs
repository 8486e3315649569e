//! All groups, versions and resources in one document.

use http::HeaderMap;
use keelson_proto::Kind;
use serde_json::{Map, Value, json};

use super::{resources, versions};
use crate::negotiate;
use crate::route::subresources::{self, Subresource};

/// A version of the document; both have the same fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V2,
    V2beta1,
}

/// The version that the client prefers to the older documents, if it does.
pub(super) fn wanted(headers: &HeaderMap) -> Option<Version> {
    let clauses = negotiate::clauses(headers);
    let first = clauses.iter().find(|clause| {
        let known = clause.param("as").is_empty() || version(clause).is_some();
        known
            && matches!(
                clause.media.as_str(),
                "application/json" | "application/vnd.kubernetes.protobuf" | "*/*"
            )
    });
    first.and_then(version)
}

fn version(clause: &negotiate::Clause<'_>) -> Option<Version> {
    let (group, kind) = (clause.param("g"), clause.param("as"));
    if clause.media != "application/json" || group != "apidiscovery.k8s.io" || kind != "APIGroupDiscoveryList"
    {
        return None;
    }
    match clause.param("v") {
        "v2" => Some(Version::V2),
        "v2beta1" => Some(Version::V2beta1),
        _ => None,
    }
}

/// The document for the groups that `of` chooses.
pub(super) fn groups(version: Version, of: impl Fn(&str) -> bool) -> Value {
    let mut names: Vec<&str> =
        versions().into_iter().map(|(group, _)| group).filter(|group| of(group)).collect();
    names.dedup();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": version.api_version(),
        "metadata": {},
        "items": names.into_iter().map(group).collect::<Vec<_>>(),
    })
}

fn group(name: &str) -> Value {
    let mut metadata = Map::new();
    if !name.is_empty() {
        metadata.insert("name".to_owned(), name.into());
    }
    metadata.insert("creationTimestamp".to_owned(), Value::Null);
    let versions = versions().into_iter().filter(|(group, _)| *group == name).map(|(group, version)| {
        let resources: Vec<_> = resources::kinds(group, version).into_iter().map(resource).collect();
        json!({ "version": version, "resources": resources, "freshness": "Current" })
    });
    json!({ "metadata": metadata, "versions": versions.collect::<Vec<_>>() })
}

fn resource(kind: &Kind) -> Value {
    let mut resource = json!({
        "resource": kind.plural,
        "responseKind": { "group": kind.group, "version": kind.version, "kind": kind.kind },
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": resources::verbs(kind),
    });
    let mut add = |name: &str, values: Vec<Value>| {
        if !values.is_empty() {
            resource[name] = values.into();
        }
    };
    add("shortNames", kind.short.iter().map(|name| (*name).into()).collect());
    add("categories", kind.categories.iter().map(|name| (*name).into()).collect());
    add("subresources", subresources::of(kind).iter().map(|known| below(kind, known)).collect());
    resource
}

fn below(kind: &Kind, subresource: &Subresource) -> Value {
    let (group, version, held) = subresource.holds.unwrap_or((kind.group, kind.version, kind.kind));
    json!({
        "subresource": subresource.name,
        "responseKind": { "group": group, "version": version, "kind": held },
        "verbs": subresource.verbs(),
    })
}

// === impl Version ===

impl Version {
    fn api_version(self) -> &'static str {
        match self {
            Self::V2 => "apidiscovery.k8s.io/v2",
            Self::V2beta1 => "apidiscovery.k8s.io/v2beta1",
        }
    }

    /// The type of the answer; clients tell by it which document they got.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::V2 => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Self::V2beta1 => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        }
    }
}
