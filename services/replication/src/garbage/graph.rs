//! Who owns whom, as far as the watches have told.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use keelson_base_model::key::ObjectKey;
use keelson_proto::meta::{ObjectMeta, OwnerReference};
use keelson_proto::{Kind, Object};

use super::fate::Standing;

/// How many uids are remembered that are known to be gone for good.
const REMEMBERED: usize = 1000;

/// One object of any kind, by where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Subject {
    /// The gRPC service that keeps its kind.
    pub(super) service: &'static str,
    /// Its namespace and name.
    pub(super) key: ObjectKey,
}

/// Who owns whom.
#[derive(Debug, Default)]
pub(super) struct Graph {
    objects: HashMap<Subject, Node>,
    subjects: HashMap<String, Subject>,
    /// By the uid of an owner, who need not be known.
    dependents: HashMap<String, BTreeSet<Subject>>,
    gone: HashSet<String>,
    gone_in_order: VecDeque<String>,
}

/// Why an object that is being deleted is still there, as far as we are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// It waits for its dependents to go.
    Foreground,
    /// It waits for its dependents to be told that they have no owner.
    Orphan,
}

/// What is known of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) uid: String,
    pub(super) hold: Option<Hold>,
    /// Whether one of its owners is not known to be there.
    pub(super) is_suspect: bool,
}

#[derive(Debug)]
struct Node {
    uid: String,
    owners: Vec<OwnerReference>,
    hold: Option<Hold>,
}

// === impl Subject ===

impl Subject {
    /// The object of this kind with this name.
    pub(super) fn new(kind: &Kind, namespace: &str, name: &str) -> Self {
        Self { service: kind.service, key: ObjectKey::new(namespace, name) }
    }

    /// This object.
    pub(super) fn of<K: Object>(object: &K) -> Self {
        let metadata = object.metadata();
        Self::new(K::KIND, &metadata.namespace, &metadata.name)
    }
}

// === impl Hold ===

impl Hold {
    /// The finalizer by which an object is held so.
    pub(super) fn finalizer(self) -> &'static str {
        match self {
            Self::Foreground => "foregroundDeletion",
            Self::Orphan => "orphan",
        }
    }

    fn of(metadata: &ObjectMeta) -> Option<Self> {
        metadata.deletion_timestamp?;
        let holds = |hold: &Self| metadata.finalizers.iter().any(|finalizer| finalizer == hold.finalizer());
        [Self::Orphan, Self::Foreground].into_iter().find(holds)
    }
}

// === impl Graph ===

impl Graph {
    /// An object is new or has changed; answers who has to be looked at.
    pub(super) fn apply(&mut self, subject: &Subject, metadata: &ObjectMeta) -> Vec<Subject> {
        let mut wakes = match self.objects.get(subject) {
            Some(old) if old.uid != metadata.uid => self.remove(subject),
            _ => Vec::new(),
        };
        let node = Node {
            uid: metadata.uid.clone(),
            owners: metadata.owner_references.clone(),
            hold: Hold::of(metadata),
        };
        let old = self.objects.get(subject);
        let begins_to_hold = node.hold.is_some() && old.is_none_or(|old| old.hold != node.hold);
        let changes_owners = old.map_or(!node.owners.is_empty(), |old| old.owners != node.owners);
        if changes_owners {
            wakes.extend(self.change_owners(subject, &node.owners));
        }
        self.subjects.insert(node.uid.clone(), subject.clone());
        self.objects.insert(subject.clone(), node);
        if begins_to_hold || changes_owners {
            wakes.push(subject.clone());
        }
        wakes
    }

    /// An object is gone; answers who has to be looked at: those it owned, and those owners that wait for it.
    pub(super) fn remove(&mut self, subject: &Subject) -> Vec<Subject> {
        let mut wakes = self.change_owners(subject, &[]);
        if let Some(node) = self.objects.remove(subject) {
            self.subjects.remove(&node.uid);
            wakes.extend(self.dependents(&node.uid));
        }
        wakes
    }

    /// What is known of an object.
    pub(super) fn found(&self, subject: &Subject) -> Option<Found> {
        let node = self.objects.get(subject)?;
        let is_there = |owner: &OwnerReference| self.standing(&owner.uid) == Some(Standing::There);
        Some(Found { uid: node.uid.clone(), hold: node.hold, is_suspect: !node.owners.iter().all(is_there) })
    }

    /// What is known of an owner.
    pub(super) fn standing(&self, uid: &str) -> Option<Standing> {
        if let Some(node) = self.subjects.get(uid).and_then(|subject| self.objects.get(subject)) {
            return Some(match node.hold {
                Some(Hold::Foreground) => Standing::Waiting,
                _ => Standing::There,
            });
        }
        self.gone.contains(uid).then_some(Standing::Gone)
    }

    /// The objects that name this owner.
    pub(super) fn dependents(&self, uid: &str) -> Vec<Subject> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// Whether there are objects for which the deletion of this owner waits.
    pub(super) fn is_blocked(&self, uid: &str) -> bool {
        let blocks = |owner: &OwnerReference| owner.uid == uid && owner.block_owner_deletion == Some(true);
        let mut dependents = self.dependents.get(uid).into_iter().flatten();
        dependents.any(|dependent| {
            let node = self.objects.get(dependent);
            node.is_some_and(|node| node.owners.iter().any(blocks))
        })
    }

    /// Api has said that the object with this uid does not exist. Uids do not come back, so that holds for ever.
    pub(super) fn is_gone(&mut self, uid: &str) {
        if self.subjects.contains_key(uid) || !self.gone.insert(uid.to_owned()) {
            return;
        }
        self.gone_in_order.push_back(uid.to_owned());
        if self.gone_in_order.len() > REMEMBERED
            && let Some(oldest) = self.gone_in_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// Moves an object from under its owners to under these; answers those former owners that wait for it.
    fn change_owners(&mut self, subject: &Subject, owners: &[OwnerReference]) -> Vec<Subject> {
        let old = self.objects.get(subject).map(|node| node.owners.clone()).unwrap_or_default();
        let mut waiting = Vec::new();
        for owner in &old {
            if let Some(dependents) = self.dependents.get_mut(&owner.uid) {
                dependents.remove(subject);
                if dependents.is_empty() {
                    self.dependents.remove(&owner.uid);
                }
            }
            if self.standing(&owner.uid) == Some(Standing::Waiting) {
                waiting.extend(self.subjects.get(&owner.uid).cloned());
            }
        }
        for owner in owners {
            self.dependents.entry(owner.uid.clone()).or_default().insert(subject.clone());
        }
        waiting
    }
}

#[cfg(test)]
mod tests {
    use keelson_base_model::owner;
    use keelson_proto::core::{Pod, ReplicationController};
    use keelson_proto::meta::Time;

    use super::*;
    use crate::testing::{mk_pod, mk_rc};

    fn mk_owned(name: &str, rc: &ReplicationController) -> Pod {
        let mut pod = mk_pod(name, "web", "Running");
        pod.metadata.owner_references.push(owner::controller_reference(rc));
        pod
    }

    /// Applies an object; answers the names of those to look at.
    fn apply<K: Object>(graph: &mut Graph, object: &K) -> Vec<String> {
        names(graph.apply(&Subject::of(object), object.metadata()))
    }

    fn remove<K: Object>(graph: &mut Graph, object: &K) -> Vec<String> {
        names(graph.remove(&Subject::of(object)))
    }

    fn names(subjects: Vec<Subject>) -> Vec<String> {
        subjects.into_iter().map(|subject| subject.key.name).collect()
    }

    fn held(rc: &ReplicationController, finalizer: &str) -> ReplicationController {
        let mut rc = rc.clone();
        rc.metadata.deletion_timestamp = Some(Time::now());
        rc.metadata.finalizers.push(finalizer.to_owned());
        rc
    }

    #[test]
    fn dependents_are_looked_at_when_their_owner_goes() {
        let (mut graph, rc) = (Graph::default(), mk_rc("web", 1));
        let pod = mk_owned("a", &rc);
        assert_eq!(apply(&mut graph, &pod), ["a"], "its owner is not known yet");
        assert!(graph.found(&Subject::of(&pod)).unwrap().is_suspect);
        assert!(apply(&mut graph, &rc).is_empty());
        assert!(!graph.found(&Subject::of(&pod)).unwrap().is_suspect);
        assert!(apply(&mut graph, &pod).is_empty(), "nothing has changed");
        assert_eq!(remove(&mut graph, &rc), ["a"]);
        assert!(graph.found(&Subject::of(&pod)).unwrap().is_suspect);
        assert!(remove(&mut graph, &pod).is_empty());
        assert_eq!(graph.found(&Subject::of(&pod)), None);
        assert!(graph.dependents.is_empty() && graph.subjects.is_empty());
    }

    #[test]
    fn an_owner_that_took_the_name_of_another_is_another() {
        let (mut graph, rc) = (Graph::default(), mk_rc("web", 1));
        apply(&mut graph, &rc);
        apply(&mut graph, &mk_owned("a", &rc));
        let mut new = rc.clone();
        new.metadata.uid = "another".to_owned();
        assert_eq!(apply(&mut graph, &new), ["a"]);
        assert_eq!(graph.standing(&rc.metadata.uid), None);
        assert_eq!(graph.standing("another"), Some(Standing::There));
    }

    #[test]
    fn an_owner_waits_in_the_foreground_until_its_last_dependent_is_gone() {
        let (mut graph, rc) = (Graph::default(), mk_rc("web", 2));
        let (a, b) = (mk_owned("a", &rc), mk_owned("b", &rc));
        apply(&mut graph, &rc);
        apply(&mut graph, &a);
        apply(&mut graph, &b);
        let waiting = held(&rc, "foregroundDeletion");
        assert_eq!(apply(&mut graph, &waiting), ["web"]);
        assert_eq!(graph.standing(&rc.metadata.uid), Some(Standing::Waiting));
        assert_eq!(graph.found(&Subject::of(&rc)).unwrap().hold, Some(Hold::Foreground));
        assert_eq!(remove(&mut graph, &a), ["web"]);
        assert!(graph.is_blocked(&rc.metadata.uid));
        assert_eq!(remove(&mut graph, &b), ["web"]);
        assert!(!graph.is_blocked(&rc.metadata.uid));
    }

    #[test]
    fn an_owner_that_orphans_is_there_for_its_dependents() {
        let (mut graph, rc) = (Graph::default(), mk_rc("web", 1));
        apply(&mut graph, &rc);
        apply(&mut graph, &mk_owned("a", &rc));
        assert_eq!(apply(&mut graph, &held(&rc, "orphan")), ["web"]);
        assert_eq!(graph.standing(&rc.metadata.uid), Some(Standing::There));
        let orphan = mk_pod("a", "web", "Running");
        assert_eq!(apply(&mut graph, &orphan), ["a"]);
        assert!(graph.dependents(&rc.metadata.uid).is_empty());
        assert!(!graph.found(&Subject::of(&orphan)).unwrap().is_suspect);
    }

    #[test]
    fn a_finalizer_holds_nothing_that_is_not_deleted() {
        let mut rc = held(&mk_rc("web", 1), "orphan");
        rc.metadata.deletion_timestamp = None;
        let mut graph = Graph::default();
        assert!(apply(&mut graph, &rc).is_empty());
        assert_eq!(graph.found(&Subject::of(&rc)).unwrap().hold, None);
    }

    #[test]
    fn some_of_the_gone_are_remembered() {
        let mut graph = Graph::default();
        for uid in 0..=REMEMBERED {
            graph.is_gone(&uid.to_string());
            graph.is_gone(&uid.to_string());
        }
        assert_eq!(graph.standing("0"), None, "the oldest is forgotten");
        assert_eq!(graph.standing("1"), Some(Standing::Gone));
        assert_eq!((graph.gone.len(), graph.gone_in_order.len()), (REMEMBERED, REMEMBERED));
    }
}
