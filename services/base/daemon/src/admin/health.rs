//! What a process needs to be ready, and how it tells that it lives.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use tokio::sync::watch;
use tonic_health::pb::health_server::HealthServer;

use super::{HealthService, probes};
use crate::tasks::Drain;

/// The health of a process. Clones are the same health.
///
/// Ready: every [`Latch`] is released, every check passes, and the process does not drain. Alive: every live check
/// passes.
#[derive(Clone)]
pub struct Health {
    inner: Arc<Inner>,
}

struct Inner {
    latches: watch::Sender<Latches>,
    live: RwLock<Checks>,
    ready: RwLock<Checks>,
    drain: Drain,
}

/// Component → how many of its latches are still held.
pub(super) type Latches = BTreeMap<String, usize>;

type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

type Checks = BTreeMap<String, Check>;

/// Holds readiness back until released. Dropped unreleased it holds for ever: a component that failed to start must
/// not count as started.
#[derive(Debug)]
#[must_use = "the process is not ready before the latch is released"]
pub struct Latch {
    name: String,
    latches: watch::Sender<Latches>,
}

/// One line of a probe's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) name: String,
    /// What is wrong; `None` if nothing is.
    pub(super) fault: Option<String>,
}

// === impl Health ===

impl Health {
    /// The health of a process that stops being ready when `drain` begins.
    pub fn new(drain: Drain) -> Self {
        let inner = Inner {
            latches: watch::Sender::new(BTreeMap::new()),
            live: RwLock::default(),
            ready: RwLock::default(),
            drain,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Adds a component that is not ready yet. One registered twice is ready when both latches are released.
    pub fn register(&self, name: &str) -> Latch {
        self.inner.latches.send_modify(|latches| *latches.entry(name.to_owned()).or_default() += 1);
        Latch { name: name.to_owned(), latches: self.inner.latches.clone() }
    }

    /// Adds a check that is asked at every probe: quick, and its error free of secrets, since everybody may read it. A
    /// process that fails it should be started anew.
    pub fn live_check<F>(&self, name: &str, check: F)
    where
        F: Fn() -> Result<(), String> + Send + Sync + 'static,
    {
        let mut checks = self.inner.live.write().unwrap_or_else(PoisonError::into_inner);
        checks.insert(name.to_owned(), Arc::new(check));
    }

    /// Adds a check of the same kind for readiness only: for what the process cannot help, such as a server that it
    /// needs and that is away.
    pub fn ready_check<F>(&self, name: &str, check: F)
    where
        F: Fn() -> Result<(), String> + Send + Sync + 'static,
    {
        let mut checks = self.inner.ready.write().unwrap_or_else(PoisonError::into_inner);
        checks.insert(name.to_owned(), Arc::new(check));
    }

    /// Whether the process is ready.
    pub fn is_ready(&self) -> bool {
        self.ready_verdicts().iter().all(|verdict| verdict.fault.is_none())
    }

    /// Ends when every latch is released. Checks and drain do not matter here.
    pub async fn ready(&self) {
        let mut latches = self.inner.latches.subscribe();
        // The sender lives in `self`, so the only end is readiness.
        let _ = latches.wait_for(|latches| latches.values().all(|&held| held == 0)).await;
    }

    /// `/healthz`, `/livez` and `/readyz`, each with `?verbose`, `?exclude=<check>` and `/<check>`.
    pub fn router(&self) -> Router {
        probes::router(self)
    }

    /// The standard gRPC health service over the same latches: `""` is the whole process, other names are components.
    pub fn grpc_service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::new(self.clone()))
    }

    /// The latches, as they change.
    pub(super) fn latches(&self) -> watch::Receiver<Latches> {
        self.inner.latches.subscribe()
    }

    pub(super) fn drain(&self) -> &Drain {
        &self.inner.drain
    }

    /// `ping` (which always passes: the process answers) and all live checks.
    pub(super) fn live_verdicts(&self) -> Vec<Verdict> {
        let ping = Verdict { name: "ping".to_owned(), fault: None };
        [ping].into_iter().chain(verdicts(&self.inner.live)).collect()
    }

    /// The live verdicts and all latches.
    pub(super) fn health_verdicts(&self) -> Vec<Verdict> {
        let mut verdicts = self.live_verdicts();
        verdicts.extend(self.inner.latches.borrow().iter().map(|(name, &held)| Verdict {
            name: name.clone(),
            fault: (held > 0).then(|| "not ready yet".to_owned()),
        }));
        verdicts
    }

    /// The health verdicts, the ready checks, and whether the process is stopping.
    pub(super) fn ready_verdicts(&self) -> Vec<Verdict> {
        let mut all = self.health_verdicts();
        all.extend(verdicts(&self.inner.ready));
        let fault = self.inner.drain.is_signaled().then(|| "stopping".to_owned());
        all.push(Verdict { name: "shutdown".to_owned(), fault });
        all
    }
}

/// Makes checks, without the lock: one may take it again.
fn verdicts(checks: &RwLock<Checks>) -> Vec<Verdict> {
    let checks = checks.read().unwrap_or_else(PoisonError::into_inner).clone();
    checks.into_iter().map(|(name, check)| Verdict { name, fault: check().err() }).collect()
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("latches", &*self.inner.latches.borrow()).finish_non_exhaustive()
    }
}

// === impl Latch ===

impl Latch {
    /// The component is ready. This cannot be taken back.
    pub fn release(self) {
        self.latches.send_modify(|latches| {
            if let Some(held) = latches.get_mut(&self.name) {
                *held = held.saturating_sub(1);
            }
        });
    }
}
