//! A cluster in which nothing happens: its processor time and its memory.

use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::cluster::{Cluster, Shape};
use crate::process;
use crate::report::{self, Unit};
use crate::store::{Backing, StoreKind};

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
    if bench.shapes.contains(&Shape::Apart) {
        for kind in &bench.stores {
            apart(bench, *kind).await?;
        }
    }
    Ok(())
}

/// `keelson up` with these flags.
async fn measure(bench: &Bench, what: &str, data: &str, flags: &[&str]) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(bench, &bench.path(data), flags).await?;
    cluster.wait_for(SETTLED).await?;
    settle(bench).await;
    let before = cluster.cpu()?;
    let took = idle(bench).await;
    let percent = (cluster.cpu()? - before).div_duration_f64(took) * 100.0;
    report::row(&format!("{what}: processor time"), Unit::PercentOfCore, percent, CPU_AIM);
    let memory = cluster.memory()?;
    report::row(&format!("{what}: resident memory"), Unit::Mebibytes, mebibytes(memory.resident), MEMORY_AIM);
    report::row(
        &format!("{what}: proportional memory"),
        Unit::Mebibytes,
        mebibytes(memory.proportional),
        MEMORY_AIM,
    );
    Ok(())
}

/// Each service in a process of its own, hollow: what each of them costs.
async fn apart(bench: &Bench, kind: StoreKind) -> anyhow::Result<()> {
    let name = format!("idle-{kind:?}");
    let backing = Backing::start(bench, kind, &name).await?;
    let cluster = Cluster::of_shape(bench, Shape::Apart, &name, &backing.flag()).await?;
    report::note(&format!(
        "each service in a process of its own on {}, hollow, no pods; memory: resident, and proportional beside it",
        backing.name()
    ));
    settle(bench).await;
    let before = cpu_of_each(&cluster)?;
    let took = idle(bench).await;
    for (service, (before, after)) in
        cluster.services().iter().zip(before.into_iter().zip(cpu_of_each(&cluster)?))
    {
        let percent = (after - before).div_duration_f64(took) * 100.0;
        report::alone(&format!("{}: processor time", service.name), Unit::PercentOfCore, percent);
        let memory = process::memory(service.pid())?;
        let (resident, proportional) = (mebibytes(memory.resident), mebibytes(memory.proportional));
        report::row(&format!("{}: memory", service.name), Unit::Mebibytes, resident, proportional);
    }
    Ok(())
}

fn cpu_of_each(cluster: &Cluster) -> anyhow::Result<Vec<Duration>> {
    cluster.services().iter().map(|service| process::cpu(service.pid())).collect()
}

/// What a start leaves behind (first leases, statuses, events) is not idleness.
async fn settle(bench: &Bench) {
    tokio::time::sleep(bench.size(Duration::from_secs(10), Duration::from_secs(3))).await;
}

/// Lets time pass; answers with how much.
async fn idle(bench: &Bench) -> Duration {
    let began = Instant::now();
    tokio::time::sleep(bench.size(Duration::from_secs(60), Duration::from_secs(10))).await;
    began.elapsed()
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
