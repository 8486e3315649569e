//! Whether and where one service records its spans.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::SpanKind;

use super::{CURRENT, Cause, Current, Span, SpanRecord, SpanSink, TraceContext};

/// Where the spans of one service go; off by default. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tracer {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    sink: Box<dyn SpanSink>,
    /// The share of new traces that are recorded, from 0 to 1.
    ratio: f64,
}

// === impl Tracer ===

impl Tracer {
    /// Records nothing; contexts from outside are still handed on.
    pub fn off() -> Self {
        Self::default()
    }

    /// Records everything into `sink`.
    pub fn new(sink: impl SpanSink) -> Self {
        Self::sampling(sink, 1.0)
    }

    /// Records into `sink` what others have chosen to record, and of the traces that begin here the share `ratio`
    /// (from 0 to 1).
    pub fn sampling(sink: impl SpanSink, ratio: f64) -> Self {
        Self { inner: Some(Arc::new(Inner { sink: Box::new(sink), ratio })) }
    }

    /// Whether spans are recorded at all.
    pub fn is_on(&self) -> bool {
        self.inner.is_some()
    }

    /// Whether spans below `parent` are recorded; ask before making up a costly name.
    pub fn records(&self, parent: TraceContext) -> bool {
        self.is_on() && parent.is_sampled()
    }

    /// Runs `future` on behalf of `context`, with this tracer.
    pub fn scope<F: Future>(
        &self,
        context: Option<TraceContext>,
        future: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(Current { context, tracer: self.clone(), notes: None }, future)
    }

    /// The first span of a new trace. Of a trace that is not chosen to be recorded others learn that it is not.
    pub fn root(&self, name: impl Into<Cow<'static, str>>) -> Span {
        match &self.inner {
            Some(inner) if fastrand::f64() < inner.ratio => {
                Span::start(name.into(), TraceContext::root(), None, self.clone())
            }
            Some(_) => Span::passing(TraceContext::root().unsampled()),
            None => Span::none(),
        }
    }

    /// A span of `parent`'s trace; if that is not recorded, one that hands on `parent`.
    pub fn child_of(&self, name: impl Into<Cow<'static, str>>, parent: TraceContext) -> Span {
        if self.records(parent) {
            Span::start(name.into(), parent.child(), Some(parent.span_id()), self.clone())
        } else {
            Span::passing(parent)
        }
    }

    /// The first span of a new trace that links to `earlier`, recorded if that is: for what comes of a write without
    /// being the first reaction to it.
    pub fn follow_up(&self, name: impl Into<Cow<'static, str>>, earlier: TraceContext) -> Span {
        if !self.records(earlier) {
            return Span::none();
        }
        let mut span = Span::start(name.into(), TraceContext::root(), None, self.clone());
        span.link(earlier);
        span
    }

    /// The span of what is done because of `cause`: the first reaction is part of the writer's trace, below a span for
    /// the time that the news was on its way; a late one is a [follow-up](Self::follow_up).
    pub fn reaction(&self, name: impl Into<Cow<'static, str>>, cause: Cause) -> Span {
        let writer = cause.context();
        if cause.is_late() {
            return self.follow_up(name, writer);
        }
        let delivered = cause.delivery().and_then(|(sent, received)| {
            self.child_of("watch delivery", writer).kind(SpanKind::Consumer).since(sent).end_at(received)
        });
        self.child_of(name, delivered.unwrap_or(writer))
    }

    pub(super) fn record(&self, span: SpanRecord) {
        if let Some(inner) = &self.inner {
            inner.sink.record(span);
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("on", &self.is_on()).finish()
    }
}

impl<S: SpanSink + ?Sized> SpanSink for Arc<S> {
    fn record(&self, span: SpanRecord) {
        (**self).record(span);
    }
}
