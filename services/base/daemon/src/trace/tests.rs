use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue};

use super::*;

const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Default)]
struct Collected(Mutex<Vec<SpanRecord>>);

impl SpanSink for Collected {
    fn record(&self, span: SpanRecord) {
        self.0.lock().unwrap().push(span);
    }
}

fn collecting() -> (Arc<Collected>, Tracer) {
    let sink = Arc::new(Collected::default());
    (sink.clone(), Tracer::new(sink))
}

#[test]
fn traceparent_table() {
    let ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
    let table: &[(&str, String, Option<String>)] = &[
        ("valid", VALID.into(), Some(VALID.into())),
        ("not sampled", format!("00-{ids}-00"), Some(format!("00-{ids}-00"))),
        ("unknown flags are dropped", format!("00-{ids}-ff"), Some(VALID.into())),
        ("later version, same length", format!("01-{ids}-01"), Some(VALID.into())),
        ("later version with more fields", format!("cc-{ids}-01-what"), Some(VALID.into())),
        ("later version, no dash before the rest", format!("cc-{ids}-01what"), None),
        ("version ff", format!("ff-{ids}-01"), None),
        ("version 00 with more fields", format!("00-{ids}-01-what"), None),
        ("capitals", VALID.to_uppercase(), None),
        ("a sign is not a digit", VALID.replacen("4b", "+b", 1), None),
        ("zero trace id", format!("00-{:032}-00f067aa0ba902b7-01", 0), None),
        ("zero span id", format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016}-01", 0), None),
        ("short trace id", "00-4bf92f35-00f067aa0ba902b7-01".into(), None),
        ("wrong separator", VALID.replace('-', "_"), None),
        ("cut", VALID[..54].into(), None),
        ("empty", String::new(), None),
        ("not ascii", "é".repeat(28), None),
    ];
    for (name, header, expected) in table {
        assert_eq!(&TraceContext::parse(header).map(TraceContext::to_header), expected, "{name}: {header}");
    }
}

#[test]
fn stored_form_is_25_bytes_and_comes_back() {
    let context = TraceContext::parse(VALID).unwrap();
    let bytes = context.to_bytes();
    assert_eq!(&bytes[..2], &[0x4b, 0xf9]);
    assert_eq!(&bytes[22..], &[0x02, 0xb7, 0x01]);
    assert_eq!(TraceContext::from_bytes(&bytes), Some(context));
    for bad in [&bytes[..24], &[0; 25], &[bytes.as_slice(), &[0]].concat()] {
        assert_eq!(TraceContext::from_bytes(bad), None, "{bad:?}");
    }
}

#[test]
fn a_child_shares_the_trace_but_not_the_span() {
    let root = TraceContext::root();
    let child = root.child();
    assert!(root.is_sampled() && child.is_sampled());
    assert_eq!(child.trace_id(), root.trace_id());
    assert_ne!(child.span_id(), root.span_id());
    assert_ne!(TraceContext::root().trace_id(), root.trace_id());
    let otel = child.to_span_context(true);
    assert!(otel.is_valid() && otel.is_remote() && otel.is_sampled());
}

#[tokio::test]
async fn context_is_task_local_and_travels_in_headers() {
    let context = TraceContext::parse(VALID).unwrap();
    let mut headers = HeaderMap::new();
    inject(&mut headers);
    assert!(headers.is_empty() && current().is_none());
    scope(Some(context), async {
        assert_eq!(current(), Some(context));
        scope(None, async { assert_eq!(current(), None) }).await;
        inject(&mut headers);
    })
    .await;
    assert_eq!(headers[TRACEPARENT], VALID);
    assert_eq!(extract(&headers), Some(context));
    headers.append(TRACEPARENT, HeaderValue::from_static(VALID));
    assert_eq!(extract(&headers), None, "two headers are none");
}

#[tokio::test]
async fn spans_nest_and_are_recorded_when_they_end() {
    let (sink, tracer) = collecting();
    let cause = TraceContext::root();
    let outer = tracer.root("outer").kind(SpanKind::Server);
    let outer_context = outer.context().unwrap();
    tracer
        .scope(
            None,
            outer.instrument(async {
                assert_eq!(current(), Some(outer_context));
                let mut inner = span("inner");
                inner.attribute("pods", 3_i64);
                inner.link(cause);
                inner.error("no node fits");
                inner.in_scope(|| assert_eq!(current(), inner.context()));
            }),
        )
        .await;
    let spans = sink.0.lock().unwrap();
    let [inner, outer] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((inner.name, outer.name), ("inner", "outer"));
    assert_eq!(inner.parent, Some(outer.context.span_id()));
    assert_eq!(inner.context.trace_id(), outer.context.trace_id());
    assert_eq!(inner.attributes, [KeyValue::new("pods", 3_i64)]);
    assert_eq!(inner.links, [cause]);
    assert_eq!(inner.error.as_deref(), Some("no node fits"));
    assert_eq!((outer.parent, &outer.kind), (None, &SpanKind::Server));
    assert!(inner.start <= inner.end);
}

#[tokio::test]
async fn nothing_is_recorded_without_context_sink_or_sampling() {
    let (sink, tracer) = collecting();
    let unsampled = TraceContext::parse(&VALID.replace("-01", "-00")).unwrap();
    tracer.scope(None, async { assert!(!span("no context").is_recording()) }).await;
    tracer.scope(Some(unsampled), async { assert!(!span("not sampled").is_recording()) }).await;
    assert!(sink.0.lock().unwrap().is_empty());

    let context = TraceContext::root();
    let through = scope(Some(context), span("no sink").instrument(async { current() })).await;
    assert_eq!(through, Some(context), "a foreign context is handed on untouched");
    assert!(!Tracer::off().root("off").is_recording());
}
