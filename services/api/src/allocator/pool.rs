//! Numbers that are held or free.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Numbers between two ends; those that are held, and by whom.
#[derive(Debug)]
pub(super) struct Pool {
    first: u32,
    last: u32,
    held: Mutex<HashMap<u32, String>>,
}

// === impl Pool ===

impl Pool {
    /// A pool with both ends included.
    pub(super) fn new(first: u32, last: u32) -> Self {
        Self { first, last, held: Mutex::default() }
    }

    /// Whether the number is one of the pool's.
    pub(super) fn contains(&self, number: u32) -> bool {
        (self.first..=self.last).contains(&number)
    }

    /// Who holds a number.
    pub(super) fn holder(&self, number: u32) -> Option<String> {
        self.held().get(&number).cloned()
    }

    /// Everything that is held.
    pub(super) fn all(&self) -> Vec<(u32, String)> {
        self.held().iter().map(|(number, owner)| (*number, owner.clone())).collect()
    }

    /// Notes that a number is held.
    pub(super) fn hold(&self, number: u32, owner: String) {
        self.held().insert(number, owner);
    }

    /// Notes that a number is free.
    pub(super) fn release(&self, number: u32) {
        self.held().remove(&number);
    }

    /// Notes that all numbers are free.
    pub(super) fn clear(&self) {
        self.held().clear();
    }

    /// A free number that is none of `besides`: a random one, so that a number just given back is not the
    /// next one given away. None if the pool is full.
    pub(super) fn free(&self, besides: &[u32]) -> Option<u32> {
        let held = self.held();
        let size = u64::from(self.last.checked_sub(self.first)?) + 1;
        let start = fastrand::u64(0..size);
        (0..size)
            .map(|step| self.first + ((start + step) % size) as u32)
            .find(|number| !held.contains_key(number) && !besides.contains(number))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<u32, String>> {
        // Each change is one call on the map, so that a panic elsewhere leaves it whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
