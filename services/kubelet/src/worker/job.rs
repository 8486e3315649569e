//! Actions under way: futures that the worker polls, and may abandon.

use futures::StreamExt as _;
use futures::future::{AbortHandle, Abortable};

use super::outcome::Outcome;
use super::{Worker, act};
use crate::plan::{Action, INFRA, Key, Plan};

// === impl Worker ===

impl Worker {
    /// Begins what the plan says, and writes the status that goes with it.
    pub(super) fn begin(&mut self, plan: Plan) {
        for key in &plan.cancel {
            self.abandon(key);
        }
        if let Some(status) = plan.status {
            self.write_status(status);
        }
        for action in plan.actions {
            self.start(action);
        }
        let quiet = self.in_flight.values().all(Action::is_probe);
        if quiet && self.report.is_idle() {
            self.settled();
        }
    }

    fn start(&mut self, action: Action) {
        let key = action.key();
        self.abandon(&key);
        if let Action::Start { container, next_delay: Some(delay), .. } = &action {
            self.memory.restarted(container, *delay);
        }
        if let Action::PreStop { id, container, deadline, reason }
        | Action::Stop { id, container, deadline, reason } = &action
            && self.memory.stopping.insert(id.clone(), *deadline).is_none()
            && let Some(pod) = &self.pod
            && container != INFRA
        {
            act::tell_killing(&self.context.recorder, pod, container, *reason);
        }
        if action == Action::MountVolumes {
            self.memory.refresh_at = None;
        }
        let Some(work) = act::work(self, &action) else { return };
        let job = self.next_job;
        self.next_job += 1;
        let (abort, registration) = AbortHandle::new_pair();
        let work = Abortable::new(self.span_of(&action).instrument(work), registration);
        let done = key.clone();
        self.jobs.push(Box::pin(async move { (done, job, work.await.ok()) }));
        self.aborts.insert(key.clone(), (job, abort));
        self.in_flight.insert(key, action);
    }

    fn abandon(&mut self, key: &Key) {
        if let Some((_, abort)) = self.aborts.remove(key) {
            abort.abort();
            self.in_flight.remove(key);
            if let Key::PreStop(id) = key {
                // Its time was over.
                self.memory.pre_stops.insert(id.clone(), self.context.clock.now());
            }
        }
    }

    /// Takes the outcome of an action, unless the action was abandoned.
    pub(super) fn done(&mut self, key: &Key, job: u64, outcome: Option<Outcome>) {
        if self.aborts.get(key).is_none_or(|(current, _)| *current != job) {
            return;
        }
        self.aborts.remove(key);
        self.in_flight.remove(key);
        if let Some(outcome) = outcome {
            self.apply(outcome);
        }
    }

    /// A container that is being started must not be left half made.
    pub(super) async fn finish_starts(mut self) {
        while self.in_flight.values().any(Action::starts_container) {
            let Some((key, job, outcome)) = self.jobs.next().await else { return };
            self.done(&key, job, outcome);
        }
    }
}
