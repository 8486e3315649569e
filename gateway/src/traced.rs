//! Which requests begin a trace, and what requests say of themselves in traces.

use axum::extract::Request;
use axum::response::Response;
use keelson_base_daemon::trace::{self, Span, SpanKind, Tracer};

use crate::query::Query;
use crate::route::{Call, Route, Verb, route};

/// What is written all the time, and would drown everything else.
const CHATTER: &[&str] = &["leases", "events"];

/// The span of a request: below its caller's (W3C `traceparent`), whatever it asks for; else the first of a trace if it
/// changes something; else none.
pub(crate) fn span(tracer: &Tracer, request: &Request, query: &Query) -> Span {
    let parent = trace::current().or_else(|| trace::extract(request.headers()));
    match parent {
        None if !tracer.is_on() => return Span::none(),
        // Nobody records; the context is handed on.
        Some(parent) if !tracer.records(parent) => return tracer.child_of("", parent),
        _ => {}
    }
    let call = match route(request.method(), request.uri().path(), query) {
        Ok(Route::Call(call)) => Some(call),
        _ => None,
    };
    let method = request.method().as_str();
    let name = || match &call {
        Some(call) => format!("{method} {}", template(call)),
        None => method.to_owned(),
    };
    let span = match parent {
        Some(parent) => tracer.child_of(name(), parent),
        None if call.as_ref().is_some_and(begins) => tracer.root(name()),
        None => return Span::none(),
    };
    described(span.kind(SpanKind::Server), request, call.as_ref())
}

/// Says how a request ended.
pub(crate) fn answered(span: &mut Span, response: &Response) {
    if span.is_recording() {
        let status = response.status();
        span.attribute("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            span.error(status);
        }
    }
}

fn described(mut span: Span, request: &Request, call: Option<&Call>) -> Span {
    if !span.is_recording() {
        return span;
    }
    span.attribute("http.request.method", request.method().as_str().to_owned());
    // Not the query, which may hold a token.
    span.attribute("url.path", request.uri().path().to_owned());
    if let Some(agent) = request.headers().get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok())
    {
        span.attribute("user_agent.original", agent.to_owned());
    }
    let Some(call) = call else { return span };
    span.attribute("http.route", template(call));
    if !call.namespace.is_empty() {
        span.attribute("k8s.namespace.name", call.namespace.clone());
    }
    let is_pod = matches!(call.kind.kind, "Pod" | "Binding");
    if is_pod && !call.name.is_empty() {
        span.attribute("k8s.pod.name", call.name.clone());
    }
    span
}

/// Whether a request without a trace begins one.
fn begins(call: &Call) -> bool {
    let reads = matches!(call.verb, Verb::List | Verb::Watch | Verb::Get | Verb::Log | Verb::GetScale);
    !reads && !CHATTER.contains(&call.kind.plural)
}

/// The path with words in place of names, so that all requests of one sort have the same.
fn template(call: &Call) -> String {
    let kind = call.kind;
    let mut path = match kind.group {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    if !call.namespace.is_empty() {
        path.push_str("/namespaces/{namespace}");
    }
    // A binding is made below its pod, or by itself.
    let resource = if call.verb == Verb::Bind && !call.name.is_empty() { "pods" } else { kind.plural };
    path.push('/');
    path.push_str(resource);
    if !call.name.is_empty() {
        path.push_str("/{name}");
    }
    path.push_str(match call.verb {
        Verb::UpdateStatus | Verb::PatchStatus => "/status",
        Verb::Finalize => "/finalize",
        Verb::Bind if !call.name.is_empty() => "/binding",
        Verb::Evict => "/eviction",
        Verb::CreateToken => "/token",
        Verb::Log => "/log",
        Verb::Exec => "/exec",
        Verb::Attach => "/attach",
        Verb::PortForward => "/portforward",
        Verb::Proxy => "/proxy",
        Verb::GetScale | Verb::UpdateScale | Verb::PatchScale => "/scale",
        _ => "",
    });
    path
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::body::Body;
    use keelson_base_daemon::trace::{SpanRecord, SpanSink, TraceContext};

    use super::*;

    #[derive(Default)]
    struct Recorded(Mutex<Vec<SpanRecord>>);

    impl SpanSink for Recorded {
        fn record(&self, span: SpanRecord) {
            self.0.lock().unwrap().push(span);
        }
    }

    fn mk_request(line: &str, parent: Option<TraceContext>) -> Request {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        if let Some(parent) = parent {
            trace::inject_context(parent, request.headers_mut());
        }
        request
    }

    /// The name of the span that is recorded for a request.
    fn recorded(line: &str, parent: Option<TraceContext>) -> Option<SpanRecord> {
        let sink = Arc::new(Recorded::default());
        let request = mk_request(line, parent);
        drop(span(&Tracer::new(sink.clone()), &request, &Query::parse(request.uri().query())));
        sink.0.lock().unwrap().pop()
    }

    #[test]
    fn writes_begin_traces_and_are_named_by_their_route() {
        let table = [
            ("POST /api/v1/namespaces/a/pods", Some("POST /api/v1/namespaces/{namespace}/pods")),
            (
                "PUT /api/v1/namespaces/a/pods/b/status",
                Some("PUT /api/v1/namespaces/{namespace}/pods/{name}/status"),
            ),
            (
                "POST /api/v1/namespaces/a/pods/b/binding",
                Some("POST /api/v1/namespaces/{namespace}/pods/{name}/binding"),
            ),
            ("DELETE /api/v1/nodes/a?token=x", Some("DELETE /api/v1/nodes/{name}")),
            ("GET /api/v1/namespaces/a/pods/b", None),
            ("GET /api/v1/pods?watch=true", None),
            ("PUT /apis/coordination.k8s.io/v1/namespaces/a/leases/b", None),
            ("POST /api/v1/namespaces/a/events", None),
            ("GET /version", None),
            ("POST /nonsense", None),
        ];
        for (line, expected) in table {
            let span = recorded(line, None);
            assert_eq!(span.as_ref().map(|span| span.name.as_ref()), expected, "{line}");
            assert!(!format!("{span:?}").contains("token"), "queries may hold secrets");
        }
    }

    #[test]
    fn whatever_brings_a_trace_belongs_to_it() {
        let caller = TraceContext::root();
        for (line, name) in [
            ("GET /api/v1/namespaces/a/pods/b", "GET /api/v1/namespaces/{namespace}/pods/{name}"),
            ("GET /version", "GET"),
            ("POST /nonsense", "POST"),
        ] {
            let span = recorded(line, Some(caller)).unwrap();
            assert_eq!((span.name.as_ref(), span.parent), (name, Some(caller.span_id())));
        }
        assert!(recorded("POST /api/v1/namespaces/a/pods", Some(caller.unsampled())).is_none());
        let request = mk_request("POST /api/v1/namespaces/a/pods", Some(caller));
        let off = span(&Tracer::off(), &request, &Query::default());
        assert_eq!(
            (off.is_recording(), off.context()),
            (false, Some(caller)),
            "handed on though nobody records"
        );
    }
}
