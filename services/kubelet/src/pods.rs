//! The pods of this node: one worker each, found by uid.
//!
//! News comes in from three sides — api's pods, the runtime's events, the runtime's first list — and each call here only
//! puts a note into a worker's mailbox. Nothing is done for any pod before both api and the runtime (and the sources of static
//! pods) have said what they had at the beginning: else a kubelet that starts anew would start everything twice, or take everything for orphaned.

mod static_pods;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelson_base_daemon::trace::Cause;
use keelson_proto::core::Pod;
use tokio::sync::watch;

use crate::admission;
use crate::mailbox::{Change, Mailbox};
use crate::plan::Rejection;
use crate::runtime::ObservedContainer;
use crate::static_pods::{Known, is_static, mirrored};
use crate::status;
use crate::worker::{Context, View, Worker};

/// The pods of this node. Clones are the same.
#[derive(Clone)]
pub(crate) struct Pods {
    context: Arc<Context>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The runtime's first list is in.
    listed: bool,
    /// Api's first list is in.
    synced: bool,
    entries: BTreeMap<String, Entry>,
    /// Static pods and their mirrors.
    known: Known,
}

struct Entry {
    mailbox: Arc<Mailbox>,
    view: watch::Receiver<Arc<View>>,
    /// The worker, until it is started.
    worker: Option<Worker>,
    /// The pod as api last had it; none for containers whose pod nobody knows.
    pod: Option<Arc<Pod>>,
    gone: bool,
    admission: Admission,
    /// The node was looked at again for it.
    looked_again: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Admission {
    Open,
    /// Not as the node seems; it is being looked at again.
    Asking,
    Admitted,
    Rejected,
}

// === impl Pods ===

impl Pods {
    /// No pods yet.
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context, state: Arc::default() }
    }

    /// Api has this pod, or has changed it.
    pub(crate) fn apply(&self, pod: Arc<Pod>, trace: Option<Cause>) {
        let mut state = self.state();
        if mirrored(&pod).is_some() {
            return self.hear_mirror(&mut state, pod);
        }
        let entry = self.entry(&mut state, &pod.metadata.uid);
        entry.pod = Some(pod.clone());
        entry.mailbox.put_pod(pod.clone(), trace);
        if state.is_complete() {
            self.admit(&mut state, &pod.metadata.uid);
        }
        self.start(&mut state);
    }

    /// Api no longer has this pod; `pod` is its last state.
    pub(crate) fn remove(&self, pod: Arc<Pod>, trace: Option<Cause>) {
        let mut state = self.state();
        if mirrored(&pod).is_some() {
            return self.lose_mirror(&mut state, &pod);
        }
        if let Some(entry) = state.entries.get_mut(&pod.metadata.uid) {
            entry.gone = true;
            entry.mailbox.put_gone(pod, trace);
        }
    }

    /// Everything that api had at the beginning has been applied.
    pub(crate) fn synced(&self) {
        let mut state = self.state();
        state.synced = true;
        self.settle(&mut state);
    }

    /// What the runtime has. The first list is taken as it is; of later ones only unknown pods, everybody else looks for
    /// himself: what he does meanwhile is not in this list.
    pub(crate) fn listed(&self, containers: Vec<ObservedContainer>) {
        let mut by_uid: BTreeMap<String, Vec<ObservedContainer>> = BTreeMap::new();
        for container in containers {
            by_uid.entry(container.identity.pod.uid.clone()).or_default().push(container);
        }
        let mut state = self.state();
        let first = !state.listed;
        state.listed = true;
        for (uid, containers) in by_uid {
            let entry = self.entry(&mut state, &uid);
            if first {
                entry.mailbox.put_observed(containers);
            }
        }
        if first {
            self.settle(&mut state);
        } else {
            state.entries.values().for_each(|entry| entry.mailbox.put_relist());
            self.orphan(&mut state);
            self.start(&mut state);
        }
    }

    /// Something happened to a container.
    pub(crate) fn changed(&self, pod_uid: &str, id: String, change: Change) {
        let mut state = self.state();
        // Of a pod that is forgotten only a start is news: its last words come late.
        if !state.entries.contains_key(pod_uid) && change != Change::Started {
            return;
        }
        self.entry(&mut state, pod_uid).mailbox.put_change(id, change);
        self.orphan(&mut state);
        self.start(&mut state);
    }

    /// Forgets a pod of which nothing is left; false if news has come in.
    pub(crate) fn finish(&self, uid: &str) -> bool {
        let mut state = self.state();
        if state.entries.get(uid).is_some_and(|entry| entry.mailbox.has_pod()) {
            return false;
        }
        let pod = state.entries.remove(uid).and_then(|entry| entry.pod);
        if let Some(pod) = pod.filter(|pod| is_static(pod)) {
            self.static_ended(&mut state, &pod);
        }
        true
    }

    /// The node needs what the pod of this uid takes.
    pub(crate) fn evict(&self, uid: &str, eviction: Rejection) {
        if let Some(entry) = self.state().entries.get(uid) {
            entry.mailbox.put_eviction(eviction);
        }
    }

    /// All pods as their workers see them.
    pub(crate) fn views(&self) -> Vec<Arc<View>> {
        self.state().entries.values().map(|entry| entry.view.borrow().clone()).collect()
    }

    /// The pod of this name that api still has.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Arc<View>> {
        let named = |entry: &&Entry| {
            let metadata = entry.pod.as_ref().map(|pod| &pod.metadata);
            !entry.gone && metadata.is_some_and(|m| m.namespace == namespace && m.name == name)
        };
        self.state().entries.values().find(named).map(|entry| entry.view.borrow().clone())
    }

    /// Follows what its worker sees of the pod of this uid.
    pub(crate) fn follow(&self, uid: &str) -> Option<watch::Receiver<Arc<View>>> {
        self.state().entries.get(uid).map(|entry| entry.view.clone())
    }

    /// Has a pod's worker look and plan at once, and start the container `hurry` whatever it waits for. Ends when it has
    /// planned; false if there is no such pod any more.
    pub(crate) async fn attend(&self, uid: &str, hurry: Option<&str>) -> bool {
        let mailbox = self.state().entries.get(uid).map(|entry| entry.mailbox.clone());
        match mailbox {
            Some(mailbox) => mailbox.put_attention(hurry.map(str::to_owned)).await.is_ok(),
            None => false,
        }
    }

    /// All first lists may be in: decides which pods are taken, oldest first, and lets the workers begin.
    fn settle(&self, state: &mut State) {
        if !state.is_complete() {
            return;
        }
        for uid in self.context.volumes.pods() {
            self.entry(state, &uid);
        }
        let age = |entry: &Entry| {
            let pod = entry.pod.as_ref();
            let created = pod.and_then(|pod| pod.metadata.creation_timestamp.as_ref().map(|at| at.seconds));
            // Who runs already keeps his place.
            let waits = pod.is_none_or(|pod| pod.status.start_time.is_none());
            (waits, created)
        };
        let mut order: Vec<_> = state.entries.iter().map(|(uid, entry)| (age(entry), uid.clone())).collect();
        order.sort();
        for (_, uid) in order {
            self.admit(state, &uid);
        }
        self.orphan(state);
        self.drop_orphans(state);
        self.start(state);
    }

    fn admit(&self, state: &mut State, uid: &str) {
        let Some(entry) = state.entries.get(uid) else { return };
        let Some(pod) = entry.pod.clone().filter(|_| entry.admission == Admission::Open) else { return };
        let begun = pod.status.start_time.is_some() || status::is_terminal(&pod.status.phase);
        let others: Vec<Arc<Pod>> = state.entries.values().filter_map(Entry::claims).collect();
        let node = self.context.node.view();
        let verdict = if begun { Ok(()) } else { admission::admit(&pod, &others, &node) };
        let Some(entry) = state.entries.get_mut(uid) else { return };
        match verdict {
            Ok(()) => entry.admission = Admission::Admitted,
            Err(rejection) if !entry.looked_again && admission::is_about_node(&rejection) => {
                entry.admission = Admission::Asking;
                entry.looked_again = true;
                self.look_again(uid);
            }
            Err(rejection) => {
                entry.admission = Admission::Rejected;
                entry.mailbox.put_rejection(rejection);
            }
        }
    }

    /// Whoever bound the pod may have seen a change of the node that is still on its way here: asks api, and decides then.
    fn look_again(&self, uid: &str) {
        let (pods, uid) = (self.clone(), uid.to_owned());
        self.context.tasks.spawn("look at the node", async move {
            pods.context.node.refresh().await;
            let mut state = pods.state();
            if let Some(entry) = state.entries.get_mut(&uid) {
                entry.admission = Admission::Open;
                pods.admit(&mut state, &uid);
                pods.start(&mut state);
            }
        });
    }

    /// Once everybody has spoken, containers whose pod nobody has are nobody's.
    fn orphan(&self, state: &mut State) {
        if !state.synced || !state.known.is_complete() {
            return;
        }
        for entry in state.entries.values_mut().filter(|entry| entry.pod.is_none() && !entry.gone) {
            entry.gone = true;
            entry.mailbox.put_orphaned();
        }
    }

    /// Starts the workers that wait, if nothing is missing any more. Static pods do not wait for api.
    fn start(&self, state: &mut State) {
        if !state.listed {
            return;
        }
        let complete = state.is_complete();
        let may_start =
            |entry: &&mut Entry| entry.admission != Admission::Asking && (complete || entry.is_static());
        let decided = state.entries.values_mut().filter(may_start);
        for worker in decided.filter_map(|entry| entry.worker.take()) {
            self.context.tasks.spawn("pod", worker.run(self.clone()));
        }
    }

    fn entry<'a>(&self, state: &'a mut State, uid: &str) -> &'a mut Entry {
        let listed = state.listed;
        state.entries.entry(uid.to_owned()).or_insert_with(|| {
            let mailbox = Arc::new(Mailbox::default());
            let (worker, view) = Worker::new(uid, self.context.clone(), mailbox.clone());
            if listed {
                // Nothing of it was there at the first list; whether anything is now, the worker asks.
                mailbox.put_relist();
            }
            Entry {
                mailbox,
                view,
                worker: Some(worker),
                pod: None,
                gone: false,
                admission: Admission::Open,
                looked_again: false,
            }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// Whether the runtime, api and the sources of static pods have all said what they had at the beginning.
    fn is_complete(&self) -> bool {
        self.listed && self.synced && self.known.is_complete()
    }
}

// === impl Entry ===

impl Entry {
    /// Whether its pod comes from a manifest.
    fn is_static(&self) -> bool {
        self.pod.as_deref().is_some_and(is_static)
    }

    /// The pod, if it takes up room on the node.
    fn claims(&self) -> Option<Arc<Pod>> {
        let ended = status::is_terminal(&self.view.borrow().phase());
        let taken = self.admission == Admission::Admitted && !self.gone && !ended;
        self.pod.clone().filter(|_| taken)
    }
}
