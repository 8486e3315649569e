//! Which keys live, and where their values are.

use crate::{KeyValue, Revision};
use bytes::Bytes;
use std::ops::Bound;
use std::sync::Arc;

/// Every living key in order. Cloning it is free, which is how readers get a snapshot per revision.
pub(super) type Index = imbl::OrdMap<Arc<str>, Entry>;

/// The address of one operation: the commit's revision and the operation's place in the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) revision: Revision,
    pub(super) place: u32,
}

/// A living key, without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The revision of the put that created the key.
    pub(super) created: Revision,
    /// The put that wrote the value.
    pub(super) at: At,
    /// Puts since the key was created.
    pub(super) version: u64,
}

// === impl Entry ===

impl Entry {
    /// The entry with its value.
    pub(super) fn key_value(&self, key: &Arc<str>, value: &Bytes) -> KeyValue {
        KeyValue {
            key: Arc::clone(key),
            value: value.clone(),
            create_revision: self.created,
            mod_revision: self.at.revision,
            version: self.version,
        }
    }
}

/// Where a list begins: with `prefix`, or after the last key of the page before.
pub(super) fn start<'a>(prefix: &'a str, start_after: Option<&'a str>) -> Bound<&'a str> {
    match start_after {
        Some(key) if key >= prefix => Bound::Excluded(key),
        _ => Bound::Included(prefix),
    }
}

/// The living keys of a list, in order.
pub(super) fn list<'a>(
    index: &'a Index,
    prefix: &'a str,
    start_after: Option<&'a str>,
) -> impl Iterator<Item = (&'a Arc<str>, &'a Entry)> {
    let range = (start(prefix, start_after), Bound::Unbounded);
    index.range::<_, str>(range).take_while(move |(key, _)| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_their_prefix_and_start_after_the_page_before() {
        let entry = Entry { created: 2, at: At { revision: 2, place: 0 }, version: 1 };
        let index: Index =
            ["/a", "/a/x", "/a/y", "/a0", "/b"].into_iter().map(|key| (Arc::from(key), entry)).collect();
        let keys = |prefix, after| list(&index, prefix, after).map(|(key, _)| &**key).collect::<Vec<_>>();
        assert_eq!(keys("/a/", None), ["/a/x", "/a/y"]);
        assert_eq!(keys("/a/", Some("/a/x")), ["/a/y"]);
        assert_eq!(keys("/a/", Some("/a/y")), [""; 0]);
        assert_eq!(keys("/a/", Some("/")), ["/a/x", "/a/y"], "a start before the prefix is the prefix");
        assert_eq!(keys("/a", None), ["/a", "/a/x", "/a/y", "/a0"]);
        assert_eq!(keys("", None).len(), 5);
    }
}
