//! The name under which one object is known: namespace and name, written `namespace/name`.

use std::fmt;
use std::str::FromStr;

use keelson_proto::meta::ObjectMeta;

/// Namespace and name of one object. Cluster-wide objects have the namespace "".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Namespace, "" for cluster-wide objects.
    pub namespace: String,
    /// Name, unique in its namespace among objects of one kind.
    pub name: String,
}

/// A text that is not `name` or `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key: write \"name\" or \"namespace/name\"")]
pub struct ParseKeyError(String);

// === impl ObjectKey ===

impl ObjectKey {
    /// The key of `name` in `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object that exists in no namespace.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self::new("", name)
    }

    /// The key of the object with this metadata.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self::new(metadata.namespace.as_str(), metadata.name.as_str())
    }
}

impl From<&ObjectMeta> for ObjectKey {
    fn from(metadata: &ObjectMeta) -> Self {
        Self::of(metadata)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

impl FromStr for ObjectKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let (namespace, name) = text.split_once('/').unwrap_or(("", text));
        let bad = name.is_empty() || name.contains('/') || (namespace.is_empty() && text.contains('/'));
        if bad { Err(ParseKeyError(text.to_owned())) } else { Ok(Self::new(namespace, name)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_is_written() {
        for key in [ObjectKey::new("default", "web-1"), ObjectKey::cluster("node-1")] {
            assert_eq!(key.to_string().parse::<ObjectKey>(), Ok(key));
        }
        assert_eq!(ObjectKey::new("default", "web-1").to_string(), "default/web-1");
        assert_eq!(ObjectKey::cluster("node-1").to_string(), "node-1");
    }

    #[test]
    fn a_text_with_an_empty_part_is_not_a_key() {
        for text in ["", "/", "a/", "/b", "a/b/c"] {
            assert!(text.parse::<ObjectKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn keys_are_ordered_by_namespace_then_name() {
        let mut keys = [ObjectKey::new("b", "a"), ObjectKey::new("a", "z"), ObjectKey::new("a", "b")];
        keys.sort();
        assert_eq!(keys.map(|key| key.to_string()), ["a/b", "a/z", "b/a"]);
    }
}
