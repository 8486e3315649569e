use keelson_proto::core::GrpcAction;
use tonic_health::ServingStatus;
use tonic_health::server::health_reporter;

use super::*;

async fn probe(port: u16, service: &str) -> Finding {
    let action = GrpcAction { port: i32::from(port), service: Some(service.to_owned()) };
    let handler = ProbeHandler { grpc: Some(action), ..ProbeHandler::default() };
    check(&mk_probe(handler), &mk_subject()).await
}

#[tokio::test]
async fn the_health_service_says_whether_it_is_well() {
    let (listener, address) = listen().await;
    let (reporter, service) = health_reporter();
    reporter.set_service_status("up", ServingStatus::Serving).await;
    reporter.set_service_status("down", ServingStatus::NotServing).await;
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming);
    let server = tokio::spawn(server);
    assert_eq!(probe(address.port(), "").await, Finding::Success);
    assert_eq!(probe(address.port(), "up").await, Finding::Success);
    let words = "service unhealthy (responded with \"NOT_SERVING\")".to_owned();
    assert_eq!(probe(address.port(), "down").await, Finding::Failure(words));
    assert_eq!(probe(address.port(), "unknown").await.verdict(), Some(false));
    server.abort();
}

#[tokio::test]
async fn nobody_and_something_else_are_failures() {
    let Finding::Failure(words) = probe(closed().await, "").await else { panic!("nobody is there") };
    assert!(words.starts_with("failed to connect service"), "{words}");
    let (listener, address) = listen().await;
    let Finding::Failure(words) = probe(address.port(), "").await else { panic!("nobody answers") };
    assert!(words.contains("within 1s"), "{words}");
    drop(listener);
}
