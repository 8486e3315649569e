//! etcd's words for ours.

use crate::{
    Batch, Change, ChangeKind, Commit, CommitOutcome, Error, Expect, KeyValue, MAX_COMMIT_BYTES, Op, Revision,
};
use bytes::Bytes;
use etcd_client::{
    Compare, CompareOp, Event, EventType, PutOptions, ResponseHeader, Txn, TxnOp, TxnOpResponse, TxnResponse,
};
use std::sync::Arc;

/// The transaction of a commit; `leases` has one place per operation, `also` is done besides. If a compare does not
/// hold, it reads what is there instead.
pub(super) fn transaction(commit: &Commit, leases: &[Option<i64>], also: Option<TxnOp>) -> Txn {
    let compares: Vec<Compare> = commit.compares.iter().map(compare).collect();
    let looks: Vec<TxnOp> =
        commit.compares.iter().map(|compare| TxnOp::get(compare.key.as_str(), None)).collect();
    let ops = commit.ops.iter().zip(leases).map(|(op, lease)| operation(op, *lease));
    let ops: Vec<TxnOp> = ops.chain(also).collect();
    Txn::new().when(compares).and_then(ops).or_else(looks)
}

fn compare(compare: &crate::Compare) -> Compare {
    let key = compare.key.as_str();
    match compare.expect {
        Expect::Absent => Compare::create_revision(key, CompareOp::Equal, 0),
        Expect::ModRevision(revision) => Compare::mod_revision(key, CompareOp::Equal, signed(revision)),
        Expect::Exists => Compare::create_revision(key, CompareOp::Greater, 0),
    }
}

fn operation(op: &Op, lease: Option<i64>) -> TxnOp {
    match op {
        Op::Put { key, value, .. } => {
            let options = PutOptions::new().with_lease(lease.unwrap_or(0));
            TxnOp::put(key.as_str(), value.as_ref(), Some(options))
        }
        Op::Delete { key } => TxnOp::delete(key.as_str(), None),
    }
}

/// How a transaction made by [`transaction`] ended.
pub(super) fn outcome(commit: &Commit, response: &TxnResponse) -> Result<CommitOutcome, Error> {
    let revision = revision(response.header());
    if response.succeeded() {
        return Ok(CommitOutcome::Committed { revision });
    }
    let found = response.op_responses().into_iter().map(found).collect::<Result<Vec<_>, _>>()?;
    let mut checked = commit.compares.iter().zip(found).enumerate();
    let failed = checked
        .find(|(_, (compare, found))| !compare.expect.holds(found.as_ref().map(|found| found.mod_revision)));
    let (index, (_, current)) = failed
        .ok_or_else(|| Error::Unavailable("etcd refused a commit whose compares all hold".to_owned()))?;
    Ok(CommitOutcome::Conflict { index, current, revision })
}

/// What a read found.
fn found(response: TxnOpResponse) -> Result<Option<KeyValue>, Error> {
    let found = match response {
        TxnOpResponse::Get(mut get) => get.take_kvs().into_iter().next(),
        TxnOpResponse::Put(_) | TxnOpResponse::Delete(_) | TxnOpResponse::Txn(_) => None,
    };
    found.map(key_value).transpose()
}

/// A key and value as ours.
pub(super) fn key_value(kv: etcd_client::KeyValue) -> Result<KeyValue, Error> {
    let (created, modified, version) = (kv.create_revision(), kv.mod_revision(), kv.version());
    let (key, value) = kv.into_key_value();
    Ok(KeyValue {
        key: text(&key)?,
        value: Bytes::from(value),
        create_revision: unsigned(created),
        mod_revision: unsigned(modified),
        version: unsigned(version),
    })
}

/// The events of a watch's message as commits: those after `after`, with the changes of keys that start with
/// `prefix`. A commit is never spread over two messages: etcd would do that only if asked to (`fragment`).
pub(super) fn batches(events: &[Event], prefix: &str, after: Revision) -> Result<Vec<Batch>, Error> {
    let modified = |event: &Event| event.kv().map_or(0, |kv| unsigned(kv.mod_revision()));
    // etcd 3.4 may repeat what it has sent already.
    let new = events.iter().skip_while(|event| modified(event) <= after);
    let new: Vec<&Event> = new.collect();
    let commits = new.chunk_by(|one, other| modified(one) == modified(other));
    let batch = |commit: &[&Event]| {
        let ours = commit
            .iter()
            .filter(|event| event.kv().is_some_and(|kv| kv.key().starts_with(prefix.as_bytes())));
        let changes = ours.map(|event| change(event)).collect::<Result<Vec<_>, _>>()?;
        Ok(Batch { revision: commit.first().map_or(0, |event| modified(event)), changes: changes.into() })
    };
    commits.map(batch).collect()
}

fn change(event: &Event) -> Result<Change, Error> {
    let kv = event.kv().cloned().ok_or_else(|| Error::Corrupt("an event without a key".to_owned()))?;
    match event.event_type() {
        EventType::Put => {
            let kv = key_value(kv)?;
            Ok(Change { key: kv.key.clone(), kind: ChangeKind::Put(kv) })
        }
        EventType::Delete => Ok(Change { key: text(kv.key())?, kind: ChangeKind::Delete }),
    }
}

/// What is the matter with a member, rather than with what was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It was not reached: nothing was sent.
    Unreached,
    /// It knows of no leader, and so has done nothing.
    NoLeader,
    /// It is not up to more, and has done nothing.
    Busy,
    /// It did not answer in time.
    Silent,
    /// The connection broke, or it gave up: what it was asked may happen all the same.
    Lost,
}

// === impl Trouble ===

impl Trouble {
    /// Whether a write may have happened, or happen yet.
    pub(super) fn may_have_happened(self) -> bool {
        match self {
            Self::Unreached | Self::NoLeader | Self::Busy => false,
            Self::Silent | Self::Lost => true,
        }
    }
}

/// What a failure says of the member; `None` if it is about what was asked. etcd says most of it in words only
/// (rpctypes/error.go).
pub(super) fn trouble(error: &etcd_client::Error) -> Option<Trouble> {
    let status = match error {
        etcd_client::Error::GRpcStatus(status) => status,
        etcd_client::Error::TransportError(_) | etcd_client::Error::IoError(_) => {
            return Some(Trouble::Unreached);
        }
        _ => return None,
    };
    let mut source = std::error::Error::source(status);
    if source.is_some() {
        // It failed on this side: before the connection stood, or after.
        while let Some(cause) = source {
            if cause.is::<tonic::ConnectError>() {
                return Some(Trouble::Unreached);
            }
            source = cause.source();
        }
        return Some(Trouble::Lost);
    }
    match status.message() {
        message if message.contains("no leader") => Some(Trouble::NoLeader),
        message if message.contains("too many requests") => Some(Trouble::Busy),
        message
            if ["request timed out", "leader changed", "server stopped", "not leader"]
                .iter()
                .any(|words| message.contains(words)) =>
        {
            Some(Trouble::Lost)
        }
        _ => (status.code() == tonic::Code::Unavailable).then_some(Trouble::Lost),
    }
}

/// What a failure means; `requested` is the revision asked for, if one was. etcd says most of it in words only.
pub(super) fn error(error: etcd_client::Error, requested: Option<Revision>) -> Error {
    let etcd_client::Error::GRpcStatus(status) = &error else {
        return Error::Unavailable(format!("etcd: {error}"));
    };
    let requested = requested.unwrap_or(0);
    match status.message() {
        // etcd does not say how far; it is further than asked for.
        message if message.contains("required revision has been compacted") => {
            Error::Compacted { requested, compacted: requested + 1 }
        }
        message if message.contains("required revision is a future revision") => {
            Error::FutureRevision { requested, head: requested.saturating_sub(1) }
        }
        message if message.contains("database space exceeded") => Error::NoSpace(format!(
            "{message}; reads go on; defragment etcd (etcdctl defrag) or raise its --quota-backend-bytes, then \
             disarm the alarm (etcdctl alarm disarm)"
        )),
        message if message.contains("request is too large") => {
            Error::TooLarge { size: MAX_COMMIT_BYTES, limit: MAX_COMMIT_BYTES }
        }
        message => Error::Unavailable(format!("etcd: {message}")),
    }
}

/// Whether a commit failed because its lease had just ended.
pub(super) fn is_lost_lease(error: &etcd_client::Error) -> bool {
    matches!(error, etcd_client::Error::GRpcStatus(status) if status.message().contains("requested lease not found"))
}

/// The revision of an answer.
pub(super) fn revision(header: Option<&ResponseHeader>) -> Revision {
    header.map_or(0, |header| unsigned(header.revision()))
}

/// Our revisions and counts as etcd's, which never come near the sign.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// etcd's revisions and counts as ours; they are never negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn text(key: &[u8]) -> Result<Arc<str>, Error> {
    let text =
        std::str::from_utf8(key).map_err(|_| Error::Corrupt(format!("the key {key:?} is not UTF-8")))?;
    Ok(Arc::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    #[test]
    fn only_what_is_certain_not_to_have_happened_may_be_tried_again() {
        let said = |status: Status| trouble(&etcd_client::Error::GRpcStatus(status));
        let refused = tonic::ConnectError(Box::new(std::io::Error::other("refused")));
        let broken = std::io::Error::other("reset by peer");
        let table = [
            (Status::unavailable("etcdserver: no leader"), Some(Trouble::NoLeader)),
            (Status::resource_exhausted("etcdserver: too many requests"), Some(Trouble::Busy)),
            (Status::unavailable("etcdserver: request timed out"), Some(Trouble::Lost)),
            (
                Status::unavailable("etcdserver: request timed out, possibly due to previous leader failure"),
                Some(Trouble::Lost),
            ),
            (Status::unavailable("etcdserver: leader changed"), Some(Trouble::Lost)),
            (Status::unavailable("etcdserver: server stopped"), Some(Trouble::Lost)),
            (Status::unavailable("something new"), Some(Trouble::Lost)),
            (Status::from_error(Box::new(refused)), Some(Trouble::Unreached)),
            (Status::from_error(Box::new(broken)), Some(Trouble::Lost)),
            (Status::resource_exhausted("etcdserver: mvcc: database space exceeded"), None),
            (Status::out_of_range("etcdserver: mvcc: required revision has been compacted"), None),
            (Status::not_found("etcdserver: requested lease not found"), None),
        ];
        for (status, expected) in table {
            assert_eq!(said(status.clone()), expected, "{status}");
        }
        let retried = [Trouble::Unreached, Trouble::NoLeader, Trouble::Busy];
        assert!(retried.iter().all(|trouble| !trouble.may_have_happened()));
        assert!([Trouble::Silent, Trouble::Lost].iter().all(|trouble| trouble.may_have_happened()));
    }
}
