use std::time::Duration;

use keelson_base_daemon::admin::Metrics;
use keelson_base_daemon::flags::TraceFlags;
use keelson_base_daemon::trace::{SpanKind, Tracing};

use super::*;
use crate::client::SinkClient;
use crate::span::Kind;

async fn start(tasks: &Tasks) -> Sink {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { listen: any, page: any, ..Config::default() };
    Sink::start(config, tasks, &Health::new(tasks.drain())).await.unwrap()
}

#[tokio::test]
async fn what_services_record_is_shown() {
    let tasks = Tasks::new();
    let sink = start(&tasks).await;
    let endpoint = Some(format!("http://{}", sink.otlp()));
    let flags = TraceFlags { otlp_endpoint: endpoint, ..TraceFlags::default() };
    let metrics = Metrics::new();
    let tracing = Tracing::start(&flags, &metrics).unwrap();
    let mut root = tracing.tracer("gateway").root("POST /api/v1/pods").kind(SpanKind::Server);
    root.attribute("http.response.status_code", 201_i64);
    let mut child = tracing.tracer_of("kubelet", "node-1").child_of("sync", root.context().unwrap());
    child.attribute("k8s.namespace.name", "default");
    child.attribute("k8s.pod.name", "web");
    child.error("no image");
    drop((child, root));
    tracing.flush().await;

    let client = SinkClient::new(&format!("http://{}", sink.page())).unwrap();
    let pod = PodName { namespace: "default".into(), name: "web".into() };
    let found = client.list(Some(&pod)).await.unwrap();
    assert_eq!(found, client.list(None).await.unwrap());
    let [summary] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((summary.spans, summary.errors, summary.orphans), (2, 1, 0));
    assert_eq!((summary.name.as_str(), summary.service.as_str()), ("POST /api/v1/pods", "keelson-gateway"));
    let trace = client.trace(&summary.id).await.unwrap().unwrap();
    let root = trace.spans.iter().find(|span| span.parent_span_id.is_none()).unwrap();
    let child = trace.spans.iter().find(|span| span.parent_span_id.is_some()).unwrap();
    assert_eq!(child.parent_span_id.as_ref(), Some(&root.span_id));
    assert_eq!((root.kind, child.kind), (Kind::Server, Kind::Internal));
    assert_eq!((child.service.as_str(), child.instance.as_str()), ("keelson-kubelet", "node-1"));
    assert_eq!(
        (child.error.as_deref(), root.attributes["http.response.status_code"].as_str()),
        (Some("no image"), "201")
    );
    assert_eq!(client.trace(&"0".repeat(32)).await.unwrap(), None);
    assert!(metrics.encode().unwrap().contains("keelson_trace_spans_exported_total 2"));

    let store = sink.store().clone();
    let one = page_of_one(State(store.clone()), Path(summary.id.clone())).await;
    assert_eq!(one.status(), StatusCode::OK);
    assert_eq!(page_of_one(State(store.clone()), Path("none".into())).await.status(), StatusCode::NOT_FOUND);
    for (query, status) in
        [(None, 200), (Some("pod=default%2Fweb"), 200), (Some("pod=web"), 400), (Some("x=y"), 200)]
    {
        let page = page_of_all(State(store.clone()), RawQuery(query.map(str::to_owned))).await;
        assert_eq!(page.status().as_u16(), status, "{query:?}");
    }
    tasks.join(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_sink_that_is_not_there_is_said_to_be_so() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = SinkClient::new(&format!("http://{free}")).unwrap().list(None).await.unwrap_err();
    assert!(error.to_string().contains("keelson trace-sink"), "{error}");
    for bad in ["", "127.0.0.1:4318", "https://127.0.0.1:4318", "http://nowhere"] {
        assert!(SinkClient::new(bad).is_err(), "{bad}");
    }
}
