//! Lists of many pods.

use std::time::{Duration, Instant};

use anyhow::ensure;
use keelson_base_client::{Client, ListParams};
use keelson_proto::core::Pod;
use keelson_proto::v1::ListRequest;
use keelson_proto::{Message, Object, envelope};

use crate::bench::Bench;
use crate::cluster::{Cluster, Shape};
use crate::https::Connection;
use crate::latencies::Latencies;
use crate::load::{self, Bound};
use crate::report::{self, Unit};
use crate::{bare_tls, process};

const CLIENTS: usize = 16;
const TIMES: usize = 15;

/// How long making the pods may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The same list, again and again.
struct Lists {
    first: Duration,
    times: Latencies,
    bytes: usize,
}

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    let pods: u64 = bench.size(5000, 500);
    report::section(&format!("list: {pods} pods; limit: as many bytes over bare TLS"));
    for shape in &bench.shapes {
        of_shape(bench, *shape, pods).await?;
    }
    Ok(())
}

async fn of_shape(bench: &Bench, shape: Shape, pods: u64) -> anyhow::Result<()> {
    let cluster = Cluster::of_shape(bench, shape, "list", "embedded").await?;
    let suffix = shape.suffix();
    let creates = cluster.gateway()?.creates(CLIENTS, "list").await?;
    let made = load::run(creates, Bound { time: PATIENCE, count: pods }).await?;
    ensure!(made.latencies.len() as u64 == pods, "only {} pods were made in time", made.latencies.len());

    let mut connection = cluster.gateway()?.connect().await?;
    for (what, accept) in
        [("gateway, JSON", "application/json"), ("gateway, protobuf", envelope::CONTENT_TYPE)]
    {
        print(bench, &format!("{what}{suffix}"), &over_https(&mut connection, accept).await?).await?;
    }
    let client = cluster.client()?;
    print(bench, &format!("gRPC, protobuf, one message{suffix}"), &over_grpc(&client).await?).await?;
    let began = Instant::now();
    let list = client.api::<Pod>().namespaced("default").list(&ListParams::default()).await?;
    ensure!(list.items.len() as u64 == pods, "the list has {} pods", list.items.len());
    let took = began.elapsed().as_secs_f64() * 1e3;
    report::alone(&format!("gRPC, in pages of 500, decoded{suffix}"), Unit::Milliseconds, took);
    for service in cluster.services() {
        let resident = process::memory(service.pid())?.resident as f64 / f64::from(1 << 20);
        report::alone(&format!("resident memory afterwards, {}", service.name), Unit::Mebibytes, resident);
    }
    Ok(())
}

async fn over_https(connection: &mut Connection, accept: &str) -> anyhow::Result<Lists> {
    let mut all = Vec::with_capacity(TIMES);
    let mut bytes = 0;
    for _ in 0..TIMES {
        let began = Instant::now();
        bytes = connection.get(crate::pod::PODS, accept).await?.len();
        all.push(began.elapsed());
    }
    Ok(Lists::new(all, bytes))
}

async fn over_grpc(client: &Client) -> anyhow::Result<Lists> {
    let raw = client.raw(Pod::KIND.service);
    let request = ListRequest { namespace: "default".into(), ..Default::default() };
    let mut all = Vec::with_capacity(TIMES);
    let mut bytes = 0;
    for _ in 0..TIMES {
        let began = Instant::now();
        let list = raw.list(request.clone()).await?;
        all.push(began.elapsed());
        bytes = list.encoded_len();
    }
    Ok(Lists::new(all, bytes))
}

async fn print(bench: &Bench, what: &str, lists: &Lists) -> anyhow::Result<()> {
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
    Ok(())
}

// === impl Lists ===

impl Lists {
    fn new(mut all: Vec<Duration>, bytes: usize) -> Self {
        let first = all.remove(0);
        Self { first, times: Latencies::new(all), bytes }
    }
}
