//! Informers feed the state; its steps become binds, events and conditions.

mod report;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use keelson_base_client::{Api, ApiError, Cache, Client, Delta, Informer, Recorder, WatchScope, reference};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::trace::{self, Cause, Span};
use keelson_base_model::key::ObjectKey;
use keelson_proto::Object;
use keelson_proto::core::{Node, Pod, ReplicationController, Service};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until};

use self::report::Reporter;
use crate::decision::Unschedulable;
use crate::meter::Meter;
use crate::queue::Attempt;
use crate::state::State;

/// How many binds may be under way at once.
const BINDS: usize = 64;

/// The state, for those who change it and those who wait for changes. The lock is never held across an await.
#[derive(Clone)]
pub(crate) struct Shared {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

/// What the informers keep.
#[derive(Clone, Debug)]
pub(crate) struct Caches {
    /// All pods.
    pub(crate) pods: Cache<Pod>,
    /// All nodes.
    pub(crate) nodes: Cache<Node>,
    /// All services.
    pub(crate) services: Cache<Service>,
    /// All replication controllers.
    pub(crate) controllers: Cache<ReplicationController>,
}

/// Turns steps into calls.
pub(crate) struct Driver {
    shared: Shared,
    tasks: Tasks,
    pods: Api<Pod>,
    recorder: Recorder,
    reporter: Reporter,
    binds: Arc<Semaphore>,
    meter: Meter,
}

/// A decision that was made.
struct Step {
    attempt: Attempt,
    /// The node that the pod is now assumed on, or why it is now parked.
    choice: Result<String, Unschedulable>,
    span: Span,
    begun: Instant,
}

/// What an informer says of an object.
enum Change<K> {
    Applied(Arc<K>),
    Deleted(Arc<K>),
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self { inner: Arc::new(Inner { state: Mutex::new(state), changed: Notify::new() }) }
    }

    /// Reads or changes the state, which the driver is not told of.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a term: see [`State::begin_term`].
    pub(crate) fn begin_term(&self) {
        self.change(State::begin_term);
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let answer = change(&mut self.state());
        self.inner.changed.notify_one();
        answer
    }

    /// Waits until there may be something to do.
    async fn wait(&self) {
        let changed = self.inner.changed.notified();
        let due = self.state().next_due();
        match due {
            Some(due) => tokio::select! { () = changed => {}, () = sleep_until(due) => {} },
            None => changed.await,
        }
    }
}

// === impl Caches ===

impl Caches {
    /// Starts the informers that feed `shared`.
    pub(crate) fn follow(tasks: &Tasks, client: &Client, shared: &Shared) -> Self {
        Self {
            pods: follow(tasks, client, shared, |state, pod, cause| match pod {
                Change::Applied(pod) => state.apply_pod(pod, cause),
                Change::Deleted(pod) => state.delete_pod(&ObjectKey::of(&pod.metadata)),
            }),
            nodes: follow(tasks, client, shared, |state, node, _| match node {
                Change::Applied(node) => state.apply_node(node),
                Change::Deleted(node) => state.delete_node(&node.metadata.name),
            }),
            services: follow(tasks, client, shared, |state, service, _| match service {
                Change::Applied(service) => state.apply_service(&service),
                Change::Deleted(service) => state.delete_service(&ObjectKey::of(&service.metadata)),
            }),
            controllers: follow(tasks, client, shared, |state, controller, _| match controller {
                Change::Applied(controller) => state.apply_controller(&controller),
                Change::Deleted(controller) => state.delete_controller(&ObjectKey::of(&controller.metadata)),
            }),
        }
    }

    /// Ends when all of them hold what there is.
    pub(crate) async fn synced(&self) {
        self.nodes.synced().await;
        self.services.synced().await;
        self.controllers.synced().await;
        self.pods.synced().await;
    }

    /// Ends when all of them hold what was written before this call.
    pub(crate) async fn refresh(&self) {
        let (nodes, services) = (self.nodes.refresh(), self.services.refresh());
        let (controllers, pods) = (self.controllers.refresh(), self.pods.refresh());
        nodes.await;
        services.await;
        controllers.await;
        pods.await;
    }

    /// Whether all of them hold what there is.
    pub(crate) fn are_synced(&self) -> bool {
        let others = self.services.is_synced() && self.controllers.is_synced();
        others && self.nodes.is_synced() && self.pods.is_synced()
    }
}

fn follow<K: Object>(
    tasks: &Tasks,
    client: &Client,
    shared: &Shared,
    apply: fn(&mut State, Change<K>, Option<Cause>),
) -> Cache<K> {
    let shared = shared.clone();
    Informer::spawn(tasks, client.api(), WatchScope::default(), move |delta| match delta {
        Delta::Applied { new, trace, .. } => shared.change(|state| apply(state, Change::Applied(new), trace)),
        Delta::Deleted { old, trace } => shared.change(|state| apply(state, Change::Deleted(old), trace)),
        Delta::Synced => {}
    })
}

// === impl Driver ===

impl Driver {
    /// Starts what writes conditions; [`Driver::run`] is yet to be spawned.
    pub(crate) fn new(
        tasks: &Tasks,
        client: &Client,
        shared: Shared,
        recorder: Recorder,
        meter: Meter,
    ) -> Self {
        Self {
            tasks: tasks.clone(),
            pods: client.api(),
            recorder,
            meter,
            reporter: Reporter::spawn(tasks, client.api(), shared.clone()),
            binds: Arc::new(Semaphore::new(BINDS)),
            shared,
        }
    }

    /// Decides on one pod after the other, for ever.
    pub(crate) async fn run(self) -> std::convert::Infallible {
        loop {
            // Before the decision, which should be as late as can be.
            let permit = self.binds.clone().acquire_owned().await;
            let Some(Step { attempt, choice, mut span, begun }) = self.step() else {
                drop(permit);
                self.shared.wait().await;
                continue;
            };
            match choice {
                Ok(node) => {
                    let bind = span.instrument(self.bind(attempt, node, begun));
                    self.tasks.spawn("bind", async move {
                        let _permit = permit;
                        bind.await;
                    });
                }
                Err(unschedulable) => {
                    self.meter.unschedulable(begun.elapsed());
                    span.error(&unschedulable);
                    let pod = &attempt.pod;
                    let message = unschedulable.to_string();
                    self.recorder.warning(&reference(&*pod.pod), "FailedScheduling", message);
                    self.reporter.report(pod.key.clone(), span.context());
                }
            }
        }
    }

    /// Decides on the next pod, under one lock.
    fn step(&self) -> Option<Step> {
        let now = Instant::now();
        let mut state = self.shared.state();
        let attempt = state.take(now)?;
        let mut span = self.span(&attempt);
        let began = span.is_recording().then(SystemTime::now);
        let choice = state.decide(&attempt.pod, now);
        self.meter.decided(now.elapsed());
        if let Some(began) = began {
            span.record_child("decide", began, SystemTime::now());
            span.attribute("keelson.nodes", i64::try_from(state.nodes()).unwrap_or(i64::MAX));
            if let Ok(node) = &choice {
                span.attribute("k8s.node.name", node.clone());
            }
        }
        Some(Step { attempt, choice, span, begun: now })
    }

    /// The first attempt belongs to the trace of the write that brought the pod; later ones have their own.
    fn span(&self, attempt: &Attempt) -> Span {
        let Some(cause) = attempt.cause else { return Span::none() };
        let cause = if attempt.is_first { cause } else { cause.late() };
        let mut span = self.tasks.tracer().reaction("schedule", cause);
        if !span.is_recording() {
            return span;
        }
        let pod = &attempt.pod;
        span.attribute("k8s.namespace.name", pod.key.namespace.clone());
        span.attribute("k8s.pod.name", pod.key.name.clone());
        span.attribute("k8s.pod.uid", pod.uid().to_owned());
        if let Some(received) = cause.received_at().filter(|_| !cause.is_late()) {
            span.record_child("queue", received, SystemTime::now());
            span = span.since(received);
        }
        span
    }

    /// Binds a pod that is assumed on `node`; the attempt to schedule it was begun then.
    fn bind(
        &self,
        attempt: Attempt,
        node: String,
        begun: Instant,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (pods, shared, recorder) = (self.pods.clone(), self.shared.clone(), self.recorder.clone());
        let meter = self.meter.clone();
        async move {
            let (pod, asked) = (attempt.pod, Instant::now());
            let span = trace::span("bind");
            let answer = span.instrument_result(pods.bind(&pod.pod, &node)).await;
            meter.bound(answer.is_ok(), begun.elapsed(), asked.elapsed());
            let object = reference(&*pod.pod);
            match answer {
                Ok(()) => {
                    shared.change(|state| state.bound(&pod));
                    let message = format!("Successfully assigned {} to {node}", pod.key);
                    recorder.normal(&object, "Scheduled", message);
                }
                Err(error) => {
                    let is_pending = shared.change(|state| state.not_bound(&pod, Instant::now()));
                    tracing::warn!(pod = %pod.key, node, %error, "binding failed");
                    if is_pending && !is_late(&error) {
                        recorder.warning(&object, "FailedScheduling", format!("Binding rejected: {error}"));
                    }
                }
            }
        }
    }
}

/// Whether the error says that the pod has gone or found a node meanwhile, of which the watch will tell.
fn is_late(error: &ApiError) -> bool {
    error.is_not_found() || error.is_conflict()
}

#[cfg(test)]
mod election;
#[cfg(test)]
mod tests;
