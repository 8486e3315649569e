mod replicas;

use std::sync::Arc;
use std::time::Duration;

use keelson_base_daemon::serve::{self, Listener, Options};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::{ClientAuth, Identity, LiveIdentity, Pki, San, Subject, Usage};
use keelson_base_daemon::trace::{SpanKind, SpanRecord, SpanSink, TraceContext};
use keelson_base_model::status::{ApiError, Reason};
use keelson_proto::core::Pod;
use keelson_proto::meta::{StatusCause, StatusDetails};

use super::*;
use crate::testing::{self, Server, pod};
use crate::{Api, Client};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A scripted server on `listener`, with TLS if it has an identity.
fn listen(listener: Listener, identity: Option<&Identity>, tasks: &Tasks) -> Server {
    let (service, server) = testing::service();
    let service = service.map_request(|request: Request<axum::body::Body>| request.map(Body::new));
    let router = axum::Router::new().fallback_service(service);
    let live = identity.cloned().map(LiveIdentity::from);
    let tls = live.map(|identity| identity.server_tls(ClientAuth::Required, &[b"h2"]).unwrap());
    tasks.spawn("serve", serve::serve(listener, tls, router, tasks.drain(), Options::default()));
    server
}

fn api(endpoints: &Endpoints) -> Api<Pod> {
    Client::new(Channel::connect(endpoints).unwrap()).api()
}

async fn bind(address: &str) -> Listener {
    Listener::bind(address.parse().unwrap(), "listen").await.unwrap()
}

#[tokio::test]
async fn a_call_over_tls_presents_its_identity_and_gets_large_errors_whole() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open_or_create(dir.path(), &[San::Dns("api.test".into())]).unwrap();
    let server_identity = pki.issue("server", Subject::new("api"), Usage::Server, &[], YEAR).unwrap();
    let subject = Subject::in_organization("system:node:n1", "system:nodes");
    let identity = pki.issue("client", subject, Usage::Client, &[], YEAR).unwrap();
    let listener = bind("127.0.0.1:0").await;
    let endpoints = Endpoints {
        addresses: vec![listener.local_addr().to_string()],
        identity: Some(identity.into()),
        server_name: Some("api.test".into()),
    };
    let tasks = Tasks::new();
    let mut server = listen(listener, Some(&server_identity), &tasks);
    let api = api(&endpoints);
    let (got, ()) = tokio::join!(api.get("web"), async {
        let call = server.expect("Get").await;
        let peer = call.peer.clone().unwrap();
        assert_eq!(
            (&*peer.common_name, peer.organizations),
            ("system:node:n1", vec!["system:nodes".to_owned()])
        );
        call.answer(&pod("web", "1", 5));
    });
    assert_eq!(got, Ok(pod("web", "1", 5)));
    let large = ApiError::from_status(keelson_proto::meta::Status {
        details: Some(StatusDetails {
            causes: vec![StatusCause { message: "x".repeat(300), ..Default::default() }; 100],
            ..Default::default()
        }),
        ..ApiError::new(Reason::Invalid, "y".repeat(10_000)).into_status()
    });
    let (got, ()) = tokio::join!(api.get("web"), async { server.expect("Get").await.fail(large.clone()) });
    assert_eq!(got, Err(large));
    let stranger = Endpoints { server_name: Some("other.test".into()), ..endpoints };
    let error = self::api(&stranger).get("web").await.unwrap_err();
    assert_eq!(error.reason(), Reason::ServiceUnavailable, "{error}");
    tasks.join(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_list_may_be_larger_than_tonic_would_have_it() {
    let listener = bind("127.0.0.1:0").await;
    let endpoints = Endpoints { addresses: vec![listener.local_addr().to_string()], ..Default::default() };
    let tasks = Tasks::new();
    let mut server = listen(listener, None, &tasks);
    let mut big = pod("big", "1", 1);
    big.metadata.annotations.insert("a".into(), "x".repeat(3 << 20));
    let pods = vec![big; 3];
    let api = api(&endpoints);
    let params = crate::ListParams::default();
    let (list, ()) = tokio::join!(api.list(&params), async {
        server.expect("List").await.answer(&testing::page(&pods, 9, ""));
    });
    assert_eq!(list.unwrap().items, pods);
    tasks.join(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_and_found_again_when_it_is_back() {
    let listener = bind("127.0.0.1:0").await;
    let address = listener.local_addr().to_string();
    drop(listener);
    let api = api(&Endpoints { addresses: vec![address.clone()], ..Default::default() });
    for _ in 0..2 {
        let error = api.get("web").await.unwrap_err();
        assert_eq!((error.reason(), error.code()), (Reason::ServiceUnavailable, 503), "{error}");
    }
    for revision in 1..=2 {
        let tasks = Tasks::new();
        let mut server = listen(bind(&address).await, None, &tasks);
        let (got, ()) = tokio::join!(api.get("web"), async {
            server.expect("Get").await.answer(&pod("web", "1", revision));
        });
        assert_eq!(got, Ok(pod("web", "1", revision)));
        tasks.join(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_an_endpoint_is_refused_with_its_name() {
    let none = Channel::connect(&Endpoints::default()).unwrap_err();
    assert!(matches!(none, ConnectError::NoAddress));
    for address in ["not a host", "localhost", ":6443", "localhost:none", "user@localhost:1", ""] {
        let bad = Endpoints { addresses: vec![address.into()], ..Default::default() };
        let error = Channel::connect(&bad).unwrap_err().to_string();
        assert_eq!(error, format!("{address:?} is not the host:port of a server"));
    }
    let junk = Identity { cert_pem: "junk".into(), key_pem: "junk".into(), ca_pem: "junk".into() };
    let bad = Endpoints {
        addresses: vec!["localhost:1".into()],
        identity: Some(junk.into()),
        ..Default::default()
    };
    assert!(matches!(Channel::connect(&bad), Err(ConnectError::Tls { .. })));
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open_or_create(dir.path(), &[]).unwrap();
    let identity = Some(pki.issue("client", Subject::new("c"), Usage::Client, &[], YEAR).unwrap());
    for address in ["[::1]:6443", "127.0.0.1:6443", "localhost:6443"] {
        let good = Endpoints {
            addresses: vec![address.into()],
            identity: identity.clone().map(LiveIdentity::from),
            server_name: None,
        };
        assert!(Channel::connect(&good).is_ok(), "{address}");
    }
}

/// Keeps the spans it is given.
#[derive(Default)]
struct Spans(std::sync::Mutex<Vec<SpanRecord>>);

impl SpanSink for Spans {
    fn record(&self, span: SpanRecord) {
        self.0.lock().unwrap().push(span);
    }
}

#[tokio::test]
async fn a_call_in_this_process_leaves_its_span_with_the_one_that_was_called() {
    let spans = Arc::new(Spans::default());
    let (service, mut server) = testing::service();
    let peer = Peer { common_name: "tester".into(), organizations: Vec::new() };
    let channel = Channel::in_process(service, peer, Tracer::new(spans.clone()));
    let api = Client::new(channel).api::<Pod>();
    let caller = TraceContext::root();
    let get = trace::scope(Some(caller), api.get("web"));
    let (got, ()) = tokio::join!(get, async { server.expect("Get").await.answer(&pod("web", "1", 5)) });
    got.unwrap();
    let spans = spans.0.lock().unwrap();
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].context.trace_id(), spans[0].parent), (caller.trace_id(), Some(caller.span_id())));
    assert_eq!(spans[0].kind, SpanKind::Server);
}
