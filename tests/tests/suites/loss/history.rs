//! What a watcher saw, and what must hold of it whatever was killed meanwhile. Pure.

use std::collections::BTreeMap;

/// One change of an object, as a watcher saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The revision of the store that made it.
    pub(super) revision: u64,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) uid: String,
    /// `spec.nodeName`; "" before the pod is bound.
    pub(super) node: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Added,
    Modified,
    Deleted,
}

/// What an object was when it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    uid: String,
    node: String,
}

/// What is wrong with a history that began when nothing existed: changes that were repeated, reordered or lost, and pods
/// that were bound twice.
pub(super) fn faults(history: &[Change]) -> Vec<String> {
    let mut known: BTreeMap<&str, Known> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut last = 0;
    for change in history {
        if change.revision <= last {
            faults.push(format!("revision {} came after {last}: {change:?}", change.revision));
        }
        last = change.revision;
        let before = known.get(change.name.as_str());
        let follows = match (change.kind, before) {
            (Kind::Added, None) => true,
            (Kind::Modified | Kind::Deleted, Some(before)) => before.uid == change.uid,
            _ => false,
        };
        if !follows {
            faults.push(format!("{change:?} cannot follow {before:?}"));
        }
        if let Some(before) = before.filter(|before| before.uid == change.uid)
            && !before.node.is_empty()
            && before.node != change.node
        {
            faults.push(format!("bound to {} and to {}: {change:?}", before.node, change.node));
        }
        match change.kind {
            Kind::Deleted => known.remove(change.name.as_str()),
            _ => known.insert(&change.name, Known { uid: change.uid.clone(), node: change.node.clone() }),
        };
    }
    faults
}

/// What is left at the end of a history: name → uid.
pub(super) fn survivors(history: &[Change]) -> BTreeMap<String, String> {
    let mut left = BTreeMap::new();
    for Change { kind, name, uid, .. } in history {
        match kind {
            Kind::Deleted => left.remove(name),
            _ => left.insert(name.clone(), uid.clone()),
        };
    }
    left
}

/// Where two watchers of the same objects first saw different things.
pub(super) fn difference(one: &[Change], other: &[Change]) -> Option<String> {
    let at = one.iter().zip(other).position(|(one, other)| one != other);
    let at = at.or_else(|| (one.len() != other.len()).then_some(one.len().min(other.len())))?;
    Some(format!("change {at}: one saw {:?}, the other {:?}", one.get(at), other.get(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(revision: u64, kind: Kind, name: &str, uid: &str, node: &str) -> Change {
        Change { revision, kind, name: name.to_owned(), uid: uid.to_owned(), node: node.to_owned() }
    }

    #[test]
    fn what_cannot_have_happened_is_found() {
        use Kind::{Added, Deleted, Modified};
        let life = [
            change(2, Added, "a", "1", ""),
            change(4, Modified, "a", "1", "n1"),
            change(5, Deleted, "a", "1", "n1"),
            change(6, Added, "a", "2", "n2"),
        ];
        let table: [(&str, Vec<Change>, usize); 7] = [
            ("a life", life.to_vec(), 0),
            ("a repetition", [&life[..2], &life[1..]].concat(), 1),
            ("a reordering", vec![life[0].clone(), life[2].clone(), life[1].clone()], 2),
            ("a lost deletion", vec![life[0].clone(), life[1].clone(), life[3].clone()], 1),
            ("a lost addition", life[1..].to_vec(), 1),
            ("bound twice", vec![life[0].clone(), life[1].clone(), change(9, Modified, "a", "1", "n2")], 1),
            ("unbound", vec![life[0].clone(), life[1].clone(), change(9, Modified, "a", "1", "")], 1),
        ];
        for (name, history, wrong) in table {
            let faults = faults(&history);
            assert_eq!(faults.len(), wrong, "{name}: {faults:?}");
        }
        assert_eq!(survivors(&life), BTreeMap::from([("a".to_owned(), "2".to_owned())]));
        assert_eq!(difference(&life, &life), None);
        assert!(difference(&life, &life[..3]).unwrap().starts_with("change 3"));
        assert!(difference(&life[1..], &life[..3]).unwrap().starts_with("change 0"));
    }
}
