//! How long one create of a single client takes, next to one raw commit.

use std::time::Instant;

use crate::bench::Bench;
use crate::cluster::Cluster;
use crate::latencies::Latencies;
use crate::load::Client;
use crate::report::{self, Unit};
use crate::store::{Backing, StoreKind};

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    report::section("latency: one client, one create at a time; limit: one raw commit");
    for kind in &bench.stores {
        store(bench, *kind).await?;
    }
    Ok(())
}

async fn store(bench: &Bench, kind: StoreKind) -> anyhow::Result<()> {
    let backing = Backing::start(bench, kind, &format!("latency-{kind:?}")).await?;
    let cluster = Cluster::hollow(bench, &format!("latency-{kind:?}"), &backing.flag()).await?;
    let value = super::creates::sample(&cluster).await?;
    let mut raw = backing.commits("latency", &value);
    let (mut creates, mut commits) = (Vec::new(), Vec::new());
    for mut create in cluster.gateway()?.creates(1, "latency").await? {
        for number in 0..bench.size(1000, 100) {
            let began = Instant::now();
            create.step(number).await?;
            creates.push(began.elapsed());
            let began = Instant::now();
            raw.step(number).await?;
            commits.push(began.elapsed());
        }
    }
    let (creates, commits) = (Latencies::new(creates), Latencies::new(commits));
    for percent in [50, 99] {
        let what = format!("{}: p{percent}", backing.name());
        report::times(&what, Unit::Microseconds, creates.at(percent), commits.at(percent));
    }
    Ok(())
}
