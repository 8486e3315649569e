//! The replication loop: as many pods as each replication controller wants.
//!
//! A sync claims the controller's pods (adopting and releasing), creates or deletes what is missing or too much, and
//! writes what it saw into the status. While creations or deletions of its own have not come back through the watch,
//! the numbers in the cache are not acted upon.

mod act;
mod claim;
mod plan;
mod status;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keelson_base_client::{Api, ApiError, Client, Delta, Expectations, Recorder, WorkQueue};
use keelson_base_daemon::trace::Cause;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::{meta, pod, rc};
use keelson_proto::core::{Pod, ReplicationController, ReplicationControllerStatus};
use keelson_proto::meta::Time;

use self::act::Failure;
use self::plan::{Plan, plan};
use crate::cache::Caches;
use crate::control::{Next, Reconcile, queue, settle, wake};

/// When to look again at a controller whose writes have not come back: by then they are given up.
const OVERDUE: Duration = Duration::from_secs(5 * 60 + 1);

/// How long changes wait that do not yet make the numbers trustworthy.
const UNTRUSTED: Duration = Duration::from_millis(100);

/// The replication loop.
pub(crate) struct ReplicationLoop {
    queue: WorkQueue<ObjectKey>,
    caches: Caches,
    pods: Api<Pod>,
    rcs: Api<ReplicationController>,
    expectations: Expectations,
    recorder: Recorder,
    burst: usize,
    memory: Mutex<HashMap<ObjectKey, Memory>>,
}

/// What the loop knows of a controller that api does not tell, or not yet.
#[derive(Debug, Default)]
struct Memory {
    /// The size of the last burst of creations, if all of them went well.
    burst: Option<usize>,
    /// The status that was written last, and in which version: the cache may be behind.
    written: Option<(u64, ReplicationControllerStatus)>,
}

/// How many pods were changed by a sync.
#[derive(Debug)]
enum Managed {
    /// The numbers could not be trusted, so nothing was done.
    Nothing,
    /// What had to be done has been done.
    Done,
    /// Something failed.
    Failed(Failure),
}

// === impl ReplicationLoop ===

impl ReplicationLoop {
    /// The loop, which creates and deletes at most `burst` pods of a controller at once.
    pub(crate) fn new(client: &Client, caches: Caches, recorder: Recorder, burst: usize) -> Self {
        Self {
            queue: queue(),
            caches,
            pods: client.api(),
            rcs: client.api(),
            expectations: Expectations::new(),
            recorder,
            burst,
            memory: Mutex::default(),
        }
    }

    /// A controller has changed. A change of its status alone, which is the loop's own, wakes nobody: after a failure
    /// it would cut the delay short.
    pub(crate) fn on_rc(&self, delta: &Delta<ReplicationController>) {
        match delta {
            Delta::Applied { old, new, trace } => {
                let key = ObjectKey::of(&new.metadata);
                let same = old.as_ref().filter(|old| old.metadata.uid == new.metadata.uid);
                if same.is_none() {
                    self.forget(&key);
                }
                if same.is_none_or(|old| Arc::ptr_eq(old, new) || concerns(old, new)) {
                    self.queue.add_caused(key, *trace);
                }
            }
            Delta::Deleted { old, .. } => self.forget(&ObjectKey::of(&old.metadata)),
            Delta::Synced => {}
        }
    }

    /// A pod has changed.
    pub(crate) fn on_pod(&self, delta: &Delta<Pod>) {
        match delta {
            Delta::Applied { old, new, trace } => match old {
                Some(old) if old.metadata.uid == new.metadata.uid => self.pod_changed(old, new, *trace),
                Some(old) => {
                    self.pod_gone(old, *trace);
                    self.pod_appeared(new, *trace);
                }
                None => self.pod_appeared(new, *trace),
            },
            Delta::Deleted { old, trace } => self.pod_gone(old, *trace),
            Delta::Synced => {}
        }
    }

    fn pod_appeared(&self, pod: &Pod, trace: Option<Cause>) {
        if meta::is_deleting(&pod.metadata) {
            return self.pod_gone(pod, trace);
        }
        match self.controller(pod) {
            Some(key) => {
                self.expectations.creation_observed(&key);
                self.wake(key, trace, false);
            }
            None => self.wake_selecting(pod, trace),
        }
    }

    fn pod_changed(&self, old: &Pod, new: &Pod, trace: Option<Cause>) {
        let (before, after) = (self.controller(old), self.controller(new));
        if meta::is_deleting(&new.metadata)
            && let Some(key) = &after
        {
            self.expectations.deletion_observed(key, &new.metadata.uid);
        }
        let moved = before != after;
        if let Some(key) = before.filter(|_| moved) {
            self.wake(key, trace, false);
        }
        let relabelled = old.metadata.labels != new.metadata.labels;
        match after {
            Some(key) => {
                let quiet = !moved && !relabelled && pod::is_active(old) == pod::is_active(new);
                self.wake(key, trace, quiet);
            }
            None if moved || relabelled => self.wake_selecting(new, trace),
            None => {}
        }
    }

    fn pod_gone(&self, pod: &Pod, trace: Option<Cause>) {
        if let Some(key) = self.controller(pod) {
            self.expectations.deletion_observed(&key, &pod.metadata.uid);
            self.wake(key, trace, false);
        }
    }

    /// The controller that a pod names as its own, unless another has taken its name.
    fn controller(&self, pod: &Pod) -> Option<ObjectKey> {
        let owner = rc::owner_of(pod)?;
        let key = ObjectKey::new(pod.metadata.namespace.as_str(), owner.name.as_str());
        let other = |rc: Arc<ReplicationController>| rc.metadata.uid != owner.uid;
        (!self.caches.rcs.get(&key).is_some_and(other)).then_some(key)
    }

    /// Wakes those who might adopt a pod.
    fn wake_selecting(&self, pod: &Pod, trace: Option<Cause>) {
        for rc in self.caches.rcs.namespace(&pod.metadata.namespace) {
            if rc::selects(&rc, pod) {
                self.queue.add_caused(ObjectKey::of(&rc.metadata), trace);
            }
        }
    }

    /// Wakes a controller; a quiet change is one of its status only.
    fn wake(&self, key: ObjectKey, trace: Option<Cause>, quiet: bool) {
        let delay = if !self.expectations.satisfied(&key) {
            UNTRUSTED
        } else if quiet {
            self.caches.rcs.get(&key).map_or(Duration::ZERO, |rc| settle_for(&rc))
        } else {
            Duration::ZERO
        };
        wake(&self.queue, key, trace, delay);
    }

    async fn sync(&self, key: &ObjectKey, rc: &ReplicationController) -> Result<Next, ApiError> {
        // Before the cache is read: what is seen later would be counted as if it were there now.
        let trusted = self.expectations.satisfied(key);
        let members = self.claim(rc).await?;
        let managed = if trusted { self.manage(key, rc, &members).await } else { Managed::Nothing };
        let ((version, known), now) = (self.known_status(key, rc), Time::now());
        let status = status::status(rc, &known, &members, &managed, now);
        if status != known {
            self.write_status(key, rc, version, status).await?;
        }
        match managed {
            Managed::Failed(failure) => Err(failure.error),
            Managed::Nothing => Ok(Next::After(OVERDUE)),
            Managed::Done => Ok(status::next_available(rc, &members, now).map_or(Next::Event, Next::After)),
        }
    }

    async fn manage(&self, key: &ObjectKey, rc: &ReplicationController, members: &[Arc<Pod>]) -> Managed {
        let managed = match plan(rc::replicas(rc), members, self.burst) {
            Plan::Keep => Ok(()),
            // Nothing can be created there any more, and soon all of it is gone.
            Plan::Create(_) if self.caches.is_terminating(&key.namespace) => Ok(()),
            Plan::Create(count) => self.create(key, rc, count).await,
            Plan::Delete(victims) => self.delete(key, rc, victims).await,
        };
        managed.map_or_else(Managed::Failed, |()| Managed::Done)
    }

    /// The status as it was written last, by us or by others, and in which version.
    fn known_status(
        &self,
        key: &ObjectKey,
        rc: &ReplicationController,
    ) -> (u64, ReplicationControllerStatus) {
        match self.memory().get(key).and_then(|memory| memory.written.as_ref()) {
            Some((version, status)) if *version > version_of(rc) => (*version, status.clone()),
            _ => (version_of(rc), rc.status.clone()),
        }
    }

    /// Writes the status over that of this version: if somebody else has written since, theirs stays, conditions of
    /// their own in it, and the next sync begins from it.
    async fn write_status(
        &self,
        key: &ObjectKey,
        rc: &ReplicationController,
        version: u64,
        status: ReplicationControllerStatus,
    ) -> Result<(), ApiError> {
        let mut changed = rc.clone();
        changed.metadata.resource_version = version.to_string();
        changed.status = status;
        match self.rcs.update_status(&changed).await {
            Ok(written) => {
                let version = version_of(&written);
                self.memory().entry(key.clone()).or_default().written = Some((version, written.status));
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn forget(&self, key: &ObjectKey) {
        self.expectations.forget(key);
        self.memory().remove(key);
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<ObjectKey, Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reconcile for ReplicationLoop {
    const NAME: &'static str = "replicationcontroller";
    type Key = ObjectKey;

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Next, ApiError> {
        match self.caches.rcs.get(key) {
            // What becomes of the pods of a deleted controller is the garbage collector's concern.
            Some(rc) if !meta::is_deleting(&rc.metadata) => self.sync(key, &rc).await,
            Some(_) => Ok(Next::Event),
            None => {
                self.forget(key);
                Ok(Next::Event)
            }
        }
    }
}

/// Whether there may be something to do about a change of a controller.
fn concerns(old: &ReplicationController, new: &ReplicationController) -> bool {
    old.spec != new.spec || meta::is_deleting(&old.metadata) != meta::is_deleting(&new.metadata)
}

/// The version of a controller. It is a revision of the store, and those grow.
fn version_of(rc: &ReplicationController) -> u64 {
    rc.metadata.resource_version.parse().unwrap_or(0)
}

/// How long a change of a controller's numbers may wait.
fn settle_for(rc: &ReplicationController) -> Duration {
    settle(usize::try_from(rc.status.replicas).unwrap_or(0))
}
