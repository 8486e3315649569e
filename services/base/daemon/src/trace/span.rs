//! A named stretch of work in a trace, and the seam through which finished spans leave the process.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use futures::future::Either;
use opentelemetry::trace::{SpanId, SpanKind};
use opentelemetry::{KeyValue, Value};

use super::{CURRENT, Current, TraceContext};

/// Where finished spans go. The one seam to exporters: `record` must neither block nor fail, so an exporter queues
/// (bounded) and drops what it cannot take.
pub trait SpanSink: Send + Sync + 'static {
    /// Takes one finished span.
    fn record(&self, span: SpanRecord);
}

/// A finished span.
#[derive(Clone, Debug)]
pub struct SpanRecord {
    /// What was done, a constant such as `store.commit`; details belong in `attributes`.
    pub name: &'static str,
    /// The span's own ids.
    pub context: TraceContext,
    /// The span it was part of; `None` for the root of a trace.
    pub parent: Option<SpanId>,
    /// Which side of a call it was.
    pub kind: SpanKind,
    /// When it began, by the wall clock.
    pub start: SystemTime,
    /// When it ended, by the wall clock.
    pub end: SystemTime,
    /// Details. Never secrets.
    pub attributes: Vec<KeyValue>,
    /// Spans of this or other traces that caused it without waiting for it.
    pub links: Vec<TraceContext>,
    /// What went wrong, if anything did.
    pub error: Option<String>,
}

/// Where the spans of one service go; off by default. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tracer {
    sink: Option<Arc<dyn SpanSink>>,
}

/// A stretch of work that is recorded when dropped; inert if tracing is off.
#[derive(Default)]
pub struct Span {
    active: Option<Box<Active>>,
}

struct Active {
    record: SpanRecord,
    sink: Arc<dyn SpanSink>,
}

// === impl Tracer ===

impl Tracer {
    /// Records nothing; contexts from outside are still handed on.
    pub fn off() -> Self {
        Self::default()
    }

    /// Records into `sink`.
    pub fn new(sink: Arc<dyn SpanSink>) -> Self {
        Self { sink: Some(sink) }
    }

    /// Whether spans are recorded at all.
    pub fn is_on(&self) -> bool {
        self.sink.is_some()
    }

    /// Runs `future` on behalf of `context`, with this tracer.
    pub fn scope<F: Future>(
        &self,
        context: Option<TraceContext>,
        future: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(Current { context, tracer: self.clone() }, future)
    }

    /// The first span of a new trace.
    pub fn root(&self, name: &'static str) -> Span {
        match &self.sink {
            Some(sink) => Span::start(name, TraceContext::root(), None, sink),
            None => Span::none(),
        }
    }

    /// A span of `parent`'s trace, for instance of the write that caused the work; inert if that trace is not sampled.
    pub fn child_of(&self, name: &'static str, parent: TraceContext) -> Span {
        match &self.sink {
            Some(sink) if parent.is_sampled() => {
                Span::start(name, parent.child(), Some(parent.span_id()), sink)
            }
            _ => Span::none(),
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("on", &self.is_on()).finish()
    }
}

// === impl Span ===

impl Span {
    /// A span that records nothing and changes nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether anything is recorded; ask before computing a costly attribute.
    pub fn is_recording(&self) -> bool {
        self.active.is_some()
    }

    /// The span's own context, to hand on with what it causes.
    pub fn context(&self) -> Option<TraceContext> {
        self.active.as_ref().map(|active| active.record.context)
    }

    /// Adds a detail. Never a secret.
    pub fn attribute(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(active) = &mut self.active {
            active.record.attributes.push(KeyValue::new(key, value));
        }
    }

    /// Names another span that caused this one.
    pub fn link(&mut self, cause: TraceContext) {
        if let Some(active) = &mut self.active {
            active.record.links.push(cause);
        }
    }

    /// Says which side of a call this is; without it the span is internal.
    #[must_use]
    pub fn kind(mut self, kind: SpanKind) -> Self {
        if let Some(active) = &mut self.active {
            active.record.kind = kind;
        }
        self
    }

    /// Marks the work as failed.
    pub fn error(&mut self, what: impl fmt::Display) {
        if let Some(active) = &mut self.active {
            active.record.error = Some(what.to_string());
        }
    }

    /// Runs `work` with this span as the current one.
    pub fn in_scope<R>(&self, work: impl FnOnce() -> R) -> R {
        match &self.active {
            Some(active) => CURRENT.sync_scope(active.current(), work),
            None => work(),
        }
    }

    /// Runs `future` with this span as the current one; the span ends with the future, also when that is dropped.
    pub fn instrument<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        let Some(active) = &self.active else {
            return Either::Left(future);
        };
        let scoped = CURRENT.scope(active.current(), future);
        Either::Right(async move {
            let _span = self;
            scoped.await
        })
    }

    fn start(
        name: &'static str,
        context: TraceContext,
        parent: Option<SpanId>,
        sink: &Arc<dyn SpanSink>,
    ) -> Self {
        let now = SystemTime::now();
        let record = SpanRecord {
            name,
            context,
            parent,
            kind: SpanKind::Internal,
            start: now,
            end: now,
            attributes: Vec::new(),
            links: Vec::new(),
            error: None,
        };
        Self { active: Some(Box::new(Active { record, sink: sink.clone() })) }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(active) = self.active.take() {
            let Active { mut record, sink } = *active;
            record.end = SystemTime::now();
            sink.record(record);
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.active.as_ref().map(|active| active.record.name);
        f.debug_struct("Span").field("name", &name).field("context", &self.context()).finish()
    }
}

// === impl Active ===

impl Active {
    fn current(&self) -> Current {
        Current { context: Some(self.record.context), tracer: Tracer::new(self.sink.clone()) }
    }
}
