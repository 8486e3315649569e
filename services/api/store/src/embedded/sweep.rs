//! Removing compacted history, a little at a time.
//!
//! Of the history up to the compacted revision only what was alive at that revision is kept. Going through it
//! in order, every operation shows what it made obsolete: the put it replaced, and, if it is a delete, itself.

use super::disk::{META, META_SWEPT, RECORDS, VERSIONS, failed};
use super::index::At;
use super::record::Record;
use crate::{Error, Revision};
use redb::{Database, ReadableTable};

/// After this many operations a slice ends, at the next commit's boundary. It bounds what a commit that arrives
/// in between has to wait: about a millisecond.
const SLICE: usize = 128;

const SWEEPING: &str = "remove compacted history";

/// An operation looked at, and whether it goes itself.
struct Seen {
    at: At,
    key: String,
    previous: Option<At>,
    is_delete: bool,
}

/// Removes the next slice of what is obsolete after `swept` up to `compacted`; returns up to where it came.
pub(super) fn slice(database: &Database, swept: Revision, compacted: Revision) -> Result<Revision, Error> {
    let txn = database.begin_write().map_err(failed(SWEEPING))?;
    let reached = {
        let mut records = txn.open_table(RECORDS).map_err(failed(SWEEPING))?;
        let mut versions = txn.open_table(VERSIONS).map_err(failed(SWEEPING))?;
        let mut meta = txn.open_table(META).map_err(failed(SWEEPING))?;
        let (seen, reached) = look(&records, swept, compacted)?;
        let mut remove = |key: &str, at: At| -> Result<(), redb::Error> {
            records.remove((at.revision, at.place))?;
            versions.remove((key, at.revision))?;
            Ok(())
        };
        for seen in seen {
            let obsolete = seen.previous.into_iter().chain(seen.is_delete.then_some(seen.at));
            obsolete.into_iter().try_for_each(|at| remove(&seen.key, at)).map_err(failed(SWEEPING))?;
        }
        meta.insert(META_SWEPT, reached).map_err(failed(SWEEPING))?;
        reached
    };
    txn.commit().map_err(failed(SWEEPING))?;
    Ok(reached)
}

/// The operations of the next slice, and the last revision of which it has all.
fn look(
    records: &impl ReadableTable<(u64, u32), &'static [u8]>,
    swept: Revision,
    compacted: Revision,
) -> Result<(Vec<Seen>, Revision), Error> {
    let mut seen: Vec<Seen> = Vec::new();
    for row in records.range((swept + 1, 0)..=(compacted, u32::MAX)).map_err(failed(SWEEPING))? {
        let (at, bytes) = row.map_err(failed(SWEEPING))?;
        let (revision, place) = at.value();
        if let Some(last) = seen.last().filter(|last| seen.len() >= SLICE && last.at.revision < revision) {
            let reached = last.at.revision;
            return Ok((seen, reached));
        }
        let record = Record::decode(bytes.value())?;
        seen.push(Seen {
            at: At { revision, place },
            key: record.key.to_owned(),
            previous: record.previous,
            is_delete: record.put.is_none(),
        });
    }
    Ok((seen, compacted))
}
