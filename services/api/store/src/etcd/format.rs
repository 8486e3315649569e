//! Which format the data has: a key beside Kubernetes' own, so that an older program leaves newer data alone.
//!
//! The key is written with the first commit, in the same transaction, and so costs no revision.

use super::members::{Member, Members};
use crate::{Commit, Error, MAX_COMMIT_OPS, Op};
use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the format stands: outside of what Kubernetes' tools read.
const KEY: &str = "/keelson/format";

/// The format written, and the newest one read.
const FORMAT: u64 = 1;

/// Whether the data says its format.
#[derive(Debug)]
pub(super) struct Format {
    is_marked: AtomicBool,
}

// === impl Format ===

impl Format {
    /// Reads what format the data has; none yet is fine.
    ///
    /// # Errors
    /// [`Error::NewerFormat`], [`Error::Corrupt`], and those of etcd.
    pub(super) async fn check(members: &Members) -> Result<Self, Error> {
        let call = |member: Arc<Member>| async move { member.kv().get(KEY, None).await };
        let response = members.read("answer", None, call).await?;
        let Some(found) = response.kvs().first() else {
            return Ok(Self { is_marked: AtomicBool::new(false) });
        };
        let text = String::from_utf8_lossy(found.value());
        match text.trim().parse::<u64>() {
            Ok(FORMAT) => Ok(Self { is_marked: AtomicBool::new(true) }),
            Ok(found) if found > FORMAT => Err(Error::NewerFormat { found, supported: FORMAT }),
            _ => Err(Error::Corrupt(format!("the key {KEY} is {text:?}, which is no format"))),
        }
    }

    /// What a commit also has to do: write the format, if nothing has. Not with a commit that may change nothing, which
    /// must not take a revision for this.
    pub(super) fn mark(&self, commit: &Commit) -> Option<TxnOp> {
        let puts = commit.ops.iter().any(|op| matches!(op, Op::Put { .. }));
        let has_room = commit.ops.len() < MAX_COMMIT_OPS;
        (puts && has_room && !self.is_marked.load(Ordering::Relaxed)).then(|| {
            let absent = Compare::create_revision(KEY, CompareOp::Equal, 0);
            TxnOp::txn(Txn::new().when([absent]).and_then([TxnOp::put(KEY, FORMAT.to_string(), None)]))
        })
    }

    /// A commit that also wrote the format has happened.
    pub(super) fn marked(&self) {
        self.is_marked.store(true, Ordering::Relaxed);
    }
}
