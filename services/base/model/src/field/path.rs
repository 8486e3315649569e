//! The paths of fields.
//!
//! Validation makes one of every field that it looks at, faulty or not: they are concatenated, without the detour of
//! `format!`.

use std::fmt;

/// Where a field is, for instance `spec.containers[0].image` or `metadata.labels[app]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(String);

// === impl Path ===

impl Path {
    /// The path of a top-level field.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The path of the object itself; its children are the top-level fields.
    pub fn root() -> Self {
        Self::default()
    }

    /// The field `name` inside this one.
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self::new(name) } else { Self([&self.0, ".", name].concat()) }
    }

    /// The item at `index` of this list.
    pub fn index(&self, index: usize) -> Self {
        self.key(&index.to_string())
    }

    /// The entry under `key` of this map.
    pub fn key(&self, key: &str) -> Self {
        Self([&self.0, "[", key, "]"].concat())
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "<nil>" } else { &self.0 })
    }
}
