//! Telling api the pod's status: one write at a time, the newest status next, nothing twice.

mod mirror;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use keelson_base_client::{ApiError, Recorder};
use keelson_proto::core::{Pod, PodStatus};

use super::{Worker, act, newer};
use crate::clock::later;
use crate::static_pods::is_static;

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
        let Some(pod) = self.pod.clone() else { return };
        let unmirrored = is_static(&pod) && self.mirror.is_none();
        if pod.status == status && !unmirrored {
            return;
        }
        let now = self.context.clock.now();
        let waits = self.report.retry_at.is_some_and(|at| at > now);
        if self.gone || self.memory.status_refused || waits || !self.report.is_idle() {
            return;
        }
        let api = self.context.pods.namespaced(&pod.metadata.namespace);
        if unmirrored {
            self.report.retry_at = None;
            let span = self.span_of_status(&status);
            self.report.writing = Some(span.instrument(mirror::make(api, pod)).boxed());
            return;
        }
        // Of a static pod the mirror's status is written.
        let pod = self.mirror.clone().unwrap_or(pod);
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
                self.take_stored(Arc::new(stored));
            }
            Written::Outdated(now) => self.take_stored(Arc::from(now)),
            // It is made anew.
            Written::Gone if self.mirror.is_some() => self.mirror = None,
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

// === impl Worker ===

impl Worker {
    /// Takes what api has now of the pod, or of its mirror.
    fn take_stored(&mut self, stored: Arc<Pod>) {
        match self.pod.as_deref().is_some_and(is_static) {
            true => self.take_mirror(Some(stored)),
            false => self.pod = Some(newer(self.pod.take(), stored)),
        }
    }

    /// Takes the mirror of a static pod, and with it the status that api has.
    pub(super) fn take_mirror(&mut self, mirror: Option<Arc<Pod>>) {
        self.mirror = mirror.map(|mirror| match self.mirror.take() {
            Some(have) if have.metadata.uid == mirror.metadata.uid => newer(Some(have), mirror),
            _ => mirror,
        });
        if let (Some(pod), Some(mirror)) = (&self.pod, &self.mirror) {
            self.pod = Some(Arc::new(Pod { status: mirror.status.clone(), ..Pod::clone(pod) }));
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
