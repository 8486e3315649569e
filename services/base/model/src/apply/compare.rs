//! What tells two states of an object apart.

use std::collections::BTreeMap;

use serde_json::Value;

use super::path::Step;
use super::set::Set;
use super::structure::{Part, Parts, Structure};

/// The fields in which two states differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Difference {
    /// Those that only the newer state has.
    pub(super) added: Set,
    /// Those that both have, with another value.
    pub(super) modified: Set,
    /// Those that only the older state has.
    pub(super) removed: Set,
}

// === impl Difference ===

impl Difference {
    /// The difference of two objects. A null is nothing.
    pub(super) fn between(old: &Value, new: &Value, structure: Structure) -> Self {
        let mut difference = Self::default();
        if let (Some(old), Some(new)) = (parts(old, structure), parts(new, structure)) {
            difference.compare(&old, &new);
        }
        difference
    }

    fn compare(&mut self, old: &BTreeMap<Step, Part<'_>>, new: &BTreeMap<Step, Part<'_>>) {
        for (step, was) in old {
            let Some(is) = new.get(step) else {
                self.removed.insert_tree(step.clone(), Set::of(was.value, was.structure));
                continue;
            };
            match (parts(was.value, was.structure), parts(is.value, is.structure)) {
                (Some(was), Some(is)) => {
                    let mut below = Self::default();
                    below.compare(&was, &is);
                    self.added.insert_below(step.clone(), below.added);
                    self.modified.insert_below(step.clone(), below.modified);
                    self.removed.insert_below(step.clone(), below.removed);
                }
                _ if was.value != is.value => self.modified.insert(step.clone()),
                _ => {}
            }
        }
        for (step, is) in new.iter().filter(|(step, _)| !old.contains_key(*step)) {
            self.added.insert_tree(step.clone(), Set::of(is.value, is.structure));
        }
    }

    /// What was added or changed.
    pub(super) fn written(&self) -> Set {
        self.added.union(&self.modified)
    }

    /// The difference in what can have an owner.
    pub(super) fn without_identity(&self) -> Self {
        Self {
            added: self.added.without_identity(),
            modified: self.modified.without_identity(),
            removed: self.removed.without_identity(),
        }
    }
}

/// The parts of a value that are something; `None` if it has no parts.
fn parts(value: &Value, structure: Structure) -> Option<BTreeMap<Step, Part<'_>>> {
    match Parts::of(value, structure) {
        Parts::Whole => None,
        Parts::Fields(parts) | Parts::Items(parts) => {
            let parts = parts.into_iter().filter(|part| !part.value.is_null());
            Some(parts.map(|part| (part.step.clone(), part)).collect())
        }
    }
}
