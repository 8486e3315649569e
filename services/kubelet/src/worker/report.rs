//! Telling api the pod's status: one write at a time, the newest status next, nothing twice.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use keelson_base_client::{ApiError, Recorder};
use keelson_proto::core::{Pod, PodStatus};

use super::{Worker, act, newer};
use crate::clock::later;

/// How long to wait after a write failed.
const RETRY: Duration = Duration::from_secs(2);

/// The writing of one pod's status.
#[derive(Default)]
pub(super) struct Report {
    writing: Option<BoxFuture<'static, Written>>,
    /// The status of the last write, and the revision that it made.
    last: Option<(PodStatus, String)>,
    retry_at: Option<Timestamp>,
}

/// What came of a write.
pub(super) enum Written {
    /// Api has it.
    Stored(Box<(PodStatus, Pod)>),
    /// Somebody was faster; this is the pod now.
    Outdated(Box<Pod>),
    /// Another pod has the name, or none.
    Gone,
    /// Api does not want this status at all.
    Refused(ApiError),
    /// Api did not answer.
    Failed(ApiError),
}

// === impl Report ===

impl Report {
    /// Whether nothing is being written.
    pub(super) fn is_idle(&self) -> bool {
        self.writing.is_none()
    }

    /// When to try again.
    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at
    }

    /// Ends when the present write has; never if there is none.
    pub(super) async fn written(&mut self) -> Written {
        match &mut self.writing {
            Some(writing) => {
                let written = writing.await;
                self.writing = None;
                written
            }
            None => std::future::pending().await,
        }
    }
}

// === impl Worker ===

impl Worker {
    /// Writes `status` if api has another, unless a write is under way: the next plan brings it again.
    pub(super) fn write_status(&mut self, status: PodStatus) {
        let Some(pod) = self.pod.clone().filter(|pod| pod.status != status) else { return };
        let now = self.context.clock.now();
        let waits = self.report.retry_at.is_some_and(|at| at > now);
        if self.gone || self.memory.status_refused || waits || !self.report.is_idle() {
            return;
        }
        if self
            .report
            .last
            .as_ref()
            .is_some_and(|(last, at)| *last == status && *at == pod.metadata.resource_version)
        {
            // Api stores it in other words. Writing it again would go on for ever.
            self.memory.status_refused = true;
            return;
        }
        self.report.retry_at = None;
        let api = self.context.pods.namespaced(&pod.metadata.namespace);
        let span = self.span_of_status(&status);
        let write = async move {
            let wanted = Pod { metadata: pod.metadata.clone(), status, ..Pod::default() };
            match api.update_status(&wanted).await {
                Ok(stored) => Written::Stored(Box::new((wanted.status, stored))),
                Err(error) if error.is_conflict() => match api.get(&wanted.metadata.name).await {
                    Ok(now) if now.metadata.uid == wanted.metadata.uid => Written::Outdated(Box::new(now)),
                    Ok(_) => Written::Gone,
                    Err(error) if error.is_not_found() => Written::Gone,
                    Err(error) => Written::Failed(error),
                },
                Err(error) if error.is_not_found() => Written::Gone,
                Err(error) if error.is_invalid() || error.is_forbidden() => Written::Refused(error),
                Err(error) => Written::Failed(error),
            }
        };
        self.report.writing = Some(span.instrument(write).boxed());
    }

    /// Takes what came of a write.
    pub(super) fn take_written(&mut self, written: Written) {
        match written {
            Written::Stored(written) => {
                let (status, stored) = *written;
                self.report.last = Some((status, stored.metadata.resource_version.clone()));
                self.pod = Some(newer(self.pod.take(), Arc::new(stored)));
            }
            Written::Outdated(now) => self.pod = Some(newer(self.pod.take(), Arc::from(now))),
            // The deletion is on its way here.
            Written::Gone => self.memory.status_refused = true,
            Written::Refused(error) => {
                tracing::error!(pod = %self.uid, %error, "api refuses the pod's status");
                self.memory.status_refused = true;
            }
            Written::Failed(error) => {
                tracing::warn!(pod = %self.uid, %error, "cannot write the pod's status");
                self.report.retry_at = Some(later(self.context.clock.now(), RETRY));
            }
        }
    }
}

/// Tells users of containers that have just begun to wait for their next try.
pub(super) fn tell_back_offs(recorder: &Recorder, before: Option<&Pod>, after: &Pod) {
    let waits = |pod: &Pod, name: &str| {
        let statuses = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
        let status = statuses.into_iter().find(|status| status.name == name);
        status.and_then(|status| Some(status.state.waiting.as_ref()?.reason.clone()))
    };
    for container in after.spec.init_containers.iter().chain(&after.spec.containers) {
        let name = container.name.as_str();
        let reason = waits(after, name);
        if reason.is_none() || before.is_some_and(|before| waits(before, name) == reason) {
            continue;
        }
        let metadata = &after.metadata;
        match reason.as_deref() {
            Some("CrashLoopBackOff") => {
                let pod = format!("{}_{}({})", metadata.name, metadata.namespace, metadata.uid);
                let message = format!("Back-off restarting failed container {name} in pod {pod}");
                recorder.warning(&act::about(after, name), "BackOff", message);
            }
            Some("ImagePullBackOff") => {
                let message = format!("Back-off pulling image \"{}\"", container.image);
                recorder.normal(&act::about(after, name), "BackOff", message);
            }
            _ => {}
        }
    }
}
