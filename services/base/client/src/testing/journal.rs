//! Calls: which were made, which are to fail, and which wait for the test.

use keelson_base_daemon::trace::TraceContext;
use tokio::sync::mpsc;

use super::script::Call;
use crate::ApiError;

/// Calls that wait until the test has answered them.
pub struct Held {
    calls: mpsc::UnboundedReceiver<Call>,
    /// Arrived, but not what was expected then.
    early: Vec<Call>,
}

/// What was called, and what is to become of the next calls, by method: `Pods/Bind`.
#[derive(Default)]
pub(super) struct Journal {
    calls: Vec<(String, Option<TraceContext>)>,
    failures: Vec<(String, ApiError)>,
    held: Vec<(String, mpsc::UnboundedSender<Call>)>,
}

/// What is to become of a call.
pub(super) enum Course {
    /// It is answered as api would.
    Serve,
    /// The test answers it.
    Hold(mpsc::UnboundedSender<Call>),
}

// === impl Held ===

impl Held {
    /// The next call of this method, for instance `Pods/Bind`; calls of other methods wait on.
    pub async fn expect(&mut self, method: &str) -> Call {
        if let Some(at) = self.early.iter().position(|call| method_of(&call.path) == method) {
            return self.early.remove(at);
        }
        loop {
            let call = self.calls.recv().await.expect("the clients are gone");
            if method_of(&call.path) == method {
                return call;
            }
            self.early.push(call);
        }
    }

    /// How many calls of this method wait, after everybody has done what there is to do now.
    pub async fn count(&mut self, method: &str) -> usize {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        while let Ok(call) = self.calls.try_recv() {
            self.early.push(call);
        }
        let waiting = self.early.iter();
        waiting.filter(|call| method_of(&call.path) == method).count()
    }
}

// === impl Journal ===

impl Journal {
    pub(super) fn fail(&mut self, method: &str, error: ApiError) {
        self.failures.push((method.to_owned(), error));
    }

    pub(super) fn hold(&mut self, methods: &[&str]) -> Held {
        let (calls_tx, calls) = mpsc::unbounded_channel();
        let held = methods.iter().map(|method| ((*method).to_owned(), calls_tx.clone()));
        self.held.extend(held);
        Held { calls, early: Vec::new() }
    }

    /// The traces of the calls of this method.
    pub(super) fn traces(&self, method: &str) -> Vec<Option<TraceContext>> {
        let calls = self.calls.iter().filter(|(called, _)| called == method);
        calls.map(|(_, trace)| *trace).collect()
    }

    /// Notes a call; fails if the test said so.
    pub(super) fn enter(&mut self, path: &str, trace: Option<TraceContext>) -> Result<Course, ApiError> {
        let method = method_of(path);
        self.calls.push((method.to_owned(), trace));
        if let Some(at) = self.failures.iter().position(|(failing, _)| failing == method) {
            return Err(self.failures.remove(at).1);
        }
        let held = self.held.iter().find(|(held, _)| held == method);
        Ok(held.map_or(Course::Serve, |(_, calls)| Course::Hold(calls.clone())))
    }
}

/// `Pods/Bind` for `/keelson.v1.Pods/Bind`.
fn method_of(path: &str) -> &str {
    path.trim_start_matches("/keelson.v1.")
}
