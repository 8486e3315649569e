//! Doing probes and lifecycle hooks, and telling users of those that fail.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use keelson_proto::core::{Container, LifecycleHandler, Pod};

use super::act::{about, find, pod_ips};
use super::outcome::Outcome;
use super::{Context, Worker};
use crate::clock::until;
use crate::hooks;
use crate::plan::ProbeKind;
use crate::probe::{self, Finding, Subject};
use crate::runtime::Role;

/// Everything about one probe or hook of one container instance.
pub(super) struct Errand {
    context: Arc<Context>,
    pod: Arc<Pod>,
    subject: Subject,
}

// === impl Errand ===

impl Errand {
    /// An errand to the container `name`, whose present instance is `id`; none if the pod does not define it.
    pub(super) fn new(worker: &Worker, id: &str, name: &str) -> Option<Self> {
        let pod = worker.pod.clone()?;
        let container = find(&pod, name)?.0.clone();
        let infra = worker.observed.iter().rfind(|container| container.identity.role == Role::Infra);
        let addresses = infra.map(|infra| pod_ips(worker, &infra.id)).unwrap_or_default();
        let context = worker.context.clone();
        let address = addresses.first().copied();
        let subject = Subject { runtime: context.runtime.clone(), id: id.to_owned(), container, address };
        Some(Self { context, pod, subject })
    }

    /// Does a check; none if the container does not define it.
    pub(super) fn probe(self, kind: ProbeKind) -> Option<BoxFuture<'static, Outcome>> {
        let probe = Box::new(kind.of(&self.subject.container)?.clone());
        let check = async move {
            let begun_at = self.context.clock.now();
            let finding = probe::check(&probe, &self.subject).await;
            self.tell_finding(kind, &finding);
            let found = finding.verdict();
            Outcome::Probed { id: self.subject.id, probe, kind, begun_at, found }
        };
        Some(check.boxed())
    }

    fn tell_finding(&self, kind: ProbeKind, finding: &Finding) {
        let name = match kind {
            ProbeKind::Startup => "Startup",
            ProbeKind::Liveness => "Liveness",
            ProbeKind::Readiness => "Readiness",
        };
        let (reason, message) = match finding {
            Finding::Success => return,
            Finding::Warning(words) => ("ProbeWarning", format!("{name} probe warning: {words}")),
            Finding::Failure(words) => ("Unhealthy", format!("{name} probe failed: {words}")),
            Finding::Unknown(words) => {
                ("Unhealthy", format!("{name} probe errored and resulted in unknown state: {words}"))
            }
        };
        self.warn(reason, message);
    }

    /// Runs the postStart hook.
    pub(super) async fn post_start(self) -> Outcome {
        let hook = hook(&self.subject.container, true).cloned();
        let ended = match &hook {
            Some(hook) => hooks::run(hook, &self.subject, hooks::NO_LIMIT).await,
            None => Ok(()),
        };
        if let Err(error) = &ended {
            self.warn("FailedPostStartHook", format!("PostStartHook failed: {error}"));
        }
        Outcome::PostStarted(self.subject.id, ended.is_ok())
    }

    /// Runs the preStop hook, until `deadline` at the most.
    pub(super) async fn pre_stop(self, deadline: Timestamp) -> Outcome {
        let limit: Duration = until(self.context.clock.now(), deadline);
        if let Some(hook) = hook(&self.subject.container, false)
            && let Err(error) = hooks::run(hook, &self.subject, limit).await
        {
            self.warn("FailedPreStopHook", format!("PreStopHook failed: {error}"));
        }
        let ended_at = self.context.clock.now();
        Outcome::PreStopped(self.subject.id, ended_at)
    }

    fn warn(&self, reason: &str, message: String) {
        self.context.recorder.warning(&about(&self.pod, &self.subject.container.name), reason, message);
    }
}

fn hook(container: &Container, post_start: bool) -> Option<&LifecycleHandler> {
    let lifecycle = container.lifecycle.as_ref()?;
    if post_start { lifecycle.post_start.as_ref() } else { lifecycle.pre_stop.as_ref() }
}
