//! Named, supervised tasks that stop together.
//!
//! [`Tasks`] is a tree: a service gets a child of the process's tasks. Every task has a name; a panic is caught and
//! logged with it. The end of a *critical* task while nobody asked for it drains the whole tree, and [`Tasks::join`]
//! returns that as an error. Stopping has two steps: [`Tasks::shutdown`] asks ([`Drain`]), `join` waits and at last
//! aborts.

mod drain;
mod failure;

pub use self::drain::Drain;
pub use self::failure::{Cause, Outcome, TaskError, TaskFailure};

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument as _;

use crate::trace::Tracer;

/// How long `join` waits for aborted tasks: they end at their next await, unless they block their thread.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// Supervises the tasks of a process or of one of its services. Clones are the same supervisor.
#[derive(Clone)]
pub struct Tasks {
    node: Arc<Node>,
}

/// One node of the tree.
struct Node {
    path: String,
    tracker: TaskTracker,
    /// The trackers above; a task counts in all of them.
    above: Vec<TaskTracker>,
    drain: CancellationToken,
    abort: CancellationToken,
    tracer: Tracer,
    process: Arc<Process>,
}

/// What the whole tree shares.
struct Process {
    drain: CancellationToken,
    failure: watch::Sender<Option<TaskFailure>>,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    next: u64,
    names: BTreeMap<u64, String>,
}

/// A task's entry in [`Running`] and its places in the trackers, given back on drop.
struct Entry {
    id: u64,
    process: Arc<Process>,
    _above: Vec<TaskTrackerToken>,
}

// === impl Tasks ===

impl Tasks {
    /// The tasks of a process.
    pub fn new() -> Self {
        Self::with_tracer(Tracer::off())
    }

    /// The tasks of a process whose spans go to `tracer`.
    pub fn with_tracer(tracer: Tracer) -> Self {
        let drain = CancellationToken::new();
        let process =
            Process { drain: drain.clone(), failure: watch::Sender::new(None), running: Mutex::default() };
        Self::from_node(Node {
            path: String::new(),
            tracker: TaskTracker::new(),
            above: Vec::new(),
            drain,
            abort: CancellationToken::new(),
            tracer,
            process: Arc::new(process),
        })
    }

    /// A part that can be drained and joined alone, and is with the whole; its tasks are called `<name>/<task>`.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let node = &self.node;
        Self::from_node(Node {
            path: node.path_of(name),
            tracker: TaskTracker::new(),
            above: node.above.iter().chain([&node.tracker]).cloned().collect(),
            drain: node.drain.child_token(),
            abort: node.abort.child_token(),
            tracer: node.tracer.clone(),
            process: node.process.clone(),
        })
    }

    /// These very tasks, with the spans of those that are yet to be spawned going to `tracer`: services that share a
    /// process are told apart in traces.
    #[must_use]
    pub fn traced(&self, tracer: Tracer) -> Self {
        let node = &self.node;
        Self::from_node(Node {
            path: node.path.clone(),
            tracker: node.tracker.clone(),
            above: node.above.clone(),
            drain: node.drain.clone(),
            abort: node.abort.clone(),
            tracer,
            process: node.process.clone(),
        })
    }

    /// The tracer of these tasks.
    pub fn tracer(&self) -> &Tracer {
        &self.node.tracer
    }

    /// Runs a task whose end, failure or panic is logged and otherwise nobody's concern.
    pub fn spawn<F>(&self, name: &'static str, task: F) -> AbortHandle
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.supervise(name, false, task)
    }

    /// Runs a task without which the process makes no sense: if it ends, fails or panics before it was asked to stop,
    /// the whole process drains and [`Tasks::join`] returns the failure. A panic counts even while draining.
    pub fn spawn_critical<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.supervise(name, true, task);
    }

    /// Asks these tasks and those of all children to finish.
    pub fn shutdown(&self) {
        self.node.drain.cancel();
    }

    /// The token by which a task learns that it should finish.
    pub fn drain(&self) -> Drain {
        Drain::from(self.node.drain.clone())
    }

    /// Ends when these tasks were asked to finish.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        self.node.drain.clone().cancelled_owned()
    }

    /// Ends with the first failure of a critical task anywhere in the process.
    pub fn failed(&self) -> impl Future<Output = TaskFailure> + Send + use<> {
        let mut failure = self.node.process.failure.subscribe();
        async move {
            let first = failure.wait_for(Option::is_some).await.ok().and_then(|first| first.clone());
            match first {
                Some(first) => first,
                // The process is gone, and so is whoever could fail.
                None => std::future::pending().await,
            }
        }
    }

    /// Asks all tasks to finish, waits for them at most `grace`, then aborts the rest.
    pub async fn join(&self, grace: Duration) -> Result<(), TaskError> {
        self.shutdown();
        self.node.tracker.close();
        let in_time = tokio::time::timeout(grace, self.node.tracker.wait()).await.is_ok();
        let late = if in_time { Vec::new() } else { self.abort().await };
        match self.node.process.failure.borrow().clone() {
            Some(failure) => Err(TaskError::Failed(failure)),
            None if in_time => Ok(()),
            None => Err(TaskError::Overran { grace, tasks: late }),
        }
    }

    /// Names of the tasks that run now, for a log line or an admin page.
    pub fn running(&self) -> Vec<String> {
        let prefix = self.node.path_of("");
        let running = self.node.process.running();
        running.names.values().filter(|name| name.starts_with(&prefix)).cloned().collect()
    }

    /// Drops the futures of all tasks; returns the names of those that were running.
    async fn abort(&self) -> Vec<String> {
        let late = self.running();
        tracing::warn!(tasks = ?late, "grace period is over, aborting tasks");
        self.node.abort.cancel();
        if tokio::time::timeout(ABORT_GRACE, self.node.tracker.wait()).await.is_err() {
            tracing::error!(tasks = ?self.running(), "tasks block their thread and cannot be aborted");
        }
        late
    }

    fn supervise<F>(&self, name: &'static str, critical: bool, task: F) -> AbortHandle
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let node = self.node.clone();
        let path = node.path_of(name);
        let entry = node.enter(path.clone());
        let span = tracing::info_span!("task", name = %path);
        let work = node.tracer.scope(None, AssertUnwindSafe(task).catch_unwind());
        let supervised = async move {
            let _entry = entry;
            tokio::select! {
                ending = work => {
                    let cause = match ending {
                        Ok(outcome) => outcome.into_cause(),
                        Err(panic) => Cause::panicked(panic.as_ref()),
                    };
                    node.ended(&path, critical, cause);
                }
                () = node.abort.cancelled() => tracing::debug!("aborted"),
            }
        };
        self.node.tracker.spawn(supervised.instrument(span)).abort_handle()
    }

    fn from_node(node: Node) -> Self {
        Self { node: Arc::new(node) }
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("path", &self.node.path).finish_non_exhaustive()
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Node ===

impl Node {
    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }

    fn enter(&self, path: String) -> Entry {
        let mut running = self.process.running();
        running.next += 1;
        let id = running.next;
        running.names.insert(id, path);
        Entry {
            id,
            process: self.process.clone(),
            _above: self.above.iter().map(TaskTracker::token).collect(),
        }
    }

    /// Judges the end of a task.
    fn ended(&self, path: &str, critical: bool, cause: Cause) {
        let draining = self.drain.is_cancelled();
        match &cause {
            Cause::Ended if draining || !critical => return,
            Cause::Failed(error) if draining || !critical => {
                tracing::warn!(%error, "task failed");
                return;
            }
            Cause::Panicked(_) if !critical => {
                tracing::error!(%cause, "task ended");
                return;
            }
            _ => {}
        }
        let failure = TaskFailure { task: path.to_owned(), cause };
        tracing::error!("{failure}; stopping");
        self.process.failure.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(failure);
            is_first
        });
        self.process.drain.cancel();
    }
}

// === impl Process ===

impl Process {
    fn running(&self) -> std::sync::MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Entry ===

impl Drop for Entry {
    fn drop(&mut self) {
        self.process.running().names.remove(&self.id);
    }
}

#[cfg(test)]
mod tests;
