//! Lists of many pods.

use std::time::{Duration, Instant};

use anyhow::ensure;
use http_body_util::BodyExt;
use keelson_base_client::{Client, ListParams};
use keelson_proto::core::Pod;
use keelson_proto::v1::ListRequest;
use keelson_proto::{Message, Object, envelope};

use crate::bench::Bench;
use crate::cluster::{Cluster, Shape};
use crate::https::{Connection, Https};
use crate::latencies::Latencies;
use crate::load::{self, Bound};
use crate::report::{self, Unit};
use crate::{bare_tls, pod, process};

const CLIENTS: usize = 16;
const TIMES: usize = 25;

/// What one core is to manage: MB/s.
const JSON_AIM: f64 = 150.0;
const PROTOBUF_AIM: f64 = 500.0;

/// How many of the pods a selector chooses, and the most of a whole list's time that this may take.
const CHOSEN: u64 = 10;
const CHOSEN_AIM: f64 = 0.2;

/// How long making the pods may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// For answers that nobody reads to fill what they may.
const SETTLE: Duration = Duration::from_secs(1);

/// The same list, again and again.
struct Lists {
    first: Duration,
    times: Latencies,
    bytes: usize,
    /// Processor time of all our processes for each.
    spent: Duration,
}

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    let pods: u64 = bench.size(10_000, 500);
    report::section(&format!(
        "list: {pods} pods; limit: as many bytes over bare TLS, or the aim on one core"
    ));
    for shape in &bench.shapes {
        of_shape(bench, *shape, pods).await?;
    }
    Ok(())
}

async fn of_shape(bench: &Bench, shape: Shape, pods: u64) -> anyhow::Result<()> {
    let cluster = Cluster::of_shape(bench, shape, "list", "embedded").await?;
    let suffix = shape.suffix();
    for (group, count) in [("list", pods - CHOSEN), ("chosen", CHOSEN)] {
        let creates = cluster.gateway()?.creates(CLIENTS, group).await?;
        let made = load::run(creates, Bound { time: PATIENCE, count }).await?;
        ensure!(made.latencies.len() as u64 == count, "only {} pods were made in time", made.latencies.len());
    }

    let mut connection = cluster.gateway()?.connect().await?;
    let json = over_https(&cluster, &mut connection, pod::PODS, "application/json").await?;
    print(bench, &format!("gateway, JSON{suffix}"), &json, JSON_AIM).await?;
    let protobuf = over_https(&cluster, &mut connection, pod::PODS, envelope::CONTENT_TYPE).await?;
    print(bench, &format!("gateway, protobuf{suffix}"), &protobuf, PROTOBUF_AIM).await?;
    let client = cluster.client()?;
    let grpc = over_grpc(&cluster, &client).await?;
    print(bench, &format!("gRPC, protobuf, one message{suffix}"), &grpc, PROTOBUF_AIM).await?;

    let path = format!("{}?labelSelector=bench%3Dchosen", pod::PODS);
    let chosen = over_https(&cluster, &mut connection, &path, "application/json").await?;
    let (ours, whole) = (chosen.times.median(), json.times.median());
    report::times(
        &format!("{CHOSEN} by a selector; limit: {CHOSEN_AIM} of the whole list{suffix}"),
        Unit::Milliseconds,
        ours,
        whole.mul_f64(CHOSEN_AIM),
    );
    let began = Instant::now();
    let list = client.api::<Pod>().namespaced("default").list(&ListParams::default()).await?;
    ensure!(list.items.len() as u64 == pods, "the list has {} pods", list.items.len());
    drop(list);
    let took = began.elapsed().as_secs_f64() * 1e3;
    report::alone(&format!("gRPC, in pages of 500, decoded{suffix}"), Unit::Milliseconds, took);
    for (what, accept) in [("JSON", "application/json"), ("protobuf", envelope::CONTENT_TYPE)] {
        for readers in [1, 16] {
            let held = held(&cluster, &cluster.gateway()?, accept, readers).await?;
            let what = format!("{readers} lists in {what} that nobody reads hold{suffix}");
            report::alone(&what, Unit::Mebibytes, held);
        }
    }
    for service in cluster.services() {
        let resident = process::memory(service.pid())?.resident as f64 / f64::from(1 << 20);
        report::alone(&format!("resident memory afterwards, {}", service.name), Unit::Mebibytes, resident);
    }
    Ok(())
}

async fn over_https(
    cluster: &Cluster,
    connection: &mut Connection,
    path: &str,
    accept: &str,
) -> anyhow::Result<Lists> {
    let mut all = Vec::with_capacity(TIMES);
    let mut bytes = 0;
    let before = cluster.cpu()?;
    for _ in 0..TIMES {
        let began = Instant::now();
        bytes = 0;
        let mut body = connection.open(path, accept).await?.into_body();
        while let Some(frame) = body.frame().await {
            bytes += frame?.data_ref().map_or(0, bytes::Bytes::len);
        }
        all.push(began.elapsed());
    }
    Ok(Lists::new(all, bytes, cluster.cpu()? - before))
}

async fn over_grpc(cluster: &Cluster, client: &Client) -> anyhow::Result<Lists> {
    let raw = client.raw(Pod::KIND.service);
    let request = ListRequest { namespace: "default".into(), ..Default::default() };
    let mut all = Vec::with_capacity(TIMES);
    let mut bytes = 0;
    let before = cluster.cpu()?;
    for _ in 0..TIMES {
        let began = Instant::now();
        let list = raw.list(request.clone()).await?;
        all.push(began.elapsed());
        bytes = list.encoded_len();
    }
    Ok(Lists::new(all, bytes, cluster.cpu()? - before))
}

/// By how much our memory grows, in MiB, while so many lists have begun and nobody reads on.
async fn held(cluster: &Cluster, gateway: &Https, accept: &str, readers: usize) -> anyhow::Result<f64> {
    let before = cluster.memory()?.resident;
    let mut connections = Vec::with_capacity(readers);
    let mut bodies = Vec::with_capacity(readers);
    for _ in 0..readers {
        let mut connection = gateway.connect().await?;
        bodies.push(connection.open(pod::PODS, accept).await?.into_body());
        connections.push(connection);
    }
    tokio::time::sleep(SETTLE).await;
    let held = cluster.memory()?.resident.saturating_sub(before);
    for body in bodies {
        body.collect().await?;
    }
    Ok(held as f64 / f64::from(1 << 20))
}

async fn print(bench: &Bench, what: &str, lists: &Lists, aim: f64) -> anyhow::Result<()> {
    let mut bare = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        bare.push(bare_tls::transfer(bench, lists.bytes).await?);
    }
    let (ours, bare) = (lists.times.median(), Latencies::new(bare).median());
    let megabytes = lists.bytes as f64 / 1e6;
    let first = lists.first.as_secs_f64() * 1e3;
    report::note(&format!("{what}: {megabytes:.2} MB; the first took {first:.1} ms, of the others p50:"));
    report::times(&format!("{what}: time"), Unit::Milliseconds, ours, bare);
    let rate = |time: Duration| megabytes / time.as_secs_f64();
    report::row(&format!("{what}: rate"), Unit::MegabytesPerSecond, rate(ours), rate(bare));
    let core = format!("{what}: on one core of ours (aim)");
    report::row(&core, Unit::MegabytesPerSecond, rate(lists.spent), aim);
    Ok(())
}

// === impl Lists ===

impl Lists {
    /// Of lists that took `spent` of processor time together.
    fn new(mut all: Vec<Duration>, bytes: usize, spent: Duration) -> Self {
        let spent = spent.div_f64(all.len().max(1) as f64);
        let first = all.remove(0);
        Self { first, times: Latencies::new(all), bytes, spent }
    }
}
