//! The store as it was after some commit: what readers see.

mod past;

use super::disk::{RECORDS, failed};
use super::index::{self, At, Index};
use super::record::Record;
use crate::{Error, KeyValue, RangeRequest, RangeResponse, Revision};
use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable};
use std::sync::Arc;

const READING: &str = "read";

/// A snapshot: the index and the tables of one moment, so that every address in the one is in the other.
pub(super) struct View {
    revision: Revision,
    compacted: Revision,
    index: Index,
    snapshot: ReadTransaction,
}

// === impl View ===

impl View {
    pub(super) fn new(
        database: &Database,
        revision: Revision,
        compacted: Revision,
        index: Index,
    ) -> Result<Self, Error> {
        let snapshot = database.begin_read().map_err(failed(READING))?;
        Ok(Self { revision, compacted, index, snapshot })
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// The oldest revision that can be read.
    #[cfg(test)]
    pub(super) fn compacted(&self) -> Revision {
        self.compacted
    }

    /// How many operations are stored, and in how many rows of the versions.
    #[cfg(test)]
    pub(super) fn rows(&self) -> (u64, u64) {
        use redb::ReadableTableMetadata;
        let versions = self.snapshot.open_table(super::disk::VERSIONS).unwrap();
        (self.records().unwrap().len().unwrap(), versions.len().unwrap())
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<KeyValue>, Error> {
        let Some((key, entry)) = self.index.get_key_value(key) else {
            return Ok(None);
        };
        read(&self.records()?, key, entry.at).map(Some)
    }

    pub(super) fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        let revision = request.revision.map_or(self.revision, |revision| revision.max(1));
        self.check(revision)?;
        let limit = if request.limit == 0 { usize::MAX } else { request.limit };
        if revision == self.revision {
            let keys = index::list(&self.index, &request.prefix, request.start_after.as_deref());
            self.page(keys.map(|(key, entry)| (key, entry.at)), limit, revision)
        } else {
            let keys = self.list_at(request, revision)?;
            self.page(keys.iter().map(|(key, at)| (key, *at)), limit, revision)
        }
    }

    /// Whether `revision` can be read and watched from.
    pub(super) fn check(&self, revision: Revision) -> Result<(), Error> {
        let (compacted, head) = (self.compacted, self.revision);
        match revision {
            requested if requested < compacted => Err(Error::Compacted { requested, compacted }),
            requested if requested > head => Err(Error::FutureRevision { requested, head }),
            _ => Ok(()),
        }
    }

    fn page<'a>(
        &self,
        mut keys: impl Iterator<Item = (&'a Arc<str>, At)>,
        limit: usize,
        revision: Revision,
    ) -> Result<RangeResponse, Error> {
        let records = self.records()?;
        let page = keys.by_ref().take(limit);
        let items = page.map(|(key, at)| read(&records, key, at)).collect::<Result<_, _>>()?;
        let remaining = keys.count() as u64;
        Ok(RangeResponse { items, revision, more: remaining > 0, remaining })
    }

    fn records(&self) -> Result<ReadOnlyTable<(u64, u32), &'static [u8]>, Error> {
        self.snapshot.open_table(RECORDS).map_err(failed(READING))
    }
}

/// What was put at `at`.
pub(super) fn read(
    records: &impl ReadableTable<(u64, u32), &'static [u8]>,
    key: &Arc<str>,
    at: At,
) -> Result<KeyValue, Error> {
    let bytes = records.get((at.revision, at.place)).map_err(failed(READING))?;
    let read = bytes.and_then(|bytes| {
        let record = Record::decode(bytes.value()).ok()?;
        record.key_value(Arc::clone(key), at)
    });
    read.ok_or_else(|| Error::Corrupt(format!("{key} has no value at revision {}", at.revision)))
}
