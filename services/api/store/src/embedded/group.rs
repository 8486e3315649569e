//! A redb transaction being filled with commits.

use super::deadlines::{Deadlines, Moment};
use super::disk::{DEADLINES, RECORDS, VERSIONS, failed};
use super::index::{At, Entry, Index};
use super::record::{Put, Record};
use super::view::read;
use crate::{Batch, Change, ChangeKind, Commit, CommitOutcome, Error, Op, Revision};
use bytes::Bytes;
use redb::{Table, WriteTransaction};
use std::sync::Arc;
use std::time::Duration;

const WRITING: &str = "write";

/// What the writer knows without looking: the store as of the last commit of the group.
#[derive(Debug)]
pub(super) struct State {
    pub(super) head: Revision,
    pub(super) index: Index,
    pub(super) deadlines: Deadlines,
}

/// Commits on their way into one transaction, each checked against the ones before it.
pub(super) struct Group<'a> {
    records: Table<'a, (u64, u32), &'static [u8]>,
    versions: Table<'a, (&'static str, u64), (u64, u64, u32)>,
    deadlines: Table<'a, (u64, &'static str), ()>,
    state: &'a mut State,
    now: Moment,
    batches: Vec<Batch>,
    scratch: Vec<u8>,
}

// === impl Group ===

impl<'a> Group<'a> {
    pub(super) fn open(txn: &'a WriteTransaction, state: &'a mut State, now: Moment) -> Result<Self, Error> {
        Ok(Self {
            records: txn.open_table(RECORDS).map_err(failed(WRITING))?,
            versions: txn.open_table(VERSIONS).map_err(failed(WRITING))?,
            deadlines: txn.open_table(DEADLINES).map_err(failed(WRITING))?,
            state,
            now,
            batches: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Adds a commit, if its compares hold.
    pub(super) fn commit(&mut self, commit: &Commit) -> Result<CommitOutcome, Error> {
        for (index, compare) in commit.compares.iter().enumerate() {
            let found = self.find(&compare.key);
            if !compare.expect.holds(found.as_ref().map(|(_, entry)| entry.at.revision)) {
                let current = found.map(|(key, entry)| read(&self.records, &key, entry.at)).transpose()?;
                return Ok(CommitOutcome::Conflict { index, current, revision: self.state.head });
            }
        }
        let changes = self.changes(&commit.ops)?;
        if !changes.is_empty() {
            self.state.head += 1;
            self.batches.push(Batch { revision: self.state.head, changes: changes.into() });
        }
        Ok(CommitOutcome::Committed { revision: self.state.head })
    }

    /// Adds the deletes of keys whose time is up, each a commit of its own.
    pub(super) fn expire(&mut self, limit: usize) -> Result<(), Error> {
        for key in self.state.deadlines.due(self.now, limit) {
            self.commit(&Commit { compares: Vec::new(), ops: vec![Op::delete(&*key)] })?;
        }
        Ok(())
    }

    /// The commits that changed something.
    pub(super) fn finish(self) -> Vec<Batch> {
        self.batches
    }

    /// Writes the operations of the next revision: what they change.
    fn changes(&mut self, ops: &[Op]) -> Result<Vec<Change>, Error> {
        let mut changes = Vec::with_capacity(ops.len());
        for (place, op) in (0..).zip(ops) {
            let at = At { revision: self.state.head + 1, place };
            changes.extend(match op {
                Op::Put { key, value, ttl } => Some(self.put(at, key, value, *ttl)?),
                Op::Delete { key } => self.delete(at, key)?,
            });
        }
        Ok(changes)
    }

    fn put(&mut self, at: At, key: &str, value: &Bytes, ttl: Option<Duration>) -> Result<Change, Error> {
        let found = self.find(key);
        let (key, entry) = match &found {
            Some((key, old)) => (Arc::clone(key), Entry { at, version: old.version + 1, ..*old }),
            None => (Arc::from(key), Entry { created: at.revision, at, version: 1 }),
        };
        let put = Put { created: entry.created, version: entry.version, value };
        self.write(&key, at, found.map(|(_, old)| old), Some(put))?;
        self.set_deadline(&key, ttl.map(|ttl| self.now.after(ttl)))?;
        self.state.index.insert(Arc::clone(&key), entry);
        Ok(Change { kind: ChangeKind::Put(entry.key_value(&key, value)), key })
    }

    /// `None` when there was nothing to delete.
    fn delete(&mut self, at: At, key: &str) -> Result<Option<Change>, Error> {
        let Some((key, old)) = self.find(key) else {
            return Ok(None);
        };
        self.write(&key, at, Some(old), None)?;
        self.set_deadline(&key, None)?;
        self.state.index.remove(&*key);
        Ok(Some(Change { key, kind: ChangeKind::Delete }))
    }

    /// Writes one operation to the tables.
    fn write(
        &mut self,
        key: &Arc<str>,
        at: At,
        old: Option<Entry>,
        put: Option<Put<'_>>,
    ) -> Result<(), Error> {
        let record = Record { key, previous: old.map(|old| old.at), put };
        record.encode(&mut self.scratch);
        let (created, version) = put.map_or((0, 0), |put| (put.created, put.version));
        self.records.insert((at.revision, at.place), self.scratch.as_slice()).map_err(failed(WRITING))?;
        self.versions.insert((&**key, at.revision), (created, version, at.place)).map_err(failed(WRITING))?;
        Ok(())
    }

    fn set_deadline(&mut self, key: &Arc<str>, deadline: Option<Moment>) -> Result<(), Error> {
        if let Some(before) = self.state.deadlines.set(key, deadline) {
            self.deadlines.remove((before.0, &**key)).map_err(failed(WRITING))?;
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline.0, &**key), ()).map_err(failed(WRITING))?;
        }
        Ok(())
    }

    fn find(&self, key: &str) -> Option<(Arc<str>, Entry)> {
        self.state.index.get_key_value(key).map(|(key, entry)| (Arc::clone(key), *entry))
    }
}
