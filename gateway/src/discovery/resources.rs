//! The resources of one version, and what can be done with them.

use keelson_proto::meta::{ApiResource, ApiResourceList, Verbs};
use keelson_proto::{Kind, OBSERVED, QUESTIONS};

use crate::kinds;
use crate::route::subresources::{self, Subresource};

/// What can be done with objects of every registered kind.
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// The kinds of one version, sorted by resource name. Bindings have no registry, but can be posted.
pub(super) fn kinds(group: &str, version: &str) -> Vec<&'static Kind> {
    let mut kinds: Vec<_> =
        kinds::served().filter(|kind| kind.group == group && kind.version == version).collect();
    kinds.sort_unstable_by_key(|kind| kind.plural);
    kinds
}

/// The verbs of a kind.
pub(super) fn verbs(kind: &Kind) -> &'static [&'static str] {
    match kind {
        kind if kind.service.is_empty() || QUESTIONS.contains(kind) => &["create"],
        kind if OBSERVED.contains(kind) => &["get", "list"],
        _ => VERBS,
    }
}

/// The resources of one version and their subresources.
pub(super) fn list(group: &str, version: &str) -> ApiResourceList {
    let kinds = kinds(group, version);
    let resources = kinds.iter().flat_map(|kind| {
        let below = subresources::of(kind).iter().map(|subresource| below(kind, subresource));
        std::iter::once(resource(kind)).chain(below)
    });
    ApiResourceList {
        group_version: if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
        resources: resources.collect(),
    }
}

fn resource(kind: &Kind) -> ApiResource {
    ApiResource {
        name: kind.plural.to_owned(),
        singular_name: kind.singular.to_owned(),
        namespaced: kind.namespaced,
        kind: kind.kind.to_owned(),
        verbs: owned(verbs(kind)),
        short_names: kind.short.iter().map(|name| (*name).to_owned()).collect(),
        categories: kind.categories.iter().map(|name| (*name).to_owned()).collect(),
        ..ApiResource::default()
    }
}

fn below(kind: &Kind, subresource: &Subresource) -> ApiResource {
    let (group, version, held) = subresource.holds.unwrap_or((kind.group, kind.version, kind.kind));
    // Group and version are told only where they differ from the list's.
    let (group, version) = if group == kind.group { ("", "") } else { (group, version) };
    ApiResource {
        name: format!("{}/{}", kind.plural, subresource.name),
        namespaced: kind.namespaced,
        group: group.to_owned(),
        version: version.to_owned(),
        kind: held.to_owned(),
        verbs: owned(&subresource.verbs()),
        ..ApiResource::default()
    }
}

fn owned(verbs: &[&str]) -> Verbs {
    Verbs { items: verbs.iter().map(|verb| (*verb).to_owned()).collect() }
}
