//! What was acknowledged, kept by the clients themselves, and what must hold of the cluster because of it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{Change, Kind};

/// What clients were told about their writes.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Pods whose creation was acknowledged: name → uid.
    created: BTreeMap<String, String>,
    /// Pods whose creation may or may not have happened.
    maybe_created: BTreeSet<String>,
    /// Pods whose deletion was acknowledged.
    deleted: BTreeSet<String>,
    /// Pods whose deletion may or may not have happened.
    maybe_deleted: BTreeSet<String>,
    /// The replicas that were last asked for; None if that may or may not have happened.
    pub(super) replicas: Option<i32>,
}

// === impl Journal ===

impl Journal {
    /// A creation was acknowledged with this uid, or no answer came.
    pub(super) fn creation(&mut self, name: &str, uid: Option<String>) {
        match uid {
            Some(uid) => drop(self.created.insert(name.to_owned(), uid)),
            None => drop(self.maybe_created.insert(name.to_owned())),
        }
    }

    /// A deletion was acknowledged, or no answer came.
    pub(super) fn deletion(&mut self, name: &str, acknowledged: bool) {
        let to = if acknowledged { &mut self.deleted } else { &mut self.maybe_deleted };
        to.insert(name.to_owned());
    }

    /// How many creations and deletions were acknowledged, and how many writes got no answer.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let unknown = self.maybe_created.len() + self.maybe_deleted.len();
        (self.created.len(), self.deleted.len(), unknown)
    }

    /// A pod that nobody has deleted yet, if there are more than `alive` of them: its name and uid.
    pub(super) fn deletable(&self, alive: usize) -> Option<(String, String)> {
        let untouched = |name: &&String| !self.deleted.contains(*name) && !self.maybe_deleted.contains(*name);
        let mut candidates = self.created.keys().filter(untouched);
        let name = candidates.next()?;
        (candidates.count() >= alive).then(|| (name.clone(), self.created[name].clone()))
    }

    /// Acknowledged writes that `left`, the pods that exist now (name → uid), or the history does not show. `is_ours`
    /// tells the journal's pods from others'.
    pub(super) fn lost(
        &self,
        left: &BTreeMap<String, String>,
        history: &[Change],
        is_ours: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, uid) in &self.created {
            let seen = history
                .iter()
                .any(|change| change.kind == Kind::Added && change.name == *name && change.uid == *uid);
            if !seen {
                lost.push(format!("nobody saw the creation of {name} ({uid})"));
            }
            let may_be_gone = self.deleted.contains(name) || self.maybe_deleted.contains(name);
            match left.get(name) {
                Some(other) if other != uid => lost.push(format!("{name} is {other}, not {uid}")),
                Some(_) if self.deleted.contains(name) => {
                    lost.push(format!("{name} was deleted and is there"))
                }
                None if !may_be_gone => lost.push(format!("{name} was created and is gone")),
                _ => {}
            }
        }
        let known = |name: &String| self.created.contains_key(name) || self.maybe_created.contains(name);
        let strange = left.keys().filter(|name| is_ours(name) && !known(name));
        lost.extend(strange.map(|name| format!("{name} is there, and nobody created it")));
        lost
    }

    /// The pods called `prefix` of which only one of two lists, one read after the other when all had settled, knows.
    /// A write whose client got no answer may still be under way, in a packet that is sent again: it is not counted.
    pub(super) fn differences(
        &self,
        one: &BTreeMap<String, String>,
        other: &BTreeMap<String, String>,
        prefix: &str,
    ) -> Vec<String> {
        let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        let unanswered =
            |name: &String| self.maybe_created.contains(name) || self.maybe_deleted.contains(name);
        let differ = |name: &&&String| one.get(**name) != other.get(**name);
        let ours = names.iter().filter(|name| name.starts_with(prefix) && !unanswered(name));
        ours.filter(differ).map(|name| (*name).clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_and_is_not_there_is_found() {
        let mut journal = Journal::default();
        for name in ["kept", "deleted", "perhaps", "gone", "back", "other"] {
            journal.creation(name, Some(format!("{name}-uid")));
        }
        journal.creation("unanswered", None);
        journal.deletion("deleted", true);
        journal.deletion("back", true);
        journal.deletion("perhaps", false);
        let names = ["kept", "back", "unanswered", "strange"];
        let mut left: BTreeMap<String, String> =
            names.iter().map(|name| ((*name).to_owned(), format!("{name}-uid"))).collect();
        left.insert("other".to_owned(), "another-uid".to_owned());
        let seen = ["kept", "deleted", "perhaps", "gone", "back"];
        let history: Vec<Change> = seen
            .iter()
            .zip(1..)
            .map(|(name, revision)| Change {
                revision,
                kind: Kind::Added,
                name: (*name).to_owned(),
                uid: format!("{name}-uid"),
                node: String::new(),
            })
            .collect();
        let lost = journal.lost(&left, &history, |_| true);
        assert_eq!(
            lost,
            [
                "back was deleted and is there",
                "gone was created and is gone",
                "nobody saw the creation of other (other-uid)",
                "other is another-uid, not other-uid",
                "strange is there, and nobody created it",
            ]
        );
        assert_eq!(journal.counts(), (6, 2, 2));
        let names = ["kept", "unanswered", "perhaps", "strange", "scaled"];
        let later: BTreeMap<String, String> =
            names.iter().map(|name| ((*name).to_owned(), format!("{name}-uid"))).collect();
        assert_eq!(journal.differences(&left, &later, ""), ["back", "other", "scaled"]);
        assert_eq!(journal.differences(&left, &later, "b"), ["back"]);
        assert_eq!(journal.deletable(2), Some(("gone".to_owned(), "gone-uid".to_owned())));
        assert_eq!(journal.deletable(3), None);
    }
}
