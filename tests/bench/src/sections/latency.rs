//! How long one create of a single client takes, next to one raw commit.

use std::time::Instant;

use keelson_proto::Object;
use keelson_proto::core::Pod;

use crate::bench::Bench;
use crate::cluster::{Cluster, Shape};
use crate::latencies::Latencies;
use crate::load::Client;
use crate::report::{self, Unit};
use crate::store::{Backing, StoreKind};
use crate::{bare_tls, pod};

/// Bytes of a message that goes to and fro: about a pod.
const MESSAGE: usize = 700;

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    report::section("latency: one client, one create at a time; limit: one raw commit");
    for kind in &bench.stores {
        for shape in &bench.shapes {
            store(bench, *kind, *shape).await?;
        }
    }
    hop(bench).await
}

async fn store(bench: &Bench, kind: StoreKind, shape: Shape) -> anyhow::Result<()> {
    let name = format!("latency-{kind:?}{}", shape.suffix());
    let backing = Backing::start(bench, kind, &name).await?;
    let cluster = Cluster::of_shape(bench, shape, &name, &backing.flag()).await?;
    let value = super::creates::sample(&cluster).await?;
    let pods = cluster.client()?.raw(Pod::KIND.service);
    let mut raw = backing.commits("latency", &value);
    let (mut creates, mut calls, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    for mut create in cluster.gateway()?.creates(1, "latency").await? {
        for number in 0..bench.size(1000, 100) {
            let began = Instant::now();
            create.step(number).await?;
            creates.push(began.elapsed());
            let request = pod::request("latency", &format!("call-{number}"))?;
            let began = Instant::now();
            pods.create(request).await?;
            calls.push(began.elapsed());
            let began = Instant::now();
            raw.step(number).await?;
            commits.push(began.elapsed());
        }
    }
    let [creates, calls, commits] = [creates, calls, commits].map(Latencies::new);
    for (way, times) in [("through the gateway", creates), ("to api by gRPC", calls)] {
        for percent in [50, 99] {
            let what = format!("{}{}: {way}, p{percent}", backing.name(), shape.suffix());
            report::times(&what, Unit::Microseconds, times.at(percent), commits.at(percent));
        }
    }
    Ok(())
}

/// What a message to another process and back costs, and what of it is TLS.
async fn hop(bench: &Bench) -> anyhow::Result<()> {
    let rounds = bench.size(2000, 200);
    let tls = Latencies::new(bare_tls::round_trips(bench, MESSAGE, rounds, true).await?);
    let tcp = Latencies::new(bare_tls::round_trips(bench, MESSAGE, rounds, false).await?);
    let what = format!("a round trip of {MESSAGE} bytes: TLS next to bare TCP, p50");
    report::times(&what, Unit::Microseconds, tls.median(), tcp.median());
    Ok(())
}
