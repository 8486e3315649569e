//! Several servers, of which some are away, silent, or about to leave.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use keelson_proto::v1::WatchEventType;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::*;
use crate::WatchParams;

/// Long for what should be quick, and less than the timeout of a connection.
const SOON: Duration = Duration::from_secs(2);

/// A server that answers every Get and Create at once, and counts them.
struct Eager {
    address: SocketAddr,
    tasks: Tasks,
    calls: Arc<AtomicU32>,
}

impl Eager {
    async fn start() -> Self {
        Self::on(bind("127.0.0.1:0").await)
    }

    fn on(listener: Listener) -> Self {
        let (address, tasks) = (listener.local_addr(), Tasks::new());
        let mut server = listen(listener, None, &tasks);
        let calls = Arc::new(AtomicU32::new(0));
        let counted = calls.clone();
        tokio::spawn(async move {
            while let Some(call) = server.next().await {
                counted.fetch_add(1, Ordering::Relaxed);
                call.answer(&pod("web", "1", 1));
            }
        });
        Self { address, tasks, calls }
    }

    fn count(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

fn endpoints<'a>(addresses: impl IntoIterator<Item = &'a SocketAddr>) -> Endpoints {
    Endpoints { addresses: addresses.into_iter().map(ToString::to_string).collect(), ..Default::default() }
}

/// Serves, until it is aborted, as a process does that is killed then.
fn mortal(listener: Listener) -> (Server, JoinHandle<()>) {
    let (service, server) = testing::service();
    let service = service.map_request(|request: Request<axum::body::Body>| request.map(Body::new));
    let router = axum::Router::new().fallback_service(service);
    let drain = Tasks::new().drain();
    (server, tokio::spawn(serve::serve(listener, None, router, drain, Options::default())))
}

#[tokio::test]
async fn calls_are_spread_and_a_server_that_drains_loses_none() {
    let (first, second) = (Eager::start().await, Eager::start().await);
    let api = api(&endpoints([&first.address, &second.address]));
    let load = {
        let api = api.clone();
        move |count: usize| {
            let api = api.clone();
            async move {
                let calls = (0..count).map(|_| async { api.create(&pod("web", "1", 0)).await.map(drop) });
                futures::future::join_all(calls).await.into_iter().collect::<Result<Vec<()>, _>>()
            }
        }
    };
    for _ in 0..20 {
        load(10).await.unwrap();
    }
    assert!(first.count() > 50 && second.count() > 50, "{} {}", first.count(), second.count());
    let running = tokio::spawn({
        let load = load.clone();
        async move {
            for _ in 0..50 {
                load(10).await?;
                sleep(Duration::from_millis(2)).await;
            }
            Ok::<(), ApiError>(())
        }
    });
    sleep(Duration::from_millis(20)).await;
    first.tasks.join(Duration::from_secs(5)).await.unwrap();
    running.await.unwrap().unwrap();
    let last = first.count();
    load(10).await.unwrap();
    assert_eq!(first.count(), last);
    // It comes back, and is found again.
    let back = Eager::on(bind(&first.address.to_string()).await);
    let found = async {
        while back.count() == 0 {
            load(10).await.unwrap();
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), found).await.unwrap();
}

#[tokio::test]
async fn a_server_that_hangs_or_is_away_costs_nobody_its_timeout() {
    // The kernel accepts for it, and nobody ever speaks.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = bind("127.0.0.1:0").await.local_addr();
    let good = Eager::start().await;
    let api = api(&endpoints([&silent.local_addr().unwrap(), &away, &good.address]));
    for _ in 0..20 {
        assert!(timeout(SOON, api.get("web")).await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_read_whose_server_dies_is_asked_of_another_and_a_write_is_not() {
    let later = bind("127.0.0.1:0").await.local_addr();
    let listener = bind("127.0.0.1:0").await;
    let api = api(&endpoints([&listener.local_addr(), &later]));
    let (mut doomed, served) = mortal(listener);
    let (reader, writer) = (api.clone(), api.clone());
    let read = tokio::spawn(async move { reader.get("web").await });
    let held_read = doomed.expect("Get").await;
    let write = tokio::spawn(async move { writer.create(&pod("web", "1", 0)).await });
    let held_write = doomed.expect("Create").await;
    let other = Eager::on(bind(&later.to_string()).await);
    served.abort();
    assert!(timeout(Duration::from_secs(10), read).await.unwrap().unwrap().is_ok());
    let error = write.await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("got no answer")), (503, true), "{error}");
    assert_eq!(other.count(), 1, "the read, and nothing else");
    drop((held_read, held_write));
}

#[tokio::test]
async fn a_watch_goes_on_while_its_server_drains_and_calls_go_elsewhere() {
    let listener = bind("127.0.0.1:0").await;
    let leaving = listener.local_addr();
    let tasks = Tasks::new();
    let mut server = listen(listener, None, &tasks);
    let only = Channel::connect(&endpoints([&leaving])).unwrap();
    let watching: Api<Pod> = Client::new(only).api();
    let params = WatchParams::default();
    let (watch, events) =
        tokio::join!(watching.watch(&params), async { server.expect("Watch").await.stream() });
    let mut watch = watch.unwrap();
    tasks.shutdown();
    sleep(Duration::from_millis(50)).await;
    events.pod(WatchEventType::Added, &pod("web", "1", 7)).await;
    assert_eq!(futures::StreamExt::next(&mut watch).await.unwrap().unwrap().revision, 7);
    let refused = watching.get("web").await.unwrap_err();
    assert!(refused.to_string().contains(&format!("cannot reach {leaving}")), "{refused}");
    drop((watching, events));
    assert!(futures::StreamExt::next(&mut watch).await.is_none(), "it ends as streams do");
}

#[tokio::test]
async fn nobody_waits_beyond_the_deadline() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let channel = Channel::connect(&endpoints([&silent.local_addr().unwrap()])).unwrap();
    let api = Client::new(channel.clone()).with_deadline(Duration::from_millis(100)).api::<Pod>();
    let error = timeout(SOON, api.get("web")).await.unwrap().unwrap_err();
    assert_eq!(error.code(), 504, "{error}");
    // So it is for generated clients, whose deadline is in the request alone.
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert("grpc-timeout", "100m".parse().unwrap());
    let status = timeout(SOON, channel.oneshot(request)).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

/// A wire that can be cut without either end hearing of it.
async fn wire(to: SocketAddr) -> (SocketAddr, Arc<AtomicBool>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, cut) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
    let is_cut = cut.clone();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.unwrap();
            let (near, far) = (near.into_split(), far.into_split());
            for (mut from, mut to) in [(near.0, far.1), (far.0, near.1)] {
                let cut = is_cut.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut buffer).await {
                        if !cut.load(Ordering::Relaxed) && to.write_all(&buffer[..read]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    (address, cut)
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_given_up_within_ten_seconds() {
    let listener = bind("127.0.0.1:0").await;
    let tasks = Tasks::new();
    let (near, cut) = wire(listener.local_addr()).await;
    let mut server = listen(listener, None, &tasks);
    let api = api(&endpoints([&near]));
    let (got, ()) =
        tokio::join!(api.get("web"), async { server.expect("Get").await.answer(&pod("web", "1", 1)) });
    got.unwrap();
    let write = tokio::spawn({
        let api = api.clone();
        async move { api.create(&pod("web", "1", 0)).await }
    });
    let held = server.expect("Create").await;
    cut.store(true, Ordering::Relaxed);
    // From here on nothing moves but time.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let error = write.await.unwrap().unwrap_err();
    assert_eq!(error.code(), 503, "{error}");
    assert!(begun.elapsed() <= Duration::from_secs(11), "{:?}", begun.elapsed());
    drop(held);
}

#[tokio::test]
async fn a_server_that_says_that_it_does_not_serve_is_passed_over() {
    let (tasks, starting) = (Tasks::new(), Tasks::new());
    let health = keelson_base_daemon::admin::Health::new(starting.drain());
    let latch = health.register("store");
    let listener = bind("127.0.0.1:0").await;
    let (service, mut server) = testing::service();
    let service = service.map_request(|request: Request<axum::body::Body>| request.map(Body::new));
    let routes = tonic::service::Routes::new(health.grpc_service());
    let router = routes.into_axum_router().reset_fallback().fallback_service(service);
    let address = listener.local_addr();
    tasks.spawn("serve", serve::serve(listener, None, router, tasks.drain(), Options::default()));
    let good = Eager::start().await;
    let api = api(&endpoints([&address, &good.address]));
    let refused = Arc::new(AtomicU32::new(0));
    let count = refused.clone();
    tokio::spawn(async move {
        while let Some(call) = server.next().await {
            count.fetch_add(1, Ordering::Relaxed);
            call.fail(ApiError::service_unavailable("no store yet"));
        }
    });
    // Both are connected to, and have said what they have to say, after a while.
    while good.count() < 5 {
        let _ = api.get("web").await;
    }
    sleep(Duration::from_millis(100)).await;
    let before = refused.load(Ordering::Relaxed);
    for _ in 0..50 {
        api.get("web").await.unwrap();
    }
    assert_eq!(refused.load(Ordering::Relaxed), before);
    latch.release();
    let heard = async {
        while refused.load(Ordering::Relaxed) == before {
            let _ = api.get("web").await;
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(Duration::from_secs(10), heard).await.is_ok(), "it serves, says so, and is called");
}
