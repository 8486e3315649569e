use std::time::Duration;

use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::*;
use crate::trace::TraceContext;

/// A collector that takes what it is given, or refuses everything, or never answers.
#[derive(Clone, Debug)]
struct Collector {
    taken: Arc<Mutex<Vec<Vec<SpanData>>>>,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Yes,
    No,
    Never,
}

struct Fixture {
    tracer: Tracer,
    collector: Collector,
    counts: Counts,
    flush: mpsc::Sender<oneshot::Sender<()>>,
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        match self.answer {
            Answer::Yes => self.taken.lock().unwrap().push(batch),
            Answer::No => return Err(OTelSdkError::InternalFailure("no".to_owned())),
            Answer::Never => std::future::pending::<()>().await,
        }
        Ok(())
    }
}

impl Fixture {
    fn new(answer: Answer) -> Self {
        let collector = Collector { taken: Arc::default(), answer };
        let counts = Counts { exported: Counter::default(), dropped: Counter::default() };
        let (spans, queue) = mpsc::channel(QUEUE);
        let (flush, flushes) = mpsc::channel(1);
        let exporter = collector.clone();
        tokio::spawn(Batches { exporter, queue, flushes, counts: counts.clone(), failing: false }.run());
        let tracer = Tracer::new(Queue { spans, dropped: counts.dropped.clone() });
        Self { tracer, collector, counts, flush }
    }

    async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        self.flush.send(done).await.unwrap();
        flushed.await.unwrap();
    }

    fn batches(&self) -> Vec<usize> {
        self.collector.taken.lock().unwrap().iter().map(Vec::len).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn spans_wait_for_others_but_not_long() {
    let fixture = Fixture::new(Answer::Yes);
    drop(fixture.tracer.root("a"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(fixture.tracer.root("b"));
    assert!(fixture.batches().is_empty());
    tokio::time::sleep(Duration::from_millis(101)).await;
    assert_eq!(fixture.batches(), [2]);
    // A full batch waits for nobody.
    (0..1000).for_each(|_| drop(fixture.tracer.root("many")));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(fixture.batches(), [2, 512]);
    fixture.flush().await;
    assert_eq!(fixture.batches().iter().sum::<usize>(), 1002);
    assert_eq!((fixture.counts.exported.get(), fixture.counts.dropped.get()), (1002, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_span_says_reaches_the_collector() {
    let fixture = Fixture::new(Answer::Yes);
    let earlier = TraceContext::root();
    let mut parent = fixture.tracer.root("parent").kind(SpanKind::Server);
    parent.link(earlier);
    let mut child = fixture.tracer.child_of("child", parent.context().unwrap());
    child.attribute("k8s.pod.name", "web");
    child.error("no node fits");
    drop((child, parent));
    fixture.flush().await;
    let taken = fixture.collector.taken.lock().unwrap();
    let [child, parent] = taken.concat().try_into().unwrap();
    assert_eq!((child.name.as_ref(), parent.name.as_ref()), ("child", "parent"));
    assert_eq!(child.parent_span_id, parent.span_context.span_id());
    assert_eq!((parent.parent_span_id, child.parent_span_is_remote), (SpanId::INVALID, false));
    assert_eq!(parent.span_kind, SpanKind::Server);
    assert_eq!(parent.links[0].span_context, earlier.to_span_context(true));
    assert_eq!(child.attributes, [KeyValue::new("k8s.pod.name", "web")]);
    assert_eq!((child.status, parent.status), (Status::error("no node fits"), Status::Unset));
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_refuses_or_hangs_costs_spans_and_nothing_else() {
    let refusing = Fixture::new(Answer::No);
    (0..10).for_each(|_| drop(refusing.tracer.root("lost")));
    refusing.flush().await;
    assert_eq!((refusing.counts.exported.get(), refusing.counts.dropped.get()), (0, 10));

    let hanging = Fixture::new(Answer::Never);
    drop(hanging.tracer.root("first"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    // One batch is on its way for ever; recording goes on, and what does not fit is counted.
    (0..QUEUE + 5).for_each(|_| drop(hanging.tracer.root("more")));
    assert_eq!(hanging.counts.dropped.get(), 5);
}

#[tokio::test]
async fn nobody_waits_for_a_collector_that_is_not_there() {
    let metrics = Metrics::new();
    // Nothing listens on the port of a listener that is gone.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flags = TraceFlags { otlp_endpoint: Some(format!("http://{free}")), ..TraceFlags::default() };
    let tracing = Tracing::start(&flags, &metrics).unwrap();
    drop(tracing.tracer("api").root("lost"));
    drop(tracing.tracer_of("kubelet", "a").root("lost"));
    tracing.flush().await;
    let text = metrics.encode().unwrap();
    assert!(text.contains("keelson_trace_spans_dropped_total 2"), "{text}");
}

#[tokio::test]
async fn an_endpoint_that_is_no_address_is_refused_with_an_example() {
    let of = |endpoint: &str| {
        let flags = TraceFlags { otlp_endpoint: Some(endpoint.to_owned()), ..TraceFlags::default() };
        Tracing::start(&flags, &Metrics::new()).map(|tracing| tracing.tracer("api").is_on())
    };
    assert!(of("http://127.0.0.1:4317").unwrap() && of("http://collector:4317/").unwrap());
    assert!(!of("").unwrap());
    for bad in ["127.0.0.1:4317", "https://collector:4317", "http://collector", "http://", "http://a b:1"] {
        let error = of(bad).unwrap_err().to_string();
        assert!(error.contains(bad) && error.contains("http://127.0.0.1:4317"), "{error}");
    }
}
