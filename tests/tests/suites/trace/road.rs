//! What a trace is expected to hold: which spans stand below which.

use std::fmt::Write as _;

use keelson_trace_sink::span::{Span, Trace};
use keelson_trace_sink::text::{self, Look};

/// A span that has to be there: its service and name, and those of its parent. A parent without a name is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    service: &'static str,
    name: &'static str,
    parent: (&'static str, &'static str),
}

const fn step(service: &'static str, name: &'static str, parent: (&'static str, &'static str)) -> Step {
    Step { service, name, parent }
}

const GATEWAY: &str = "keelson-gateway";
const API: &str = "keelson-api";
const SCHEDULER: &str = "keelson-scheduler";
const KUBELET: &str = "keelson-kubelet";
const REPLICATION: &str = "keelson-replication";
const PROXY: &str = "keelson-service-proxy";

const DELIVERY: &str = "watch delivery";
const CREATE_POD: &str = "keelson.v1.Pods/Create";
const BIND: &str = "keelson.v1.Pods/Bind";
const STATUS: &str = "keelson.v1.Pods/UpdateStatus";
const ENDPOINTS_UPDATE: &str = "keelson.v1.Endpoints/Update";
const CREATE_RC: &str = "keelson.v1.ReplicationControllers/Create";

const POST_POD: (&str, &str) = (GATEWAY, "POST /api/v1/namespaces/{namespace}/pods");
const POST_RC: (&str, &str) = (GATEWAY, "POST /api/v1/namespaces/{namespace}/replicationcontrollers");
const DELETE_POD: (&str, &str) = (GATEWAY, "DELETE /api/v1/namespaces/{namespace}/pods/{name}");

/// A pod is asked for, and stored.
pub(super) const CREATED: &[Step] = &[
    step(POST_POD.0, POST_POD.1, ("", "")),
    step(GATEWAY, CREATE_POD, POST_POD),
    step(API, CREATE_POD, (GATEWAY, CREATE_POD)),
    step(API, "authorization", (API, CREATE_POD)),
    step(API, "admission", (API, CREATE_POD)),
    step(API, "validation", (API, CREATE_POD)),
    step(API, "store commit", (API, CREATE_POD)),
];

/// A controller is asked for, and its pods with it.
pub(super) const CONTROLLED: &[Step] = &[
    step(POST_RC.0, POST_RC.1, ("", "")),
    step(API, CREATE_RC, (GATEWAY, CREATE_RC)),
    step(REPLICATION, DELIVERY, (API, CREATE_RC)),
    step(REPLICATION, "sync replicationcontroller", (REPLICATION, DELIVERY)),
    step(REPLICATION, CREATE_POD, (REPLICATION, "sync replicationcontroller")),
    step(API, CREATE_POD, (REPLICATION, CREATE_POD)),
];

/// The scheduler has heard of it, and decided.
pub(super) const DECIDED: &[Step] = &[
    step(SCHEDULER, DELIVERY, (API, CREATE_POD)),
    step(SCHEDULER, "schedule", (SCHEDULER, DELIVERY)),
    step(SCHEDULER, "queue", (SCHEDULER, "schedule")),
    step(SCHEDULER, "decide", (SCHEDULER, "schedule")),
];

/// The same, and has bound the pod.
pub(super) const SCHEDULED: &[Step] = &[
    step(SCHEDULER, DELIVERY, (API, CREATE_POD)),
    step(SCHEDULER, "schedule", (SCHEDULER, DELIVERY)),
    step(SCHEDULER, "queue", (SCHEDULER, "schedule")),
    step(SCHEDULER, "decide", (SCHEDULER, "schedule")),
    step(SCHEDULER, "bind", (SCHEDULER, "schedule")),
    step(SCHEDULER, BIND, (SCHEDULER, "bind")),
    step(API, BIND, (SCHEDULER, BIND)),
    step(API, "store commit", (API, BIND)),
];

/// A scheduler that came later has bound the pod.
pub(super) const RESCHEDULED: &[Step] = &[
    step(SCHEDULER, "schedule", ("", "")),
    step(SCHEDULER, "decide", (SCHEDULER, "schedule")),
    step(SCHEDULER, "bind", (SCHEDULER, "schedule")),
    step(API, BIND, (SCHEDULER, BIND)),
];

/// The kubelet has heard of the binding, run the pod, and told its status.
pub(super) const SYNCED: &[Step] = &[
    step(KUBELET, DELIVERY, (API, BIND)),
    step(KUBELET, "sync pod", (KUBELET, DELIVERY)),
    step(KUBELET, "mount volumes", (KUBELET, "sync pod")),
    step(KUBELET, "start infra", (KUBELET, "sync pod")),
    step(KUBELET, "get image", (KUBELET, "sync pod")),
    step(KUBELET, "start container", (KUBELET, "sync pod")),
    step(KUBELET, "write status", (KUBELET, "sync pod")),
    step(KUBELET, STATUS, (KUBELET, "write status")),
    step(API, STATUS, (KUBELET, STATUS)),
    step(API, "store commit", (API, STATUS)),
];

/// What the hollow runtime was asked.
pub(super) const HOLLOW: &[Step] = &[
    step(KUBELET, "hollow start container", (KUBELET, "start infra")),
    step(KUBELET, "hollow inspect image", (KUBELET, "get image")),
    step(KUBELET, "hollow start container", (KUBELET, "start container")),
];

/// What Docker was asked.
pub(super) const DOCKER: &[Step] = &[
    step(KUBELET, "docker create container", (KUBELET, "start infra")),
    step(KUBELET, "docker start container", (KUBELET, "start infra")),
    step(KUBELET, "docker inspect container", (KUBELET, "start infra")),
    step(KUBELET, "docker inspect image", (KUBELET, "get image")),
    step(KUBELET, "docker create container", (KUBELET, "start container")),
    step(KUBELET, "docker start container", (KUBELET, "start container")),
];

/// The ready pod is among its service's endpoints.
pub(super) const ENDPOINTS: &[Step] = &[
    step(REPLICATION, DELIVERY, (API, STATUS)),
    step(REPLICATION, "sync endpoints", (REPLICATION, DELIVERY)),
    step(REPLICATION, ENDPOINTS_UPDATE, (REPLICATION, "sync endpoints")),
    step(API, ENDPOINTS_UPDATE, (REPLICATION, ENDPOINTS_UPDATE)),
    step(API, "store commit", (API, ENDPOINTS_UPDATE)),
];

/// The proxy leads to it.
pub(super) const RULES: &[Step] =
    &[step(PROXY, DELIVERY, (API, ENDPOINTS_UPDATE)), step(PROXY, "apply rules", (PROXY, DELIVERY))];

/// A pod is deleted: its kubelet stops it and tells that nothing is left.
pub(super) const DELETED: &[Step] = &[
    step(DELETE_POD.0, DELETE_POD.1, ("", "")),
    step(API, "keelson.v1.Pods/Delete", (GATEWAY, "keelson.v1.Pods/Delete")),
    step(KUBELET, DELIVERY, (API, "keelson.v1.Pods/Delete")),
    step(KUBELET, "stop container", (KUBELET, "sync pod")),
    step(KUBELET, "docker stop container", (KUBELET, "stop container")),
    step(KUBELET, "docker remove container", (KUBELET, "remove container")),
    step(KUBELET, "confirm deletion", (KUBELET, "sync pod")),
    step(API, "keelson.v1.Pods/Delete", (KUBELET, "keelson.v1.Pods/Delete")),
];

/// And it is no endpoint any more.
pub(super) const ENDPOINTS_OF_DELETED: &[Step] = &[
    step(REPLICATION, "sync endpoints", (REPLICATION, DELIVERY)),
    step(API, ENDPOINTS_UPDATE, (REPLICATION, ENDPOINTS_UPDATE)),
];

/// A trace, to be asked about.
#[derive(Debug)]
pub(super) struct Road {
    trace: Trace,
}

// === impl Road ===

impl Road {
    pub(super) fn of(trace: Trace) -> Self {
        Self { trace }
    }

    pub(super) fn id(&self) -> &str {
        &self.trace.id
    }

    /// Whether every step is there below its parent, and every span's parent but `outside`. If not, what is missing.
    pub(super) fn check(&self, steps: &[Step], outside: Option<&str>) -> Result<(), String> {
        let mut missing = String::new();
        for step in steps.iter().filter(|step| !self.has(step)) {
            let _ = writeln!(missing, "no {} {:?} below {:?}", step.service, step.name, step.parent);
        }
        for span in &self.trace.spans {
            let parent = span.parent_span_id.as_deref().filter(|parent| Some(*parent) != outside);
            if parent.is_some_and(|parent| self.by_id(parent).is_none()) {
                let _ = writeln!(missing, "the parent of {} {:?} is not there", span.service, span.name);
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing}\n{}", self.drawn())) }
    }

    #[track_caller]
    fn of_any(&self, what: &str, found: impl Fn(&&Span) -> bool) -> &Span {
        let found = self.trace.spans.iter().find(found);
        found.unwrap_or_else(|| panic!("there is no {what} in\n{}", self.drawn()))
    }

    /// A span of this name.
    #[track_caller]
    pub(super) fn named(&self, name: &str) -> &Span {
        self.of_any(name, |span| span.name == name)
    }

    /// A span of this name and service.
    #[track_caller]
    pub(super) fn in_service(&self, service: &str, name: &str) -> &Span {
        self.of_any(name, |span| span.service == service && span.name == name)
    }

    /// A span of this name below one of another.
    #[track_caller]
    pub(super) fn below(&self, parent: &str, name: &str) -> &Span {
        self.of_any(name, |span| span.name == name && self.parent(span).is_some_and(|of| of.name == parent))
    }

    /// All spans of this name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Span> {
        self.trace.spans.iter().filter(move |span| span.name == name)
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.all(name).count()
    }

    /// The span that has no parent.
    #[track_caller]
    pub(super) fn root(&self) -> &Span {
        self.of_any("root", |span| span.parent_span_id.is_none())
    }

    fn has(&self, step: &Step) -> bool {
        self.all(step.name).filter(|span| span.service == step.service).any(|span| match step.parent {
            ("", "") => span.parent_span_id.is_none(),
            (service, name) => self.parent(span).is_some_and(|of| of.service == service && of.name == name),
        })
    }

    fn parent(&self, span: &Span) -> Option<&Span> {
        self.by_id(span.parent_span_id.as_deref()?)
    }

    fn by_id(&self, id: &str) -> Option<&Span> {
        self.trace.spans.iter().find(|span| span.span_id == id)
    }

    fn drawn(&self) -> String {
        text::trace(&self.trace, Look { width: 160, attributes: false })
    }
}
