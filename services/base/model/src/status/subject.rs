//! What an error is about: a resource or a kind, with its group.

use std::fmt;

use keelson_proto::Kind;

/// A resource in messages: `pods`, `leases.coordination.k8s.io`. Made from a plural name (of the core
/// group) or from a [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupResource<'a> {
    /// API group, "" for core.
    pub group: &'a str,
    /// Plural name, for instance `pods`.
    pub resource: &'a str,
}

/// A kind in messages: `Pod`, `Lease.coordination.k8s.io`. Made from a name (of the core group) or from a
/// [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupKind<'a> {
    /// API group, "" for core.
    pub group: &'a str,
    /// Kind, for instance `Pod`.
    pub kind: &'a str,
}

// === impl GroupResource ===

impl<'a> From<&'a str> for GroupResource<'a> {
    fn from(resource: &'a str) -> Self {
        Self { group: "", resource }
    }
}

impl From<&'static Kind> for GroupResource<'static> {
    fn from(kind: &'static Kind) -> Self {
        Self { group: kind.group, resource: kind.plural }
    }
}

impl fmt::Display for GroupResource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_group(f, self.resource, self.group)
    }
}

// === impl GroupKind ===

impl<'a> From<&'a str> for GroupKind<'a> {
    fn from(kind: &'a str) -> Self {
        Self { group: "", kind }
    }
}

impl From<&'static Kind> for GroupKind<'static> {
    fn from(kind: &'static Kind) -> Self {
        Self { group: kind.group, kind: kind.kind }
    }
}

impl fmt::Display for GroupKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_group(f, self.kind, self.group)
    }
}

fn with_group(f: &mut fmt::Formatter<'_>, name: &str, group: &str) -> fmt::Result {
    match group {
        "" => f.write_str(name),
        group => write!(f, "{name}.{group}"),
    }
}
