//! From starting the process to ready.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use keelson_api_store::{Embedded, EmbeddedConfig, Store};

use crate::bench::Bench;
use crate::cluster::Cluster;
use crate::latencies::Latencies;
use crate::load::{self, Bound};
use crate::report::{self, Unit};

/// Pods that are there at every start but the first.
const PODS: u64 = 200;

/// How long making them may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A network for services that clusters on this machine rarely use.
const NETWORK: [&str; 2] = ["--service-cluster-ip-range", "10.199.42.0/24"];

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    report::section(
        "start: from making the process to ready; limit: the process alone, and opening the store",
    );
    kind(bench, "hollow, no proxy", "start-hollow", &["--runtime", "hollow", "--no-proxy"]).await?;
    if super::docker().await.is_some() {
        report::note("Docker and kernel rules (an image that Docker has already is not loaded again):");
        kind(bench, "docker and proxy", "start-docker", &NETWORK).await?;
    }
    Ok(())
}

async fn kind(bench: &Bench, what: &str, data: &str, flags: &[&str]) -> anyhow::Result<()> {
    let path = bench.path(data);
    let first = Cluster::start(bench, &path, flags).await?;
    let creates = first.gateway()?.creates(16, "start").await?;
    let made = load::run(creates, Bound { time: PATIENCE, count: PODS }).await?;
    ensure!(made.latencies.len() as u64 == PODS, "only {} pods were made in time", made.latencies.len());
    report::alone(&format!("{what}: first start, it makes an authority"), Unit::Milliseconds, ms(first.wall));
    drop(first);

    let (mut wall, mut said, mut limit) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.size(9, 3) {
        limit.push(process_alone(bench)? + open(bench, data).await?);
        let cluster = Cluster::start(bench, &path, flags).await?;
        wall.push(cluster.wall);
        said.push(cluster.said);
    }
    let [wall, said, limit] = [wall, said, limit].map(Latencies::new);
    report::note(&format!("later starts, with {PODS} pods, aim: 300 ms:"));
    report::times(&format!("{what}: p50"), Unit::Milliseconds, wall.median(), limit.median());
    report::times(&format!("{what}: slowest"), Unit::Milliseconds, wall.at(100), limit.at(100));
    report::alone(&format!("{what}: p50 of what it says itself"), Unit::Milliseconds, ms(said.median()));
    Ok(())
}

/// The process, made and ended, without work.
fn process_alone(bench: &Bench) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let status = Command::new(&bench.keelson).arg("--version").stdout(Stdio::null()).status()?;
    ensure!(status.success(), "`keelson --version` failed");
    Ok(began.elapsed())
}

/// Opening the same store, in this process.
async fn open(bench: &Bench, data: &str) -> anyhow::Result<Duration> {
    let config = EmbeddedConfig::new(bench.path(data).join("store"));
    let began = Instant::now();
    let store = Embedded::open(config)?;
    let took = began.elapsed();
    store.close().await?;
    Ok(took)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
