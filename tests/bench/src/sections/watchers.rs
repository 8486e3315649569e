//! What watches cost to which nothing happens.

use std::time::Duration;

use anyhow::ensure;

use crate::bench::Bench;
use crate::cluster::{Cluster, Shape};
use crate::pod;
use crate::report::{self, Unit};

/// How many watches one connection carries.
const PER_CONNECTION: usize = 100;

/// What each may cost of our memory, in kB.
const AIM: f64 = 30.0;

/// For allocations and tasks to come to rest.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    let watches: usize = bench.size(1000, 200);
    report::section(&format!(
        "watchers: {watches} idle watches, {PER_CONNECTION} on each HTTP/2 connection; limit: the aim"
    ));
    for shape in &bench.shapes {
        of_shape(bench, *shape, watches).await?;
    }
    Ok(())
}

async fn of_shape(bench: &Bench, shape: Shape, watches: usize) -> anyhow::Result<()> {
    let cluster = Cluster::of_shape(bench, shape, "watchers", "embedded").await?;
    let gateway = cluster.gateway()?;
    // What the first watch brings into being is not what each of them costs.
    let first = gateway.multiplexed().await?;
    let _first = first.open(&path(0), "application/json").await?;
    tokio::time::sleep(SETTLE).await;
    let before = cluster.memory()?.resident;
    let mut open = Vec::with_capacity(watches);
    let mut connections = Vec::new();
    for number in 0..watches {
        if number % PER_CONNECTION == 0 {
            connections.push(gateway.multiplexed().await?);
        }
        if let Some(connection) = connections.last() {
            open.push(connection.open(&path(number), "application/json").await?);
        }
    }
    ensure!(open.len() == watches, "only {} watches began", open.len());
    tokio::time::sleep(SETTLE).await;
    let after = cluster.memory()?.resident;
    let each = after.saturating_sub(before) as f64 / watches as f64 / 1e3;
    report::row(&format!("memory of each{}", shape.suffix()), Unit::Kilobytes, each, AIM);
    Ok(())
}

/// A watch of pods that nobody makes.
fn path(number: usize) -> String {
    format!("{}?watch=true&labelSelector=nobody%3D{number}", pod::PODS)
}
