//! The spans of gRPC calls, on both sides, as OpenTelemetry names them.

use http::Request;
use http::header::CONTENT_TYPE;
use opentelemetry::trace::SpanKind;

use super::{Span, TraceContext, Tracer, current, tracer};

/// The span of a call that the running task makes: below its current span, inert if it has none.
pub fn client(service: &str, method: &str) -> Span {
    let Some(parent) = current() else { return Span::none() };
    let tracer = tracer();
    if !tracer.records(parent) {
        return Span::none();
    }
    described(tracer.child_of(format!("{service}/{method}"), parent), service, method).kind(SpanKind::Client)
}

/// The span of a call that arrives with a trace context. What is no gRPC call, or came without a context, has none: who
/// serves it knows better what to call it, and whether it begins a trace.
pub fn server<B>(tracer: &Tracer, context: Option<TraceContext>, request: &Request<B>) -> Span {
    let Some(context) = context.filter(|context| tracer.records(*context)) else { return Span::none() };
    match method(request) {
        Some((service, method)) => {
            let span = tracer.child_of(format!("{service}/{method}"), context);
            described(span, service, method).kind(SpanKind::Server)
        }
        None => Span::none(),
    }
}

/// The span of a call that begins a trace because whoever serves it says so.
pub fn root(tracer: &Tracer, service: &str, method: &str) -> Span {
    if !tracer.is_on() {
        return Span::none();
    }
    described(tracer.root(format!("{service}/{method}")), service, method).kind(SpanKind::Server)
}

/// Service and method of a gRPC call.
fn method<B>(request: &Request<B>) -> Option<(&str, &str)> {
    let is_grpc = |kind: &http::HeaderValue| kind.as_bytes().starts_with(b"application/grpc");
    request.headers().get(CONTENT_TYPE).filter(|kind| is_grpc(kind))?;
    request.uri().path().strip_prefix('/')?.split_once('/')
}

fn described(mut span: Span, service: &str, method: &str) -> Span {
    if span.is_recording() {
        span.attribute("rpc.system", "grpc");
        span.attribute("rpc.service", service.to_owned());
        span.attribute("rpc.method", method.to_owned());
    }
    span
}
