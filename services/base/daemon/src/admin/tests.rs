use axum::Router;
use axum::body::{Body, to_bytes};
use futures::StreamExt as _;
use http::{Request, StatusCode};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceExt as _;

use super::*;
use crate::tasks::Drain;

async fn get(router: &Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn readiness_is_all_latches_released() {
    let drain = Drain::new();
    let health = Health::new(drain.clone());
    let router = health.router();
    let (api, scheduler) = (health.register("api"), health.register("scheduler"));
    assert!(!health.is_ready());
    api.release();
    let (status, text) = get(&router, "/readyz").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        text,
        "[+]ping ok\n[+]api ok\n[-]scheduler failed: not ready yet\n[+]shutdown ok\nreadyz check failed\n"
    );
    assert_eq!(get(&router, "/livez").await, (StatusCode::OK, "ok".into()), "it lives all the same");

    scheduler.release();
    health.ready().await;
    assert_eq!(get(&router, "/readyz").await, (StatusCode::OK, "ok".into()));

    drain.begin();
    let (status, text) = get(&router, "/readyz").await;
    assert!(status.is_server_error() && text.contains("[-]shutdown failed: stopping"), "{text}");
    assert_eq!(get(&router, "/healthz").await.0, StatusCode::OK, "stopping is not sick");
}

#[tokio::test]
async fn a_latch_dropped_unreleased_holds_for_ever() {
    let health = Health::new(Drain::new());
    let (lost, kept) = (health.register("api"), health.register("api"));
    drop(lost);
    kept.release();
    assert!(!health.is_ready());
}

#[tokio::test]
async fn probe_table() {
    let health = Health::new(Drain::new());
    health.live_check("etcd", || Err("no leader".into()));
    health.live_check("disk", || Ok(()));
    health.register("api").release();
    let router = router(&health, &Metrics::new());
    let table = [
        ("/livez", 500, "[+]ping ok\n[+]disk ok\n[-]etcd failed: no leader\nlivez check failed\n"),
        ("/livez?exclude=etcd", 200, "ok"),
        (
            "/healthz?verbose&exclude=etcd",
            200,
            "[+]ping ok\n[+]disk ok\n[+]etcd excluded: ok\n[+]api ok\nhealthz check passed\n",
        ),
        (
            "/healthz/",
            500,
            "[+]ping ok\n[+]disk ok\n[-]etcd failed: no leader\n[+]api ok\nhealthz check failed\n",
        ),
        ("/healthz/ping", 200, "ok"),
        ("/readyz/api", 200, "ok"),
        ("/livez/etcd", 500, "internal server error: no leader\n"),
        ("/livez/api", 404, "there is no check \"api\"\n"),
        ("/metrics", 200, ""),
    ];
    for (path, status, text) in table {
        let (found_status, found_text) = get(&router, path).await;
        assert_eq!((found_status.as_u16(), found_text.as_str()), (status, text), "{path}");
    }
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let metrics = Metrics::new();
    metrics.counter("binds", "Pods bound").inc();
    let router = metrics.router();
    // What Prometheus 2.42 and 3.0 ask for, what curl does, and nothing at all.
    for (accept, media, kind) in [
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "# TYPE binds counter",
        ),
        (
            "application/vnd.google.protobuf;encoding=delimited;q=0.5, application/openmetrics-text;q=0.4",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "# TYPE binds counter",
        ),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", "# TYPE binds_total counter"),
        ("", "text/plain; version=0.0.4; charset=utf-8", "# TYPE binds_total counter"),
    ] {
        let request = Request::get("/metrics").header("accept", accept).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], media, "{accept}");
        let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert!(text.lines().any(|line| line == kind), "{accept}: {text}");
        assert_eq!(text.ends_with("# EOF\n"), media.starts_with("application/"), "{accept}: {text}");
    }
}

#[tokio::test]
async fn metrics_are_written_as_openmetrics() {
    let metrics = Metrics::new().with_process();
    metrics.counter("scheduler_binds", "Pods bound").inc_by(3);
    metrics.gauge("api_watchers", "Open watches").set(-2);
    let labels = |verb: &str| vec![("verb", verb.to_owned())];
    metrics.counter_family("api_requests", "Requests").get_or_create(&labels("GET")).inc();
    metrics.gauge_family("api_objects", "Objects").get_or_create(&labels("LIST")).set(7);
    let latency = metrics.histogram_family("api_latency_seconds", "Latency", &[0.1, 1.0]);
    latency.get_or_create(&labels("GET")).observe(0.5);
    metrics.histogram("fsync_seconds", "Syncs", &[1.0]).observe(2.0);
    let tags: Tags<2> = [("code", 404u16.into()), ("method", "GET".into())];
    metrics.counter_family("calls", "Calls").get_or_create(&tags).inc();
    metrics.counter_family("calls", "Calls").get_or_create(&tags).inc();
    metrics.gauge("calls", "Another sort").set(1);
    let depth = metrics.readings("depth", "Depth of each queue");
    depth.set(labels("a"), || 1.0);
    depth.set(labels("a"), || 3.0);
    depth.set(labels("b"), || 0.5);
    metrics.readings("height_meters", "Height").set(Labels::new(), || 8.0);
    metrics.growing_readings("events", "Events").set(labels("c"), || 9.0);
    let text = metrics.encode().unwrap();
    for line in [
        "# HELP scheduler_binds Pods bound.",
        "scheduler_binds_total 3",
        "api_watchers -2",
        "api_requests_total{verb=\"GET\"} 1",
        "api_objects{verb=\"LIST\"} 7",
        "api_latency_seconds_bucket{le=\"1.0\",verb=\"GET\"} 1",
        "fsync_seconds_bucket{le=\"1.0\"} 0",
        "calls_total{code=\"404\",method=\"GET\"} 2",
        "depth{verb=\"a\"} 3.0",
        "depth{verb=\"b\"} 0.5",
        "height_meters 8.0",
        "events_total{verb=\"c\"} 9.0",
        concat!("keelson_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "# TYPE process_cpu_seconds counter",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((now - 3600.0..=now + 2.0).contains(&value("process_start_time_seconds ")), "{text}");
    assert!(value("process_resident_memory_bytes ") > 1e6, "{text}");
    assert!(value("process_open_fds ") >= 3.0 && value("process_max_fds ") >= 3.0, "{text}");
}

#[tokio::test]
async fn grpc_health_follows_the_latches() {
    let drain = Drain::new();
    let health = Health::new(drain.clone());
    let latch = health.register("scheduler");
    let mut client = HealthClient::new(health.grpc_service());
    let request = |service: &str| HealthCheckRequest { service: service.into() };

    let mut states = client.watch(request("scheduler")).await.unwrap().into_inner();
    let mut unknown = client.watch(request("nobody")).await.unwrap().into_inner();
    let status = |answer: tonic_health::pb::HealthCheckResponse| answer.status();
    assert_eq!(states.message().await.unwrap().map(status), Some(ServingStatus::NotServing));
    assert_eq!(unknown.message().await.unwrap().map(status), Some(ServingStatus::ServiceUnknown));
    assert_eq!(client.check(request("")).await.unwrap().into_inner().status(), ServingStatus::NotServing);
    assert_eq!(client.check(request("nobody")).await.unwrap_err().code(), Code::NotFound);

    latch.release();
    assert_eq!(states.message().await.unwrap().map(status), Some(ServingStatus::Serving));
    assert_eq!(client.check(request("")).await.unwrap().into_inner().status(), ServingStatus::Serving);
    health.live_check("etcd", || Err("no leader".into()));
    assert_eq!(client.check(request("")).await.unwrap().into_inner().status(), ServingStatus::NotServing);

    drain.begin();
    assert_eq!(states.message().await.unwrap().map(status), Some(ServingStatus::NotServing));
    assert!(states.next().await.is_none(), "a drained watch ends");
}

#[tokio::test]
async fn a_ready_check_is_no_reason_to_start_anew() {
    let health = Health::new(Drain::new());
    health.ready_check("server", || Err("it is away".into()));
    assert!(!health.is_ready());
    let router = health.router();
    let (status, text) = get(&router, "/readyz").await;
    assert!(status.is_server_error() && text.contains("[-]server failed: it is away"), "{text}");
    for path in ["/livez", "/healthz"] {
        assert_eq!(get(&router, path).await, (StatusCode::OK, "ok".into()), "{path}");
    }
    health.ready_check("server", || Ok(()));
    assert_eq!(get(&router, "/readyz/server").await, (StatusCode::OK, "ok".into()));
}
