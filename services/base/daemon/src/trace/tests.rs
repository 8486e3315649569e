use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

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
                annotate("told.to", "outer");
                inner.in_scope(|| annotate("told.to", "inner"));
                inner.in_scope(|| assert_eq!(current(), inner.context()));
            }),
        )
        .await;
    let spans = sink.0.lock().unwrap();
    let [inner, outer] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((inner.name.as_ref(), outer.name.as_ref()), ("inner", "outer"));
    assert_eq!(inner.parent, Some(outer.context.span_id()));
    assert_eq!(inner.context.trace_id(), outer.context.trace_id());
    assert_eq!(inner.attributes, [KeyValue::new("pods", 3_i64), KeyValue::new("told.to", "inner")]);
    assert_eq!(outer.attributes, [KeyValue::new("told.to", "outer")]);
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
    tracer
        .scope(Some(unsampled), async {
            assert!(!span("not sampled").is_recording());
            assert!(!rpc::client("keelson.v1.Pods", "Get").is_recording());
        })
        .await;
    for below in [tracer.child_of("not sampled", unsampled), tracer.reaction("not sampled", unsampled.into())]
    {
        assert_eq!((below.is_recording(), below.context()), (false, Some(unsampled)));
    }
    assert_eq!(tracer.reaction("late", Cause::from(unsampled).late()).context(), None);
    assert!(sink.0.lock().unwrap().is_empty());

    let context = TraceContext::root();
    let through = scope(Some(context), span("no sink").instrument(async { current() })).await;
    assert_eq!(through, Some(context), "a foreign context is handed on untouched");
    assert!(!Tracer::off().root("off").is_recording());
}

#[tokio::test]
async fn of_the_traces_that_begin_here_a_share_is_recorded_and_the_others_say_that_they_are_not() {
    let (sink, _) = collecting();
    let never = Tracer::sampling(sink.clone(), 0.0);
    let context = never.root("root").instrument(async { current() }).await.unwrap();
    assert!(!context.is_sampled());
    let some = Tracer::sampling(sink.clone(), 0.25);
    (0..1000).for_each(|_| drop(some.root("root")));
    let recorded = sink.0.lock().unwrap().len();
    assert!((100..450).contains(&recorded), "{recorded}");
    assert!(never.child_of("whose parent was chosen elsewhere", TraceContext::root()).is_recording());
}

#[test]
fn a_first_reaction_continues_the_trace_and_a_late_one_links_to_it() {
    let (sink, tracer) = collecting();
    let writer = TraceContext::root();
    let learnt = SystemTime::now() - Duration::from_millis(5);
    let first = Cause::received(&Cause::encode(writer, learnt)).unwrap();
    drop(tracer.reaction("schedule", first));
    drop(tracer.reaction("schedule", first.late()));
    let listed = Cause::listed(&writer.to_bytes()).unwrap();
    drop(tracer.reaction("schedule", listed));
    drop(tracer.reaction("schedule", writer.into()));
    let spans = sink.0.lock().unwrap();
    let [delivery, child, late, listed, untimed] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((delivery.name.as_ref(), delivery.parent), ("watch delivery", Some(writer.span_id())));
    let took = delivery.end.duration_since(delivery.start).unwrap();
    assert!((5..1000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(first.received_at(), Some(delivery.end));
    assert_eq!(child.parent, Some(delivery.context.span_id()));
    assert_eq!(child.context.trace_id(), writer.trace_id());
    for late in [late, listed] {
        assert_eq!((late.parent, late.links.as_slice()), (None, [writer].as_slice()));
        assert_ne!(late.context.trace_id(), writer.trace_id());
    }
    assert_eq!(untimed.parent, Some(writer.span_id()));
}

#[test]
fn what_frames_and_lists_carry_is_read_or_ignored() {
    let writer = TraceContext::root();
    let ahead = SystemTime::now() + Duration::from_secs(60);
    let skewed = Cause::received(&Cause::encode(writer, ahead)).unwrap();
    assert!(
        skewed.delivery().is_some_and(|(sent, received)| sent <= received),
        "news does not arrive before it is sent"
    );
    assert_eq!(Cause::received(&writer.to_bytes()), Some(writer.into()));
    let unsampled = Cause::received(&Cause::encode(writer.unsampled(), ahead)).unwrap();
    assert_eq!(unsampled, writer.unsampled().into());
    let frame = Cause::encode(writer, ahead);
    for bad in [&[][..], &frame[..24], &frame[..26], &[0; 33], &[frame.as_slice(), &[0]].concat()] {
        assert_eq!(Cause::received(bad), None, "{bad:?}");
    }
    assert!(Cause::listed(&frame).is_some_and(Cause::is_late));
    assert_eq!(Cause::listed(&[]), None);
}

#[tokio::test]
async fn calls_are_named_after_their_methods() {
    let (sink, tracer) = collecting();
    let context = TraceContext::root();
    let request = |kind: &str| {
        http::Request::post("/keelson.v1.Pods/Create").header("content-type", kind).body(()).unwrap()
    };
    drop(rpc::server(&tracer, Some(context), &request("application/grpc+proto")));
    tracer.scope(Some(context), async { drop(rpc::client("keelson.v1.Pods", "Get")) }).await;
    drop(rpc::root(&tracer, "keelson.v1.Pods", "Delete"));
    for none in [
        rpc::server(&tracer, None, &request("application/grpc")),
        rpc::server(&tracer, Some(context), &request("application/json")),
        rpc::server(&tracer, Some(context.unsampled()), &request("application/grpc")),
        rpc::root(&Tracer::off(), "keelson.v1.Pods", "Delete"),
    ] {
        assert!(!none.is_recording());
    }
    let spans = sink.0.lock().unwrap();
    let seen: Vec<_> =
        spans.iter().map(|span| (span.name.as_ref(), span.kind.clone(), span.parent)).collect();
    let parent = Some(context.span_id());
    assert_eq!(
        seen,
        [
            ("keelson.v1.Pods/Create", SpanKind::Server, parent),
            ("keelson.v1.Pods/Get", SpanKind::Client, parent),
            ("keelson.v1.Pods/Delete", SpanKind::Server, None)
        ]
    );
    assert_eq!(
        spans[0].attributes,
        [
            KeyValue::new("rpc.system", "grpc"),
            KeyValue::new("rpc.service", "keelson.v1.Pods"),
            KeyValue::new("rpc.method", "Create")
        ]
    );
}
