//! Creates per second, next to raw commits of the same bytes to the same store.

use std::time::Duration;

use bytes::Bytes;

use crate::bench::Bench;
use crate::cluster::Cluster;
use crate::load::{self, Bound, Client, Outcome};
use crate::report::{self, Unit};
use crate::store::{Backing, StoreKind};
use crate::{pod, process};

const CLIENTS: usize = 16;

/// What one load used, in seconds of one core.
struct Cost {
    /// Of this process: the clients, and the embedded store if commits are raw.
    client: f64,
    /// Of the cluster.
    cluster: f64,
    /// Of etcd.
    store: f64,
}

/// The figures of one round.
struct Round {
    rate: f64,
    /// Microseconds per create.
    client: f64,
    cluster: f64,
    store: f64,
}

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    report::section(&format!(
        "creates: {CLIENTS} clients over HTTPS; limit: {CLIENTS} clients of the bare store"
    ));
    report::note(
        "(the pods' scheduler is \"none\": nothing reacts to them; us are processor time per create)",
    );
    for kind in &bench.stores {
        store(bench, *kind).await?;
    }
    Ok(())
}

async fn store(bench: &Bench, kind: StoreKind) -> anyhow::Result<()> {
    let backing = Backing::start(bench, kind, &format!("creates-{kind:?}")).await?;
    let cluster = Cluster::hollow(bench, &format!("creates-{kind:?}"), &backing.flag()).await?;
    let value = sample(&cluster).await?;
    let bound = Bound { time: bench.size(Duration::from_secs(4), Duration::from_secs(1)), count: 20_000 };
    // Taking turns, so that whatever else the machine does hits both.
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for round in 0..bench.size(3, 1) {
        let commits = (0..CLIENTS).map(|client| backing.commits(&format!("{round}-{client}"), &value));
        raw.push(measure(None, &backing, commits.collect(), bound).await?);
        let creates = cluster.gateway()?.creates(CLIENTS, &format!("creates-{round}")).await?;
        ours.push(measure(Some(&cluster), &backing, creates, bound).await?);
    }
    print(backing.name(), &middle(ours), &middle(raw));
    Ok(())
}

/// Creates one pod, and answers with the bytes that the store got for it.
pub(super) async fn sample(cluster: &Cluster) -> anyhow::Result<Bytes> {
    let json = pod::unscheduled("sample", "sample-00000");
    let size = json.len();
    cluster.gateway()?.connect().await?.post(pod::PODS, json).await?;
    let value = pod::stored(&cluster.client()?, "sample-00000").await?;
    report::note(&format!("a pod is {size} bytes of JSON, and {} in the store", value.len()));
    Ok(value)
}

async fn measure<C: Client>(
    cluster: Option<&Cluster>,
    backing: &Backing,
    clients: Vec<C>,
    bound: Bound,
) -> anyhow::Result<Round> {
    let before = cost(cluster, backing)?;
    let outcome = load::run(clients, bound).await?;
    let after = cost(cluster, backing)?;
    Ok(Round::new(&outcome, &before, &after))
}

fn cost(cluster: Option<&Cluster>, backing: &Backing) -> anyhow::Result<Cost> {
    let of = |pid: Option<u32>| pid.map_or(Ok(Duration::ZERO), process::cpu);
    Ok(Cost {
        client: process::own_cpu()?.as_secs_f64(),
        cluster: of(cluster.map(Cluster::pid))?.as_secs_f64(),
        store: of(backing.pid())?.as_secs_f64(),
    })
}

/// The round in the middle, by rate.
fn middle(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let middle = rounds.len() / 2;
    rounds.swap_remove(middle)
}

fn print(store: &str, ours: &Round, raw: &Round) {
    report::row(&format!("{store}: creates (aim: 0.5)"), Unit::PerSecond, ours.rate, raw.rate);
    let all = |round: &Round| round.client + round.cluster + round.store;
    report::row(&format!("{store}: all processor time"), Unit::Microseconds, all(ours), all(raw));
    report::row(&format!("{store}:   of the clients"), Unit::Microseconds, ours.client, raw.client);
    match store {
        "etcd" => {
            report::alone(&format!("{store}:   of keelson"), Unit::Microseconds, ours.cluster);
            report::row(&format!("{store}:   of etcd"), Unit::Microseconds, ours.store, raw.store);
        }
        _ => report::alone(
            &format!("{store}:   of keelson, its store included"),
            Unit::Microseconds,
            ours.cluster,
        ),
    }
}

// === impl Round ===

impl Round {
    fn new(outcome: &Outcome, before: &Cost, after: &Cost) -> Self {
        let each = |before: f64, after: f64| (after - before) * 1e6 / outcome.latencies.len().max(1) as f64;
        Self {
            rate: outcome.rate(),
            client: each(before.client, after.client),
            cluster: each(before.cluster, after.cluster),
            store: each(before.store, after.store),
        }
    }
}
