//! What callers ask: commits and ranges, and the rules both backends hold them to.

use crate::{Error, KeyValue, Revision};
use bytes::Bytes;
use std::collections::HashSet;
use std::time::Duration;

/// The most bytes of keys and values in one commit. etcd refuses requests over 1.5 MiB; the difference is room
/// for its framing.
pub const MAX_COMMIT_BYTES: usize = 1_500_000;

/// The most operations in one commit; also the most compares. etcd's default (`--max-txn-ops`).
pub const MAX_COMMIT_OPS: usize = 128;

/// One operation of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Write a value.
    Put {
        /// The key; not empty.
        key: String,
        /// The bytes to store.
        value: Bytes,
        /// After this long the key is deleted, unless it is put again before. The embedded backend keeps to
        /// it; etcd deletes up to [`EtcdConfig::lease_bucket`](crate::EtcdConfig) later.
        ttl: Option<Duration>,
    },
    /// Remove a key. Removing an absent key is no error and no change.
    Delete {
        /// The key; not empty.
        key: String,
    },
}

/// A condition a commit depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// The key it looks at.
    pub key: String,
    /// What must be so.
    pub expect: Expect,
}

/// What a [`Compare`] demands of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key is not there.
    Absent,
    /// The key was last put at exactly this revision. 0 means [`Expect::Absent`].
    ModRevision(Revision),
    /// The key is there.
    Exists,
}

/// A transaction: when every compare holds, every operation happens, at one revision; otherwise nothing does.
///
/// No two operations may name the same key. A commit that changes nothing (no operations, or only deletes of
/// absent keys) takes no revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The conditions, looked at in order.
    pub compares: Vec<Compare>,
    /// The operations, in order.
    pub ops: Vec<Op>,
}

/// How a commit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It happened, durably.
    Committed {
        /// The commit's revision; the store's newest one when the commit changed nothing.
        revision: Revision,
    },
    /// A compare did not hold, and nothing happened.
    Conflict {
        /// Which compare; the first that did not hold.
        index: usize,
        /// What is there under that compare's key.
        current: Option<KeyValue>,
        /// The revision at which it was looked at.
        revision: Revision,
    },
}

/// A list of keys in byte order, whole or one page of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeRequest {
    /// Only keys that start with this.
    pub prefix: String,
    /// Only keys after this one: the last key of the page before.
    pub start_after: Option<String>,
    /// The most items to return; 0 for all.
    pub limit: usize,
    /// The moment to look at; `None` for now. The pages of one list all name the first page's revision.
    pub revision: Option<Revision>,
}

/// The answer to a [`RangeRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeResponse {
    /// The keys and values, in byte order of the keys.
    pub items: Vec<KeyValue>,
    /// The revision of the snapshot they are from.
    pub revision: Revision,
    /// Whether `limit` cut the list short.
    pub more: bool,
    /// How many items follow the last one returned.
    pub remaining: u64,
}

// === impl Op ===

impl Op {
    /// A put without a time to live.
    pub fn put(key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self::Put { key: key.into(), value: value.into(), ttl: None }
    }

    /// A delete.
    pub fn delete(key: impl Into<String>) -> Self {
        Self::Delete { key: key.into() }
    }

    /// The key it writes or removes.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

// === impl Expect ===

impl Expect {
    /// Whether a key holds up that was last put at `modified`, or is absent (`None`).
    pub(crate) fn holds(self, modified: Option<Revision>) -> bool {
        match self {
            Self::Absent | Self::ModRevision(0) => modified.is_none(),
            Self::ModRevision(revision) => modified == Some(revision),
            Self::Exists => modified.is_some(),
        }
    }
}

// === impl Commit ===

impl Commit {
    /// A commit of one put on condition, the commonest kind.
    pub fn put_if(key: &str, value: impl Into<Bytes>, expect: Expect) -> Self {
        Self { compares: vec![Compare { key: key.to_owned(), expect }], ops: vec![Op::put(key, value)] }
    }

    /// A commit of one delete on condition.
    pub fn delete_if(key: &str, expect: Expect) -> Self {
        Self { compares: vec![Compare { key: key.to_owned(), expect }], ops: vec![Op::delete(key)] }
    }

    /// Checks the rules that both backends share.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::TooLarge`].
    pub(crate) fn validate(&self) -> Result<(), Error> {
        if self.ops.len() > MAX_COMMIT_OPS || self.compares.len() > MAX_COMMIT_OPS {
            return Err(Error::Invalid(format!("more than {MAX_COMMIT_OPS} operations or compares")));
        }
        let mut seen = HashSet::with_capacity(self.ops.len());
        for key in self.ops.iter().map(Op::key) {
            if !seen.insert(key) {
                return Err(Error::Invalid(format!("two operations on the key {key:?}")));
            }
        }
        let mut keys = seen.into_iter().chain(self.compares.iter().map(|compare| compare.key.as_str()));
        if keys.any(str::is_empty) {
            return Err(Error::Invalid("an empty key".to_owned()));
        }
        match self.size() {
            size if size > MAX_COMMIT_BYTES => Err(Error::TooLarge { size, limit: MAX_COMMIT_BYTES }),
            _ => Ok(()),
        }
    }

    /// Bytes of keys and values.
    pub(crate) fn size(&self) -> usize {
        let value = |op: &Op| match op {
            Op::Put { value, .. } => value.len(),
            Op::Delete { .. } => 0,
        };
        let ops: usize = self.ops.iter().map(|op| op.key().len() + value(op)).sum();
        ops + self.compares.iter().map(|compare| compare.key.len()).sum::<usize>()
    }
}

// === impl RangeRequest ===

impl RangeRequest {
    /// Every key under a prefix, now.
    pub fn all(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }

    /// The request for what follows `page`, at the page's revision; `None` when nothing does.
    pub fn after(&self, page: &RangeResponse) -> Option<Self> {
        let last = page.items.last().filter(|_| page.more)?;
        Some(Self {
            start_after: Some(last.key.as_ref().to_owned()),
            revision: Some(page.revision),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_look_at_the_last_put() {
        let cases = [
            (Expect::Absent, None, true),
            (Expect::Absent, Some(3), false),
            (Expect::ModRevision(0), None, true),
            (Expect::ModRevision(3), None, false),
            (Expect::ModRevision(3), Some(3), true),
            (Expect::ModRevision(3), Some(4), false),
            (Expect::Exists, None, false),
            (Expect::Exists, Some(1), true),
        ];
        for (expect, modified, holds) in cases {
            assert_eq!(expect.holds(modified), holds, "{expect:?} of {modified:?}");
        }
    }

    #[test]
    fn a_commit_must_keep_the_rules_of_both_backends() {
        let ops = |ops: Vec<Op>| Commit { compares: Vec::new(), ops };
        assert_eq!(ops(vec![Op::put("a", "1"), Op::delete("b")]).validate(), Ok(()));
        let twice = ops(vec![Op::put("a", "1"), Op::delete("a")]);
        assert!(matches!(twice.validate(), Err(Error::Invalid(_))));
        assert!(matches!(ops(vec![Op::delete("")]).validate(), Err(Error::Invalid(_))));
        assert!(matches!(Commit::put_if("", "", Expect::Absent).validate(), Err(Error::Invalid(_))));
        let many = (0..=MAX_COMMIT_OPS).map(|n| Op::delete(n.to_string())).collect();
        assert!(matches!(ops(many).validate(), Err(Error::Invalid(_))));
        let size = MAX_COMMIT_BYTES + 1;
        let large = ops(vec![Op::put("a", vec![0; size - 1])]);
        assert_eq!(large.validate(), Err(Error::TooLarge { size, limit: MAX_COMMIT_BYTES }));
    }

    #[test]
    fn the_next_page_stays_at_the_revision_of_the_first() {
        let request = RangeRequest { limit: 1, ..RangeRequest::all("/a/") };
        let item = KeyValue {
            key: "/a/x".into(),
            value: Bytes::new(),
            create_revision: 2,
            mod_revision: 2,
            version: 1,
        };
        let page = RangeResponse { items: vec![item], revision: 7, more: true, remaining: 3 };
        let next = request.after(&page).unwrap();
        assert_eq!((next.start_after.as_deref(), next.revision), (Some("/a/x"), Some(7)));
        assert_eq!(request.after(&RangeResponse { more: false, ..page }), None);
    }
}
