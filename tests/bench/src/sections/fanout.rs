//! Events to many watchers of a cluster in this process: with TLS, and without it, which no cluster of its own offers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Extension;
use futures::future::try_join_all;
use keelson_base_client::RawApi;
use keelson_base_daemon::serve::{Listener, Options, serve};
use keelson_base_daemon::tls::Peer;
use keelson_proto::Object;
use keelson_proto::core::Pod;
use keelson_proto::v1::RawCreateRequest;
use keelson_standalone::{Cluster, ClusterConfig, Progress, StopMode};
use tokio::task::JoinSet;

use super::watch::{Arrivals, WATCHERS, Watcher, arrivals};
use crate::bench::Bench;
use crate::https::{Connection, Https};
use crate::pod;
use crate::report::{self, Unit};

/// Deliveries per second.
const AIM: f64 = 200_000.0;

/// How many create at a time.
const WRITERS: usize = 16;

/// How the watchers reach the gateway.
#[derive(Clone)]
enum Way {
    Plain(SocketAddr),
    Tls(Https),
}

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    let events: usize = bench.size(1000, 100);
    report::section(&format!(
        "fanout: {WATCHERS} watchers x {events} events, JSON, in one process; limit: the aim"
    ));
    let config = ClusterConfig::hollow(bench.path("fanout"));
    let cluster = Cluster::start(config, &Progress::silent()).await?;
    let measured = measure(&cluster, events).await;
    cluster.stop(StopMode::RemoveContainers).await?;
    measured
}

async fn measure(cluster: &Cluster, events: usize) -> anyhow::Result<()> {
    let address = *cluster.gateway().first().context("the gateway listens nowhere")?;
    let ways = [
        ("without TLS", Way::Plain(plain(cluster).await?)),
        ("with TLS", Way::Tls(Https::new(address, cluster.admin().client_config()?))),
    ];
    for (what, way) in ways {
        let group = what.replace(' ', "-").to_lowercase();
        let live = live(cluster, &way, &group, events).await?;
        let replayed = replayed(&way, &group, events).await?;
        let rate = |time: Duration| (events * WATCHERS) as f64 / time.as_secs_f64();
        let creating = format!("as they are created, {what}");
        report::row(&creating, Unit::PerSecond, rate(live), AIM);
        report::row(&format!("from the watch cache, {what}"), Unit::PerSecond, rate(replayed), AIM);
    }
    Ok(())
}

/// The gateway on a port of its own, without TLS: everybody is the administrator.
async fn plain(cluster: &Cluster) -> anyhow::Result<SocketAddr> {
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), "plain").await?;
    let address = listener.local_addr();
    let peer =
        Peer { common_name: "system:admin".to_owned(), organizations: vec!["system:masters".to_owned()] };
    let router = cluster.gateway_router().layer(Extension(peer));
    let tasks = cluster.tasks();
    tasks.spawn("plain gateway", serve(listener, None, router, tasks.drain(), Options::default()));
    Ok(address)
}

/// From the first create until everybody has heard of the last.
async fn live(cluster: &Cluster, way: &Way, group: &str, events: usize) -> anyhow::Result<Duration> {
    let watchers = watchers(way, group, "", events).await?;
    let pods = cluster.client().raw(Pod::KIND.service);
    let mut requests = vec![Vec::new(); WRITERS];
    for (number, writer) in (0..events).zip((0..WRITERS).cycle()) {
        if let Some(requests) = requests.get_mut(writer) {
            requests.push(pod::request(group, &format!("{group}-{number}"))?);
        }
    }
    let began = Instant::now();
    try_join_all(requests.into_iter().map(|requests| create(&pods, requests))).await?;
    arrivals(watchers).await?;
    Ok(began.elapsed())
}

async fn create(pods: &RawApi, requests: Vec<RawCreateRequest>) -> anyhow::Result<()> {
    for request in requests {
        pods.create(request).await?;
    }
    Ok(())
}

/// The same events to watchers that come later.
async fn replayed(way: &Way, group: &str, events: usize) -> anyhow::Result<Duration> {
    let began = Instant::now();
    arrivals(watchers(way, group, "&resourceVersion=0", events).await?).await?;
    Ok(began.elapsed())
}

/// Watches of one group, all connected before the first of them begins.
async fn watchers(
    way: &Way,
    group: &str,
    more: &str,
    events: usize,
) -> anyhow::Result<JoinSet<anyhow::Result<Arrivals>>> {
    let path = format!("{}?watch=true&labelSelector=bench%3D{group}{more}", pod::PODS);
    let connections: Vec<Connection> = try_join_all((0..WATCHERS).map(|_| way.connect())).await?;
    let mut running = JoinSet::new();
    for connection in connections {
        running.spawn(Watcher::open(connection, &path).await?.read(events));
    }
    Ok(running)
}

// === impl Way ===

impl Way {
    async fn connect(&self) -> anyhow::Result<Connection> {
        match self {
            Self::Plain(address) => Connection::plain(*address).await,
            Self::Tls(https) => https.connect().await,
        }
    }
}
