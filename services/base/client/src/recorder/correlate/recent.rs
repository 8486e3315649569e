//! A map that remembers what was used last, up to a number.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// At most `max` values by key; the least recently used goes first.
pub(super) struct Recent<K, V> {
    max: usize,
    clock: u64,
    values: HashMap<K, (u64, V)>,
    by_use: BTreeMap<u64, K>,
}

// === impl Recent ===

impl<K: Hash + Eq + Clone, V> Recent<K, V> {
    pub(super) fn new(max: usize) -> Self {
        Self { max, clock: 0, values: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// The value at `key`, made if it is not remembered.
    pub(super) fn get(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if !self.values.contains_key(&key)
            && self.values.len() >= self.max
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.values.remove(&oldest);
        }
        self.clock += 1;
        let (used, value) = self.values.entry(key.clone()).or_insert_with(|| (0, make()));
        self.by_use.remove(used);
        *used = self.clock;
        self.by_use.insert(self.clock, key);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_is_forgotten() {
        let mut recent = Recent::new(2);
        *recent.get("a", || 0) += 1;
        *recent.get("b", || 0) += 1;
        *recent.get("a", || 0) += 1;
        *recent.get("c", || 0) += 1;
        assert_eq!(*recent.get("a", || 0), 2, "used after b");
        assert_eq!(*recent.get("b", || 0), 0, "forgotten for c");
        assert_eq!((recent.values.len(), recent.by_use.len()), (2, 2));
    }
}
