//! What a worker's reactions say of themselves in traces.
//!
//! A reaction lasts from the news until there is nothing more to do about it. It has a span as soon as something is done:
//! most news is the echo of the worker's own writes.

use keelson_base_daemon::trace::{Cause, Span, TraceContext};
use keelson_proto::core::PodStatus;

use super::{Worker, act};
use crate::plan::Action;

// === impl Worker ===

impl Worker {
    /// There is news because of `cause`. What the present reaction itself has written is no news.
    pub(super) fn because(&mut self, cause: Cause) {
        let trace = cause.context().trace_id();
        if self.sync.as_ref().and_then(Span::context).is_some_and(|present| present.trace_id() == trace) {
            return;
        }
        self.settled();
        self.cause = Some(cause);
    }

    /// The reaction is over: what comes later is another one.
    pub(super) fn settled(&mut self) {
        let over = self.sync.take().and_then(|sync| sync.context());
        let unused = self.cause.take().map(Cause::context);
        self.last_cause = over.or(unused).or(self.last_cause);
    }

    /// The span of an action.
    pub(super) fn span_of(&mut self, action: &Action) -> Span {
        if action.is_probe() {
            // A probe reacts to nothing, and most find nothing new.
            return Span::none();
        }
        let mut span = self.child(act::span_name(action));
        if span.is_recording()
            && let Some(container) = act::container_of(action)
        {
            span.attribute("k8s.container.name", container.to_owned());
        }
        span
    }

    /// The span of a write of the pod's status.
    pub(super) fn span_of_status(&mut self, status: &PodStatus) -> Span {
        let mut span = self.child("write status");
        if span.is_recording() {
            let ready = status.conditions.iter().any(|is| is.r#type == "Ready" && is.status == "True");
            span.attribute("k8s.pod.phase", status.phase.clone());
            span.attribute("keelson.pod.ready", ready);
        }
        span
    }

    fn child(&mut self, name: &'static str) -> Span {
        match self.reaction() {
            Some(reaction) => self.context.tasks.tracer().child_of(name, reaction),
            None => Span::none(),
        }
    }

    /// The span of the present reaction, which begins with the first thing that is done.
    fn reaction(&mut self) -> Option<TraceContext> {
        if self.sync.is_none() {
            let earlier = self.last_cause.map(|earlier| Cause::from(earlier).late());
            let cause = self.cause.or(earlier)?;
            let mut span = self.context.tasks.tracer().reaction("sync pod", cause);
            if span.is_recording()
                && let Some(pod) = &self.pod
            {
                span.attribute("k8s.namespace.name", pod.metadata.namespace.clone());
                span.attribute("k8s.pod.name", pod.metadata.name.clone());
                span.attribute("k8s.pod.uid", self.uid.clone());
                span.attribute("k8s.node.name", pod.spec.node_name.clone());
            }
            self.sync = Some(span);
        }
        self.sync.as_ref().and_then(Span::context)
    }
}
