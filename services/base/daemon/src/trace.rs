//! Which trace a piece of work belongs to, and the spans it leaves behind.
//!
//! A [`TraceContext`] names one span of one trace. The context of the running task is task-local: [`current`] reads it,
//! [`scope`] sets it for a future. It crosses processes in the W3C `traceparent` header ([`inject`], [`extract`]) and
//! rests in the store as 25 bytes ([`TraceContext::to_bytes`]).
//!
//! A [`Tracer`] says where finished spans go: to its [`SpanSink`], or nowhere. It is a value, not a global: whoever
//! starts work ([`crate::tasks`], [`crate::serve`]) puts it beside the context, and [`span`] finds both. Without a
//! current context, or without a sink, a span costs one task-local read and allocates nothing; a context that came in
//! from outside is still handed on.
//!
//! A trace begins where a user writes: at the gateway, or at api for those who speak gRPC. It goes on through calls
//! ([`rpc`]) and through what is written: the context of a write rests beside the object, and whoever learns of it has a
//! [`Cause`] to act on. What no user asked for (leases, heartbeats, events, resyncs) begins no trace.

mod cause;
mod context;
mod export;
pub mod rpc;
mod span;
mod tracer;

pub use self::cause::Cause;
pub use self::context::TraceContext;
pub use self::export::{EndpointError, Tracing};
pub use self::span::{Span, SpanRecord, SpanSink};
pub use self::tracer::Tracer;
pub use opentelemetry::trace::SpanKind;
pub use opentelemetry::{KeyValue, Value};

use http::{HeaderMap, HeaderName, HeaderValue};

use self::span::Notes;

/// The W3C header that carries a [`TraceContext`]; gRPC metadata uses the same name.
pub const TRACEPARENT: &str = "traceparent";

/// The W3C header for vendor data. We neither read nor forward it; proxies that strip trace headers need its name.
pub const TRACESTATE: &str = "tracestate";

tokio::task_local! {
    static CURRENT: Current;
}

/// What a task knows about tracing.
#[derive(Clone, Default)]
struct Current {
    context: Option<TraceContext>,
    tracer: Tracer,
    /// Details for the current span, if it is recorded.
    notes: Option<Notes>,
}

/// The context of the running task, if it works on behalf of a trace.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|current| current.context).ok().flatten()
}

/// The tracer of the running task; off if nobody set one.
pub fn tracer() -> Tracer {
    CURRENT.try_with(|current| current.tracer.clone()).unwrap_or_default()
}

/// Runs `future` on behalf of `context` (`None`: of no trace), with the tracer of the running task.
///
/// A task spawned inside does not inherit it; [`crate::tasks::Tasks`] hands on the tracer but no context.
pub fn scope<F: Future>(context: Option<TraceContext>, future: F) -> impl Future<Output = F::Output> {
    tracer().scope(context, future)
}

/// A span called `name` below the current context; inert if there is none, or if it is not recorded.
pub fn span(name: &'static str) -> Span {
    CURRENT
        .try_with(|current| match current.context {
            Some(context) if current.tracer.records(context) => current.tracer.child_of(name, context),
            _ => Span::none(),
        })
        .unwrap_or_default()
}

/// Adds a detail to the current span, if that is recorded, in place of what was said before. Never a secret.
pub fn annotate(key: &'static str, value: &str) {
    let _ = CURRENT.try_with(|current| {
        if let Some(notes) = &current.notes {
            let mut notes = notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            notes.retain(|note| note.key.as_str() != key);
            notes.push(KeyValue::new(key, value.to_owned()));
        }
    });
}

/// The context a caller sent, if it sent a valid one. Several `traceparent` headers count as none (W3C, 3.2).
pub fn extract(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let first = values.next()?;
    if values.next().is_some() {
        return None;
    }
    TraceContext::parse(first.to_str().ok()?)
}

/// Sends the current context along with a request; leaves `headers` alone if there is none.
pub fn inject(headers: &mut HeaderMap) {
    if let Some(context) = current() {
        inject_context(context, headers);
    }
}

/// Sends `context` along with a request, replacing whatever was there.
pub fn inject_context(context: TraceContext, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::try_from(context.to_header()) {
        headers.insert(HeaderName::from_static(TRACEPARENT), value);
    }
}

#[cfg(test)]
mod tests;
