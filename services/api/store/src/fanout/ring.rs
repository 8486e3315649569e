//! The newest commits, within bounds.

use super::FanoutConfig;
use crate::{Batch, Error, Revision};
use std::collections::VecDeque;

/// Every commit after `floor`, up to `last`.
#[derive(Debug)]
pub(super) struct Ring {
    config: FanoutConfig,
    floor: Revision,
    last: Revision,
    batches: VecDeque<Batch>,
    weight: usize,
    ended: Option<Error>,
}

/// What the ring has for a reader.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The next commits; at least one.
    Batches(Vec<Batch>),
    /// Nothing yet.
    UpToDate,
    /// The reader's next commit has left the ring.
    Behind,
    /// Nothing any more.
    Ended(Error),
}

// === impl Ring ===

impl Ring {
    pub(super) fn new(config: FanoutConfig, head: Revision) -> Self {
        Self { config, floor: head, last: head, batches: VecDeque::new(), weight: 0, ended: None }
    }

    pub(super) fn last(&self) -> Revision {
        self.last
    }

    pub(super) fn floor(&self) -> Revision {
        self.floor
    }

    pub(super) fn push(&mut self, batch: Batch) {
        debug_assert!(batch.revision > self.last, "{} after {}", batch.revision, self.last);
        self.last = batch.revision;
        self.weight += batch.weight();
        self.batches.push_back(batch);
        while self.batches.len() > 1 && self.is_over_full() {
            self.drop_oldest();
        }
    }

    pub(super) fn skip_to(&mut self, floor: Revision) {
        while self.batches.front().is_some_and(|batch| batch.revision <= floor) {
            self.drop_oldest();
        }
        self.floor = self.floor.max(floor);
        self.last = self.last.max(floor);
    }

    pub(super) fn end(&mut self, error: Error) {
        self.ended.get_or_insert(error);
    }

    /// What comes after `after`, at most `limit` commits of it.
    pub(super) fn read(&self, after: Revision, limit: usize) -> Read {
        if after < self.floor {
            return Read::Behind;
        }
        let next = self.batches.partition_point(|batch| batch.revision <= after);
        let batches: Vec<Batch> = self.batches.iter().skip(next).take(limit).cloned().collect();
        match (&self.ended, batches.is_empty()) {
            (_, false) => Read::Batches(batches),
            (Some(error), true) => Read::Ended(error.clone()),
            (None, true) => Read::UpToDate,
        }
    }

    fn is_over_full(&self) -> bool {
        self.batches.len() > self.config.batches || self.weight > self.config.bytes
    }

    fn drop_oldest(&mut self) {
        if let Some(batch) = self.batches.pop_front() {
            self.floor = batch.revision;
            self.weight -= batch.weight();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_batch(revision: Revision) -> Batch {
        Batch { revision, changes: [].into() }
    }

    fn mk_ring(batches: usize, pushed: std::ops::RangeInclusive<Revision>) -> Ring {
        let mut ring = Ring::new(FanoutConfig { batches, bytes: usize::MAX }, *pushed.start() - 1);
        pushed.for_each(|revision| ring.push(mk_batch(revision)));
        ring
    }

    fn read(ring: &Ring, after: Revision, limit: usize) -> Vec<Revision> {
        match ring.read(after, limit) {
            Read::Batches(batches) => batches.iter().map(|batch| batch.revision).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn readers_get_what_follows_them() {
        let ring = mk_ring(10, 5..=8);
        assert_eq!(read(&ring, 4, 10), [5, 6, 7, 8]);
        assert_eq!(read(&ring, 4, 2), [5, 6]);
        assert_eq!(read(&ring, 7, 10), [8]);
        assert_eq!(ring.read(8, 10), Read::UpToDate);
        assert_eq!(ring.read(3, 10), Read::Behind);
    }

    #[test]
    fn the_oldest_leave_a_full_ring() {
        let ring = mk_ring(2, 5..=8);
        assert_eq!((ring.floor(), ring.last()), (6, 8));
        assert_eq!(read(&ring, 6, 10), [7, 8]);
        assert_eq!(ring.read(5, 10), Read::Behind);
    }

    #[test]
    fn one_batch_stays_however_heavy() {
        let mut ring = Ring::new(FanoutConfig { batches: 10, bytes: 1 }, 1);
        ring.push(mk_batch(2));
        ring.push(mk_batch(3));
        assert_eq!(read(&ring, 2, 10), [3]);
        assert_eq!(ring.read(1, 10), Read::Behind);
    }

    #[test]
    fn skipping_leaves_earlier_readers_behind() {
        let mut ring = mk_ring(10, 5..=6);
        ring.skip_to(20);
        assert_eq!((ring.read(6, 10), ring.read(20, 10)), (Read::Behind, Read::UpToDate));
        ring.push(mk_batch(21));
        assert_eq!(read(&ring, 20, 10), [21]);
    }

    #[test]
    fn the_end_comes_after_the_last_batch() {
        let mut ring = mk_ring(10, 5..=6);
        ring.end(Error::Closed);
        assert_eq!(read(&ring, 5, 10), [6]);
        assert_eq!(ring.read(6, 10), Read::Ended(Error::Closed));
    }
}
