//! A cluster in which nothing happens: its processor time and its memory.

use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::cluster::Cluster;
use crate::process;
use crate::report::{self, Unit};

/// What may be used, in percent of one core.
const CPU_AIM: f64 = 0.2;

/// What may be resident, in MiB.
const MEMORY_AIM: f64 = 60.0;

/// What ends the first lines: everything is there, and the demo has answered.
const SETTLED: &str = "Ctrl-C stops it";

/// A network for services that clusters on this machine rarely use.
const NETWORK: [&str; 2] = ["--service-cluster-ip-range", "10.199.43.0/24"];

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    report::section("idle: the whole process; limit: the aim");
    measure(bench, "hollow, no pods", "idle-hollow", &["--runtime", "hollow", "--no-proxy"]).await?;
    if super::docker().await.is_some() {
        measure(bench, "docker and proxy, no pods", "idle-docker", &NETWORK).await?;
        let flags: Vec<&str> = NETWORK.into_iter().chain(["--demo"]).collect();
        measure(bench, "docker and proxy, 3 demo pods", "idle-demo", &flags).await?;
    }
    Ok(())
}

async fn measure(bench: &Bench, what: &str, data: &str, flags: &[&str]) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(bench, &bench.path(data), flags).await?;
    cluster.wait_for(SETTLED).await?;
    // What a start leaves behind (first leases, statuses, events) is not idleness.
    tokio::time::sleep(bench.size(Duration::from_secs(10), Duration::from_secs(3))).await;
    let (began, before) = (Instant::now(), process::cpu(cluster.pid())?);
    tokio::time::sleep(bench.size(Duration::from_secs(60), Duration::from_secs(10))).await;
    let spent = process::cpu(cluster.pid())? - before;
    let percent = spent.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    report::row(&format!("{what}: processor time"), Unit::PercentOfCore, percent, CPU_AIM);
    let memory = process::memory(cluster.pid())?;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    report::row(&format!("{what}: resident memory"), Unit::Mebibytes, mebibytes(memory.resident), MEMORY_AIM);
    report::row(
        &format!("{what}: proportional memory"),
        Unit::Mebibytes,
        mebibytes(memory.proportional),
        MEMORY_AIM,
    );
    Ok(())
}
