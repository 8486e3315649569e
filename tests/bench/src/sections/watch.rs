//! Events to many watchers.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::task::JoinSet;

use crate::bench::Bench;
use crate::cluster::{Cluster, Shape};
use crate::https::{Connection, Https};
use crate::latencies::Latencies;
use crate::load::{self, Bound, Client};
use crate::report::{self, Unit};
use crate::{bare_tls, pod};

pub(super) const WATCHERS: usize = 100;
const CLIENTS: usize = 16;

/// Between two creates whose delivery is timed.
const PACE: Duration = Duration::from_millis(20);

/// How long all events may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A watch, each on its own connection.
pub(super) struct Watcher {
    /// Kept, for the connection ends with it.
    _connection: Connection,
    body: Incoming,
}

/// What a watcher got.
pub(super) struct Arrivals {
    /// When each event was whole.
    at: Vec<Instant>,
    bytes: usize,
}

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    report::section(&format!(
        "watch: {WATCHERS} watchers over HTTPS, JSON; limit: the same frames over bare TLS"
    ));
    for shape in &bench.shapes {
        if *shape == Shape::Apart {
            report::note("each service in a process of its own:");
        }
        let cluster = Cluster::of_shape(bench, *shape, "watch", "embedded").await?;
        burst(bench, &cluster).await?;
        paced(bench, &cluster).await?;
    }
    Ok(())
}

/// As fast as pods can be created.
async fn burst(bench: &Bench, cluster: &Cluster) -> anyhow::Result<()> {
    let events: usize = bench.size(2000, 200);
    let creates = cluster.gateway()?.creates(CLIENTS, "burst").await?;
    let watchers = watchers(&cluster.gateway()?, "burst", events).await?;
    let (began, before) = (Instant::now(), cluster.cpu()?);
    let made = load::run(creates, Bound { time: PATIENCE, count: events as u64 }).await?;
    let all = arrivals(watchers).await?;
    let took = began.elapsed();
    let spent = cluster.cpu()? - before;

    let delivered = (events * WATCHERS) as f64;
    let bytes: usize = all.iter().map(|one| one.bytes).sum();
    let frame = bytes / (events * WATCHERS);
    let bare = bare_tls::fan_out(bench, WATCHERS, frame, events).await?;
    let rate = |time: Duration| delivered / time.as_secs_f64();
    report::note(&format!(
        "{events} pods created by {CLIENTS} clients at {:.0} per s; {frame} bytes an event:",
        made.rate()
    ));
    report::row("events delivered", Unit::PerSecond, rate(took), rate(bare));
    let megabytes = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    report::row("bytes delivered", Unit::MegabytesPerSecond, megabytes(took), megabytes(bare));
    report::alone(
        "keelson's processor time per event, creates included",
        Unit::Microseconds,
        spent.as_secs_f64() * 1e6 / delivered,
    );
    Ok(())
}

/// One at a time: from sending the create to each watcher's having the event.
async fn paced(bench: &Bench, cluster: &Cluster) -> anyhow::Result<()> {
    let events: usize = bench.size(200, 30);
    let creates = cluster.gateway()?.creates(1, "paced").await?;
    let watchers = watchers(&cluster.gateway()?, "paced", events).await?;
    let mut create = creates.into_iter().next().context("no client")?;
    let (mut sent, mut acknowledged) = (Vec::with_capacity(events), Vec::with_capacity(events));
    for number in 0..events {
        sent.push(Instant::now());
        create.step(number as u64).await?;
        acknowledged.push(Instant::now());
        tokio::time::sleep(PACE).await;
    }
    let all = arrivals(watchers).await?;
    let last = |number: usize| all.iter().filter_map(|one| one.at.get(number)).max().copied();
    let each = all.iter().flat_map(|one| one.at.iter().zip(&sent).map(|(at, sent)| *at - *sent));
    let each = Latencies::new(each.collect());
    let lasts = sent.iter().enumerate().filter_map(|(number, sent)| Some(last(number)? - *sent));
    let lasts = Latencies::new(lasts.collect());
    let alone = Latencies::new(sent.iter().zip(&acknowledged).map(|(sent, at)| *at - *sent).collect());
    report::note("one create every 20 ms; limit: the answer to the create itself");
    for percent in [50, 99] {
        report::times(
            &format!("sent to watched, p{percent}"),
            Unit::Milliseconds,
            each.at(percent),
            alone.at(percent),
        );
    }
    report::times(
        "sent to watched by the last of all, p50",
        Unit::Milliseconds,
        lasts.median(),
        alone.median(),
    );
    Ok(())
}

/// Watches of one group, each told of `events` and then ended.
async fn watchers(
    https: &Https,
    group: &str,
    events: usize,
) -> anyhow::Result<JoinSet<anyhow::Result<Arrivals>>> {
    let path = format!("{}?watch=true&labelSelector=bench%3D{group}", pod::PODS);
    let mut running = JoinSet::new();
    for _ in 0..WATCHERS {
        running.spawn(Watcher::open(https.connect().await?, &path).await?.read(events));
    }
    Ok(running)
}

pub(super) async fn arrivals(
    mut running: JoinSet<anyhow::Result<Arrivals>>,
) -> anyhow::Result<Vec<Arrivals>> {
    let mut all = Vec::with_capacity(WATCHERS);
    let collect = async {
        while let Some(ended) = running.join_next().await {
            all.push(ended??);
        }
        Ok::<(), anyhow::Error>(())
    };
    tokio::time::timeout(PATIENCE, collect).await.context("not all events were delivered in time")??;
    Ok(all)
}

// === impl Watcher ===

impl Watcher {
    /// Begins a watch.
    pub(super) async fn open(mut connection: Connection, path: &str) -> anyhow::Result<Self> {
        let body = connection.open(path, "application/json").await?.into_body();
        Ok(Self { _connection: connection, body })
    }

    /// Reads so many events: each is a line, and they come in the order of the creates.
    pub(super) async fn read(mut self, events: usize) -> anyhow::Result<Arrivals> {
        let mut arrivals = Arrivals { at: Vec::with_capacity(events), bytes: 0 };
        while arrivals.at.len() < events {
            let frame = self.body.frame().await.context("the watch ended early")??;
            let Some(data) = frame.data_ref() else { continue };
            let now = Instant::now();
            let lines = data.iter().filter(|byte| **byte == b'\n').count();
            arrivals.at.extend(std::iter::repeat_n(now, lines));
            arrivals.bytes += data.len();
        }
        ensure!(arrivals.at.len() == events, "{} events for {events} pods", arrivals.at.len());
        Ok(arrivals)
    }
}
