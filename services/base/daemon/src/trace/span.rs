//! A named stretch of work in a trace, and the seam through which finished spans leave the process.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use futures::future::Either;
use opentelemetry::trace::{SpanId, SpanKind};
use opentelemetry::{KeyValue, Value};

use super::{CURRENT, Current, TraceContext, Tracer};

/// Where finished spans go. The one seam to exporters: `record` must neither block nor fail, so an exporter queues
/// (bounded) and drops what it cannot take.
pub trait SpanSink: Send + Sync + 'static {
    /// Takes one finished span.
    fn record(&self, span: SpanRecord);
}

/// A finished span.
#[derive(Clone, Debug)]
pub struct SpanRecord {
    /// What was done, such as `store commit`; details belong in `attributes`.
    pub name: Cow<'static, str>,
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

/// A stretch of work that is recorded when dropped; inert if tracing is off.
#[derive(Default)]
pub struct Span {
    active: Option<Box<Active>>,
    /// Of a span that is not recorded: what to hand on all the same.
    passing: Option<TraceContext>,
}

struct Active {
    record: SpanRecord,
    tracer: Tracer,
    /// Details that the work inside has added.
    notes: Notes,
}

/// Where the work inside a span adds details to it.
pub(super) type Notes = Arc<Mutex<Vec<KeyValue>>>;

// === impl Span ===

impl Span {
    /// A span that records nothing and changes nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// A span that records nothing and hands `context` on.
    pub(super) fn passing(context: TraceContext) -> Self {
        Self { active: None, passing: Some(context) }
    }

    /// Whether anything is recorded; ask before computing a costly attribute.
    pub fn is_recording(&self) -> bool {
        self.active.is_some()
    }

    /// What to hand on with what this span causes: the span's own context, or, of one that is not recorded, its
    /// parent's.
    pub fn context(&self) -> Option<TraceContext> {
        self.active.as_ref().map(|active| active.record.context).or(self.passing)
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

    /// Says that the work began at `start`, before there was a span for it.
    #[must_use]
    pub fn since(mut self, start: SystemTime) -> Self {
        if let Some(active) = &mut self.active {
            active.record.start = start;
        }
        self
    }

    /// Marks the work as failed.
    pub fn error(&mut self, what: impl fmt::Display) {
        if let Some(active) = &mut self.active {
            active.record.error = Some(what.to_string());
        }
    }

    /// Records a span for work inside this one that began and ended when it is told.
    pub fn record_child(&self, name: &'static str, start: SystemTime, end: SystemTime) {
        if let Some(active) = &self.active {
            active.tracer.child_of(name, active.record.context).since(start).end_at(end);
        }
    }

    /// Runs `work` with this span as the current one.
    pub fn in_scope<R>(&self, work: impl FnOnce() -> R) -> R {
        match self.current() {
            Some(current) => CURRENT.sync_scope(current, work),
            None => work(),
        }
    }

    /// Runs `future` with this span as the current one; the span goes on afterwards.
    pub fn around<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        match self.current() {
            Some(current) => Either::Right(CURRENT.scope(current, future)),
            None => Either::Left(future),
        }
    }

    /// Runs `future` with this span as the current one; the span ends with the future, also when that is dropped.
    pub fn instrument<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        let Some(current) = self.current() else {
            return Either::Left(future);
        };
        let scoped = CURRENT.scope(current, future);
        Either::Right(async move {
            let _span = self;
            scoped.await
        })
    }

    /// The same for work that may fail: what goes wrong is noted in the span.
    pub fn instrument_result<T, E, F>(mut self, future: F) -> impl Future<Output = Result<T, E>>
    where
        E: fmt::Display,
        F: Future<Output = Result<T, E>>,
    {
        let Some(current) = self.current() else {
            return Either::Left(future);
        };
        let scoped = CURRENT.scope(current, future);
        Either::Right(async move {
            let result = scoped.await;
            if let Err(error) = &result {
                self.error(error);
            }
            result
        })
    }

    /// The span ends at `end`, which is past.
    pub(super) fn end_at(mut self, end: SystemTime) -> Option<TraceContext> {
        let mut active = self.active.take()?;
        active.record.end = end;
        let context = active.record.context;
        active.finish();
        Some(context)
    }

    pub(super) fn start(
        name: Cow<'static, str>,
        context: TraceContext,
        parent: Option<SpanId>,
        tracer: Tracer,
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
        Self { active: Some(Box::new(Active { record, tracer, notes: Notes::default() })), passing: None }
    }

    /// What a task inside this span knows; `None` if it stays as it is.
    fn current(&self) -> Option<Current> {
        match (&self.active, self.passing) {
            (Some(active), _) => Some(Current {
                context: Some(active.record.context),
                tracer: active.tracer.clone(),
                notes: Some(active.notes.clone()),
            }),
            (None, Some(context)) => {
                Some(Current { context: Some(context), tracer: super::tracer(), notes: None })
            }
            (None, None) => None,
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(mut active) = self.active.take() {
            active.record.end = SystemTime::now();
            active.finish();
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.active.as_ref().map(|active| &active.record.name);
        f.debug_struct("Span").field("name", &name).field("context", &self.context()).finish()
    }
}

// === impl Active ===

impl Active {
    fn finish(self) {
        let Self { mut record, tracer, notes } = self;
        record.attributes.append(&mut notes.lock().unwrap_or_else(PoisonError::into_inner));
        tracer.record(record);
    }
}
