//! One operation of one commit as bytes, in the table of records.
//!
//! Layout, integers little-endian: flags (bit 0: put, bit 1: there was a previous value); then, if flagged, the
//! address of the previous put (revision u64, place u32); for a put the revision of creation and the version
//! (u64 each); the key's length (u32) and the key; for a put the value, to the end.

use super::index::At;
use crate::{Error, KeyValue};
use bytes::Bytes;
use std::sync::Arc;

const PUT: u8 = 1;
const PREVIOUS: u8 = 2;

/// An operation as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) key: &'a str,
    /// The put that this operation overwrites or deletes.
    pub(super) previous: Option<At>,
    /// `None` for a delete.
    pub(super) put: Option<Put<'a>>,
}

/// What a put adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Put<'a> {
    pub(super) created: u64,
    pub(super) version: u64,
    pub(super) value: &'a [u8],
}

/// Takes a record apart, front to back.
struct Cursor<'a>(&'a [u8]);

// === impl Record ===

impl<'a> Record<'a> {
    /// Writes the record over what is in `out`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        out.push(flag(self.put.is_some(), PUT) | flag(self.previous.is_some(), PREVIOUS));
        if let Some(previous) = self.previous {
            out.extend_from_slice(&previous.revision.to_le_bytes());
            out.extend_from_slice(&previous.place.to_le_bytes());
        }
        if let Some(put) = self.put {
            out.extend_from_slice(&put.created.to_le_bytes());
            out.extend_from_slice(&put.version.to_le_bytes());
        }
        // A key fits: a commit is limited to 1.5 MB.
        out.extend_from_slice(&u32::try_from(self.key.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(self.put.map_or(&[], |put| put.value));
    }

    /// Reads what [`Record::encode`] wrote.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        Cursor(bytes).record().ok_or_else(|| Error::Corrupt("a record cannot be read".to_owned()))
    }

    /// The key and value put at `at`, with `key` for its key; `None` for a delete.
    pub(super) fn key_value(&self, key: Arc<str>, at: At) -> Option<KeyValue> {
        let put = self.put?;
        Some(KeyValue {
            key,
            value: Bytes::copy_from_slice(put.value),
            create_revision: put.created,
            mod_revision: at.revision,
            version: put.version,
        })
    }
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    fn record(mut self) -> Option<Record<'a>> {
        let [flags] = self.array()?;
        let previous = match flags & PREVIOUS {
            0 => None,
            _ => Some(At { revision: self.u64()?, place: self.u32()? }),
        };
        let head = match flags & PUT {
            0 => None,
            _ => Some((self.u64()?, self.u64()?)),
        };
        let length = usize::try_from(self.u32()?).ok()?;
        let (key, value) = self.0.split_at_checked(length)?;
        let put = head.map(|(created, version)| Put { created, version, value });
        Some(Record { key: std::str::from_utf8(key).ok()?, previous, put })
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let put = Put { created: 3, version: 9, value: b"\0value" };
        for previous in [None, Some(At { revision: 1 << 40, place: 7 })] {
            for put in [None, Some(put), Some(Put { value: b"", ..put })] {
                let record = Record { key: "/registry/pods/default/ä", previous, put };
                let mut bytes = b"left over".to_vec();
                record.encode(&mut bytes);
                assert_eq!(Record::decode(&bytes), Ok(record));
            }
        }
    }

    #[test]
    fn damage_is_an_error() {
        let record = Record { key: "key", previous: Some(At { revision: 1, place: 2 }), put: None };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        for length in 0..bytes.len() {
            assert!(Record::decode(&bytes[..length]).is_err(), "cut to {length}");
        }
        *bytes.last_mut().unwrap() = 0xff;
        assert!(Record::decode(&bytes).is_err(), "not UTF-8");
    }
}
