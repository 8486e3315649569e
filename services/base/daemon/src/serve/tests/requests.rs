//! What a port answers, over every protocol it speaks.

use super::*;

#[tokio::test]
async fn grpc_and_rest_share_a_tls_port() {
    let drain = Drain::new();
    let health = Health::new(drain.clone());
    let router =
        Routes::new(health.grpc_service()).into_axum_router().merge(whoami_router()).merge(health.router());
    let fixture = Fixture::with_drain(drain, Some(ClientAuth::Required), router, Options::default()).await;
    let admin = fixture.admin.client_config().unwrap();

    let mut client = HealthClient::new(channel(fixture.address, admin.clone()));
    let latch = health.register("api");
    let mut states = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(states.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    latch.release();
    assert_eq!(states.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

    assert_eq!(fixture.get(admin, "/readyz").await.unwrap(), (StatusCode::OK, "ok".into()));

    fixture.drain.begin();
    assert_eq!(states.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(states.message().await.unwrap().is_none());
    fixture.served.await.unwrap();
    assert!(client.check(HealthCheckRequest::default()).await.is_err(), "nobody is there any more");
}

#[tokio::test]
async fn a_plain_port_takes_both_http_versions_and_grpc() {
    let health = Health::new(Drain::new());
    let router = Routes::new(health.grpc_service()).into_axum_router().merge(whoami_router());
    let fixture = Fixture::new(None, router, Options::default()).await;
    let port = fixture.address.port();
    let tcp = || async { TcpStream::connect(fixture.address).await.unwrap() };

    let (_, text) = get_over(tcp().await, "/whoami").await.unwrap();
    assert_eq!(text, format!("nobody tls=false local={port} HTTP/1.1"));

    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp().await)).await;
    let (mut sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("http://x:{port}/whoami")).body(axum::body::Body::empty()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!((response.version(), response.status()), (Version::HTTP_2, StatusCode::OK));

    let endpoint = Endpoint::from_shared(format!("http://{}", fixture.address)).unwrap();
    let mut client = HealthClient::new(endpoint.connect().await.unwrap());
    let answer = client.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
}

#[tokio::test]
async fn a_panicking_handler_costs_one_request_only() {
    async fn bad() -> &'static str {
        panic!("a bug");
    }
    let router = whoami_router().route("/bad", get(bad));
    let fixture = Fixture::new(None, router, Options::default()).await;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(TcpStream::connect(fixture.address).await.unwrap())).await.unwrap();
    tokio::spawn(connection);
    for (path, expected) in [("/bad", StatusCode::INTERNAL_SERVER_ERROR), ("/whoami", StatusCode::OK)] {
        let request = Request::get(path).header("host", "x").body(axum::body::Body::empty()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), expected, "{path}");
        drop(axum::body::to_bytes(axum::body::Body::new(response.into_body()), 1024).await.unwrap());
        sender.ready().await.unwrap();
    }
}

#[tokio::test]
async fn header_lists_may_have_256_kib() {
    let fixture = Fixture::new(None, whoami_router(), Options::default()).await;
    let request = |kib: usize| {
        let mut request = Request::get(format!("http://{}/whoami", fixture.address)).header("host", "x");
        for number in 0..kib / 16 {
            request = request.header(format!("x-{number}"), "x".repeat(16 * 1024 - 40));
        }
        request.body(axum::body::Body::empty()).unwrap()
    };
    for (kib, expected) in [(240, StatusCode::OK), (1024, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)] {
        let io = || async { TokioIo::new(TcpStream::connect(fixture.address).await.unwrap()) };
        let (mut http1, connection) = http1::handshake(io().await).await.unwrap();
        tokio::spawn(connection);
        let status = http1.send_request(request(kib)).await.map(|response| response.status());
        assert!(matches!(status, Ok(status) if status == expected), "HTTP/1.1, {kib} KiB: {status:?}");
        let (mut http2, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(io().await).await.unwrap();
        tokio::spawn(connection);
        let status = http2.send_request(request(kib)).await.map(|response| response.status());
        assert!(status.is_err() || status.as_ref().ok() == Some(&expected), "HTTP/2, {kib} KiB: {status:?}");
        assert_eq!(status.is_ok_and(|status| status == StatusCode::OK), kib == 240, "HTTP/2, {kib} KiB");
    }
}

#[tokio::test]
async fn requests_run_in_their_callers_trace_and_grpc_calls_are_spans_of_it() {
    #[derive(Default)]
    struct Collected(Mutex<Vec<SpanRecord>>);
    impl SpanSink for Collected {
        fn record(&self, span: SpanRecord) {
            self.0.lock().unwrap().push(span);
        }
    }
    let current = || async { trace::current().map(TraceContext::to_header).unwrap_or_default() };
    let caller = TraceContext::root();
    let sink = Arc::new(Collected::default());
    let on = Tracer::new(sink.clone());
    for (tracer, header, kind, recorded) in [
        (Tracer::off(), None, "application/grpc", false),
        (Tracer::off(), Some(caller), "application/grpc", false),
        (on.clone(), None, "application/grpc", false),
        (on.clone(), Some(caller), "text/plain", false),
        (on, Some(caller), "application/grpc", true),
    ] {
        let options = Options { tracer, ..Options::default() };
        let fixture = Fixture::new(None, Router::new().route("/a.Noun/Get", get(current)), options).await;
        let mut stream = TcpStream::connect(fixture.address).await.unwrap();
        let parent = header.map_or(String::new(), |context| format!("traceparent: {context}\r\n"));
        let head = "GET /a.Noun/Get?token=x HTTP/1.1\r\nhost: x\r\nconnection: close";
        let request = format!("{head}\r\ncontent-type: {kind}\r\n{parent}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let seen = TraceContext::parse(text.rsplit("\r\n").next().unwrap());
        let last = sink.0.lock().unwrap().pop();
        assert_eq!(last.is_some(), recorded, "{request}");
        let Some(span) = last else {
            assert_eq!(seen, header, "{request}");
            continue;
        };
        assert_eq!((Some(span.context), span.parent), (seen, Some(caller.span_id())));
        assert_eq!((span.name.as_ref(), span.context.trace_id()), ("a.Noun/Get", caller.trace_id()));
        assert!(!format!("{span:?}").contains("token"), "queries may hold secrets");
    }
}
