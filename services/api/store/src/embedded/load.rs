//! Starting: from what is on disk to what the writer keeps in memory.

use super::deadlines::{Deadlines, Moment};
use super::disk::{DEADLINES, META, META_COMPACTED, META_SWEPT, RECORDS, VERSIONS, failed};
use super::group::State;
use super::index::{At, Entry, Index};
use crate::{Error, Revision};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};
use std::sync::Arc;

const LOADING: &str = "read the data";

/// What the disk holds.
pub(super) struct Loaded {
    pub(super) state: State,
    /// The oldest revision that can be read.
    pub(super) compacted: Revision,
    /// Up to where what is compacted has been removed.
    pub(super) swept: Revision,
}

// === impl Loaded ===

impl Loaded {
    pub(super) fn from(database: &Database) -> Result<Self, Error> {
        let txn = database.begin_read().map_err(failed(LOADING))?;
        let (compacted, swept) = marks(&txn)?;
        let records = txn.open_table(RECORDS).map_err(failed(LOADING))?;
        let last = records.last().map_err(failed(LOADING))?.map_or(1, |(at, _)| at.value().0);
        // The last commit's records may be gone if it was a delete, but only up to `compacted`.
        let head = last.max(compacted);
        let state = State { head, index: index(&txn)?, deadlines: deadlines(&txn)? };
        Ok(Self { state, compacted, swept })
    }
}

/// Both are 1, the revision of an empty store, until the first compaction.
fn marks(txn: &ReadTransaction) -> Result<(Revision, Revision), Error> {
    let meta = txn.open_table(META).map_err(failed(LOADING))?;
    let mark = |name| -> Result<Revision, Error> {
        let found = meta.get(name).map_err(failed(LOADING))?;
        Ok(found.map_or(1, |mark| mark.value()))
    };
    Ok((mark(META_COMPACTED)?, mark(META_SWEPT)?))
}

fn deadlines(txn: &ReadTransaction) -> Result<Deadlines, Error> {
    let mut deadlines = Deadlines::default();
    let table = txn.open_table(DEADLINES).map_err(failed(LOADING))?;
    for row in table.iter().map_err(failed(LOADING))? {
        let (row, _) = row.map_err(failed(LOADING))?;
        let (moment, key) = row.value();
        deadlines.set(&Arc::from(key), Some(Moment(moment)));
    }
    Ok(deadlines)
}

/// The living keys: for each the last version, unless that is a delete.
fn index(txn: &ReadTransaction) -> Result<Index, Error> {
    let versions = txn.open_table(VERSIONS).map_err(failed(LOADING))?;
    let mut index = Index::new();
    let mut last: Option<(Arc<str>, Option<Entry>)> = None;
    let insert = |index: &mut Index, last: Option<(Arc<str>, Option<Entry>)>| {
        if let Some((key, Some(entry))) = last {
            index.insert(key, entry);
        }
    };
    for row in versions.iter().map_err(failed(LOADING))? {
        let (place_in_history, row) = row.map_err(failed(LOADING))?;
        let (key, revision) = place_in_history.value();
        let (created, version, place) = row.value();
        let entry = (version > 0).then_some(Entry { created, at: At { revision, place }, version });
        match &mut last {
            Some((same, latest)) if &**same == key => *latest = entry,
            _ => insert(&mut index, last.replace((Arc::from(key), entry))),
        }
    }
    insert(&mut index, last);
    Ok(index)
}
