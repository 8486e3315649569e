//! What a pod's worker has to hear of: one slot, in which newer news replaces older.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelson_base_daemon::trace::Cause;
use keelson_proto::core::Pod;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use crate::plan::Rejection;
use crate::runtime::ObservedContainer;

/// More changes than these are summed up as "look for yourself".
const MAX_CHANGES: usize = 64;

/// News for one worker.
#[derive(Default)]
pub(crate) struct Mailbox {
    slot: Mutex<News>,
    notify: Notify,
}

/// What is new since the worker last looked.
#[derive(Default)]
pub(crate) struct News {
    /// The pod as api has it.
    pub(crate) pod: Option<Arc<Pod>>,
    /// The mirror of the pod, which is a static one; none any more.
    pub(crate) mirror: Option<Option<Arc<Pod>>>,
    /// The node needs what the pod takes.
    pub(crate) eviction: Option<Rejection>,
    /// Api no longer has the pod, or never had it.
    pub(crate) gone: bool,
    /// The node does not take the pod.
    pub(crate) rejection: Option<Rejection>,
    /// The pod's containers, at the kubelet's start.
    pub(crate) observed: Option<Vec<ObservedContainer>>,
    /// What happened to containers, by id.
    pub(crate) changes: BTreeMap<String, Change>,
    /// Ask the runtime again.
    pub(crate) relist: bool,
    /// Something that the pod refers to is known now: what failed for want of it may be tried again.
    pub(crate) retry: bool,
    /// Something that the pod refers to has changed.
    pub(crate) refresh: bool,
    /// Containers that are to be started now, whatever they wait for.
    pub(crate) hurry: BTreeSet<String>,
    /// Who is to be told when the worker has looked and planned.
    pub(crate) attended: Vec<oneshot::Sender<()>>,
    /// Of the change in api.
    pub(crate) trace: Option<Cause>,
}

/// What happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Started,
    Died,
    Removed,
}

// === impl Mailbox ===

impl Mailbox {
    pub(crate) fn put_pod(&self, pod: Arc<Pod>, trace: Option<Cause>) {
        self.put(|news| {
            news.pod = Some(pod);
            news.trace = trace.or(news.trace);
        });
    }

    pub(crate) fn put_gone(&self, pod: Arc<Pod>, trace: Option<Cause>) {
        self.put(|news| {
            news.pod = Some(pod);
            news.gone = true;
            news.trace = trace.or(news.trace);
        });
    }

    pub(crate) fn put_mirror(&self, mirror: Option<Arc<Pod>>) {
        self.put(|news| news.mirror = Some(mirror));
    }

    pub(crate) fn put_eviction(&self, eviction: Rejection) {
        self.put(|news| news.eviction = Some(eviction));
    }

    pub(crate) fn put_orphaned(&self) {
        self.put(|news| news.gone = true);
    }

    pub(crate) fn put_rejection(&self, rejection: Rejection) {
        self.put(|news| news.rejection = Some(rejection));
    }

    pub(crate) fn put_observed(&self, containers: Vec<ObservedContainer>) {
        self.put(|news| news.observed = Some(containers));
    }

    pub(crate) fn put_change(&self, id: String, change: Change) {
        self.put(|news| {
            if news.changes.len() < MAX_CHANGES {
                news.changes.insert(id, change);
            } else {
                news.relist = true;
            }
        });
    }

    /// Something that the pod refers to is known now, or has `changed`.
    pub(crate) fn put_reference(&self, changed: bool) {
        self.put(|news| {
            news.retry = true;
            news.refresh |= changed;
        });
    }

    pub(crate) fn put_relist(&self) {
        self.put(|news| news.relist = true);
    }

    /// Somebody wants the worker to look now, and to start the container `hurry` at once; he is told when it has planned.
    pub(crate) fn put_attention(&self, hurry: Option<String>) -> oneshot::Receiver<()> {
        let (attended, told) = oneshot::channel();
        self.put(|news| {
            news.relist = true;
            news.hurry.extend(hurry);
            news.attended.push(attended);
        });
        told
    }

    /// Whether api has said something that the worker has not heard yet.
    pub(crate) fn has_pod(&self) -> bool {
        let slot = self.slot();
        slot.pod.is_some() && !slot.gone
    }

    /// Empties the slot.
    pub(crate) fn take(&self) -> News {
        std::mem::take(&mut *self.slot())
    }

    /// Ends when there is news.
    pub(crate) fn news(&self) -> Notified<'_> {
        self.notify.notified()
    }

    fn put(&self, note: impl FnOnce(&mut News)) {
        note(&mut self.slot());
        self.notify.notify_one();
    }

    fn slot(&self) -> MutexGuard<'_, News> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
