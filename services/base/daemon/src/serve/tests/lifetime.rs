//! Binding, limits and drain.

use super::*;

/// A route that says when it was entered and answers when told to.
fn slow_router() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, wait) = (entered.clone(), release.clone());
    let slow = move || async move {
        enter.notify_one();
        wait.notified().await;
        "done"
    };
    (Router::new().route("/slow", get(slow)), entered, release)
}

#[tokio::test]
async fn drain_lets_requests_in_flight_finish() {
    let (router, entered, release) = slow_router();
    let fixture = Fixture::new(Some(ClientAuth::Optional), router, Options::default()).await;
    let stream = fixture.connect(fixture.admin.client_config().unwrap(), b"http/1.1").await.unwrap();
    let idle = fixture.connect(fixture.admin.client_config().unwrap(), b"h2").await.unwrap();
    let request = tokio::spawn(get_over(stream, "/slow"));
    entered.notified().await;

    fixture.drain.begin();
    // The port closes before requests in flight are done.
    while TcpStream::connect(fixture.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!fixture.served.is_finished());
    release.notify_one();
    assert_eq!(request.await.unwrap().unwrap(), (StatusCode::OK, "done".into()));
    fixture.served.await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn requests_that_outlast_the_grace_are_cut() {
    let (router, entered, _release) = slow_router();
    let options = Options { grace: Duration::from_millis(20), ..Options::default() };
    let fixture = Fixture::new(None, router, options).await;
    let stream = TcpStream::connect(fixture.address).await.unwrap();
    let request = tokio::spawn(get_over(stream, "/slow"));
    entered.notified().await;
    fixture.drain.begin();
    fixture.served.await.unwrap();
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn a_dropped_server_cuts_its_connections() {
    let (router, entered, _release) = slow_router();
    let fixture = Fixture::new(None, router, Options::default()).await;
    let request = tokio::spawn(get_over(TcpStream::connect(fixture.address).await.unwrap(), "/slow"));
    entered.notified().await;
    fixture.served.abort();
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn silent_clients_are_hung_up_on() {
    let short = Duration::from_millis(20);
    let options = Options { first_byte_timeout: short, handshake_timeout: short, ..Options::default() };
    for client_auth in [None, Some(ClientAuth::None)] {
        let fixture = Fixture::new(client_auth, whoami_router(), options.clone()).await;
        let mut silent = TcpStream::connect(fixture.address).await.unwrap();
        let ended = silent.read(&mut [0]).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{client_auth:?}: {ended:?}");
    }
    let fixture = Fixture::new(Some(ClientAuth::None), whoami_router(), options).await;
    let anonymous = Identity::anonymous_client_config(&fixture.admin.ca_pem).unwrap();
    let mut mute = fixture.connect(anonymous, b"h2").await.unwrap();
    let mut received = Vec::new();
    let hung_up = tokio::time::timeout(Duration::from_secs(10), mute.read_to_end(&mut received)).await;
    assert!(hung_up.is_ok() && received.is_empty(), "after the handshake too");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let (router, entered, release) = slow_router();
    let options = Options { max_connections: 1, ..Options::default() };
    let fixture = Fixture::new(None, router, options).await;
    let get = || async { get_over(TcpStream::connect(fixture.address).await.unwrap(), "/slow").await };
    let (first, second, ()) = tokio::join!(get(), get(), async {
        entered.notified().await;
        assert!(
            tokio::time::timeout(Duration::from_millis(50), entered.notified()).await.is_err(),
            "the second waits"
        );
        release.notify_one();
        entered.notified().await;
        release.notify_one();
    });
    assert_eq!((first.unwrap().1, second.unwrap().1), ("done".into(), "done".into()));
}

#[tokio::test]
async fn bind_errors_say_what_to_do() {
    let taken = Listener::bind(LOCALHOST, "listen").await.unwrap();
    let address = taken.local_addr();
    assert_ne!(address.port(), 0);
    let error = Listener::bind(address, "port").await.unwrap_err().to_string();
    let port = address.port();
    assert_eq!(
        error,
        format!(
            "port {port} is taken: another process listens on {address}; stop it or choose another port with --port"
        )
    );
    let foreign = "192.0.2.1:0".parse().unwrap();
    let error = Listener::bind(foreign, "listen").await.unwrap_err().to_string();
    assert_eq!(error, "192.0.2.1 is not an address of this machine: choose another with --listen");
}
