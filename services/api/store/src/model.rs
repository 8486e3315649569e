//! The store as a simple thing: every revision kept whole, nothing shared, nothing clever. What both backends
//! are compared with.

use crate::{
    Batch, Change, ChangeKind, Commit, CommitOutcome, Error, KeyValue, Op, RangeRequest, RangeResponse,
    Revision,
};
use std::collections::BTreeMap;
use std::ops::Bound;

type Keys = BTreeMap<String, KeyValue>;

/// The reference.
#[derive(Clone, Debug)]
pub struct Model {
    /// What there was at every revision since the beginning.
    states: BTreeMap<Revision, Keys>,
    batches: BTreeMap<Revision, Batch>,
    compacted: Revision,
}

// === impl Model ===

impl Model {
    /// An empty store at revision `head`.
    pub fn new(head: Revision) -> Self {
        Self { states: [(head, Keys::new())].into(), batches: BTreeMap::new(), compacted: head }
    }

    /// The newest revision.
    pub fn head(&self) -> Revision {
        self.states.last_key_value().map_or(0, |(revision, _)| *revision)
    }

    /// The oldest revision that can be read.
    pub fn compacted(&self) -> Revision {
        self.compacted
    }

    /// What is under a key now.
    pub fn get(&self, key: &str) -> Option<&KeyValue> {
        self.states.last_key_value()?.1.get(key)
    }

    /// What a commit does.
    pub fn commit(&mut self, commit: &Commit) -> CommitOutcome {
        let head = self.head();
        for (index, compare) in commit.compares.iter().enumerate() {
            let current = self.get(&compare.key);
            if !compare.expect.holds(current.map(|kv| kv.mod_revision)) {
                return CommitOutcome::Conflict { index, current: current.cloned(), revision: head };
            }
        }
        let mut keys = self.states.get(&head).cloned().unwrap_or_default();
        let changes: Vec<Change> =
            commit.ops.iter().filter_map(|op| apply(&mut keys, op, head + 1)).collect();
        if changes.is_empty() {
            return CommitOutcome::Committed { revision: head };
        }
        self.states.insert(head + 1, keys);
        self.batches.insert(head + 1, Batch { revision: head + 1, changes: changes.into() });
        CommitOutcome::Committed { revision: head + 1 }
    }

    /// What a list returns.
    ///
    /// # Errors
    /// [`Error::Compacted`] and [`Error::FutureRevision`].
    pub fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        let revision = request.revision.unwrap_or_else(|| self.head());
        let keys = self.state(revision)?;
        let start = match &request.start_after {
            Some(key) => Bound::Excluded(key.as_str()),
            None => Bound::Unbounded,
        };
        let found = keys.range::<str, _>((start, Bound::Unbounded));
        let mut items: Vec<KeyValue> =
            found.filter(|(key, _)| key.starts_with(&request.prefix)).map(|(_, kv)| kv.clone()).collect();
        let all = items.len();
        if request.limit > 0 {
            items.truncate(request.limit);
        }
        let remaining = (all - items.len()) as u64;
        Ok(RangeResponse { items, revision, more: remaining > 0, remaining })
    }

    /// What a watch delivers.
    ///
    /// # Errors
    /// [`Error::Compacted`] and [`Error::FutureRevision`].
    pub fn after(&self, from: Revision) -> Result<Vec<Batch>, Error> {
        self.state(from)?;
        Ok(self.batches.range(from + 1..).map(|(_, batch)| batch.clone()).collect())
    }

    /// Gives up what is before `up_to`.
    pub fn compact(&mut self, up_to: Revision) {
        self.compacted = self.compacted.max(up_to);
    }

    fn state(&self, requested: Revision) -> Result<&Keys, Error> {
        let (head, compacted) = (self.head(), self.compacted);
        if requested < compacted {
            return Err(Error::Compacted { requested, compacted });
        }
        self.states.get(&requested).ok_or(Error::FutureRevision { requested, head })
    }
}

/// One operation; `None` if it changes nothing.
fn apply(keys: &mut Keys, op: &Op, revision: Revision) -> Option<Change> {
    match op {
        Op::Put { key, value, .. } => {
            let previous = keys.get(key).cloned();
            let kv = KeyValue {
                key: key.as_str().into(),
                value: value.clone(),
                create_revision: previous.as_ref().map_or(revision, |kv| kv.create_revision),
                mod_revision: revision,
                version: previous.as_ref().map_or(0, |kv| kv.version) + 1,
            };
            keys.insert(key.clone(), kv.clone());
            Some(Change { key: kv.key.clone(), kind: ChangeKind::Put(kv) })
        }
        Op::Delete { key } => {
            let gone = keys.remove(key)?;
            Some(Change { key: gone.key, kind: ChangeKind::Delete })
        }
    }
}
