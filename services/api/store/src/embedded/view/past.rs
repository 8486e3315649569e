//! What was: lists at earlier revisions, and the commits since one.

use super::{READING, View};
use crate::embedded::disk::{VERSIONS, failed};
use crate::embedded::index::{self, At};
use crate::embedded::record::Record;
use crate::{Batch, Change, ChangeKind, Error, RangeRequest, Revision};
use std::ops::Bound;
use std::sync::Arc;

/// A reader that catches up reads this many commits at once,
const CHUNK_BATCHES: usize = 256;
/// or this many bytes of them, if that is less.
const CHUNK_BYTES: usize = 1 << 20;

/// Commits being put together from their operations.
#[derive(Default)]
struct Chunk {
    revision: Revision,
    changes: Vec<Change>,
    batches: Vec<Batch>,
    bytes: usize,
}

// === impl View ===

impl View {
    /// The keys of a list that lived at a revision, and where their values were.
    pub(super) fn list_at(
        &self,
        request: &RangeRequest,
        revision: Revision,
    ) -> Result<Vec<(Arc<str>, At)>, Error> {
        let versions = self.snapshot.open_table(VERSIONS).map_err(failed(READING))?;
        let start = match index::start(&request.prefix, request.start_after.as_deref()) {
            Bound::Excluded(key) => Bound::Excluded((key, Revision::MAX)),
            _ => Bound::Included((request.prefix.as_str(), 0)),
        };
        let mut keys: Vec<(Arc<str>, At)> = Vec::new();
        for row in versions.range::<(&str, u64)>((start, Bound::Unbounded)).map_err(failed(READING))? {
            let (place_in_history, row) = row.map_err(failed(READING))?;
            let (key, modified) = place_in_history.value();
            if !key.starts_with(&request.prefix) {
                break;
            }
            if modified > revision {
                continue;
            }
            let (_, version, place) = row.value();
            // Later versions of a key follow at once and take the place of earlier ones.
            let key = match keys.pop_if(|(last, _)| &**last == key) {
                Some((same, _)) => same,
                None => Arc::from(key),
            };
            // A delete stays in the list, as version 0, until the next key: it must be there to be replaced.
            let revision = if version == 0 { 0 } else { modified };
            keys.push((key, At { revision, place }));
        }
        keys.retain(|(_, at)| at.revision != 0);
        Ok(keys)
    }

    /// The commits after `after`: a chunk of them.
    pub(in crate::embedded) fn after(&self, after: Revision) -> Result<Vec<Batch>, Error> {
        self.check(after)?;
        let records = self.records()?;
        let mut chunk = Chunk::default();
        for row in records.range((after + 1, 0)..).map_err(failed(READING))? {
            let (at, bytes) = row.map_err(failed(READING))?;
            let (revision, place) = at.value();
            if revision > self.revision || (revision != chunk.revision && chunk.is_full()) {
                break;
            }
            let record = Record::decode(bytes.value())?;
            let at = At { revision, place };
            chunk.add(at, change(&record, at));
        }
        Ok(chunk.finish())
    }
}

// === impl Chunk ===

impl Chunk {
    fn add(&mut self, at: At, change: Change) {
        if at.revision != self.revision {
            self.seal();
            self.revision = at.revision;
        }
        self.changes.push(change);
    }

    /// Whether no further commit should be begun. The one in hand is still unsealed, and counts.
    fn is_full(&self) -> bool {
        self.batches.len() + 1 >= CHUNK_BATCHES || self.bytes >= CHUNK_BYTES
    }

    fn seal(&mut self) {
        if !self.changes.is_empty() {
            let changes = std::mem::take(&mut self.changes).into();
            let batch = Batch { revision: self.revision, changes };
            self.bytes += batch.weight();
            self.batches.push(batch);
        }
    }

    fn finish(mut self) -> Vec<Batch> {
        self.seal();
        self.batches
    }
}

/// What an operation changed.
fn change(record: &Record<'_>, at: At) -> Change {
    let key: Arc<str> = Arc::from(record.key);
    let kind = record.key_value(Arc::clone(&key), at).map_or(ChangeKind::Delete, ChangeKind::Put);
    Change { key, kind }
}
