//! Creates per second, next to raw commits of the same bytes to the same store.

use std::time::Duration;

use bytes::Bytes;

use crate::bench::Bench;
use crate::cluster::{Cluster, Service, Shape};
use crate::load::{self, Bound, Client, Outcome};
use crate::report::{self, Unit};
use crate::store::{Backing, StoreKind};
use crate::{pod, process};

const CLIENTS: usize = 16;

/// What was used so far, in seconds of one core.
struct Cost {
    /// By this process: the clients, and the embedded store if commits are raw.
    client: f64,
    /// By each process of the cluster.
    services: Vec<(&'static str, f64)>,
    /// By etcd.
    store: f64,
}

/// The figures of one round.
struct Round {
    rate: f64,
    /// Microseconds per create.
    client: f64,
    services: Vec<(&'static str, f64)>,
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
        for shape in &bench.shapes {
            store(bench, *kind, *shape).await?;
        }
    }
    Ok(())
}

async fn store(bench: &Bench, kind: StoreKind, shape: Shape) -> anyhow::Result<()> {
    let name = format!("creates-{kind:?}{}", shape.suffix());
    let backing = Backing::start(bench, kind, &name).await?;
    let cluster = Cluster::of_shape(bench, shape, &name, &backing.flag()).await?;
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
    print(kind, &format!("{}{}", backing.name(), shape.suffix()), &middle(ours), &middle(raw));
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
    let services = cluster.map(Cluster::services).unwrap_or_default().iter();
    let of_service = |service: &Service| Ok((service.name, process::cpu(service.pid())?.as_secs_f64()));
    Ok(Cost {
        client: process::own_cpu()?.as_secs_f64(),
        services: services.map(of_service).collect::<anyhow::Result<_>>()?,
        store: backing.pid().map_or(Ok(Duration::ZERO), process::cpu)?.as_secs_f64(),
    })
}

/// The round in the middle, by rate.
fn middle(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let middle = rounds.len() / 2;
    rounds.swap_remove(middle)
}

fn print(kind: StoreKind, store: &str, ours: &Round, raw: &Round) {
    report::row(&format!("{store}: creates (aim: 0.5)"), Unit::PerSecond, ours.rate, raw.rate);
    report::row(&format!("{store}: all processor time"), Unit::Microseconds, ours.all(), raw.all());
    report::row(&format!("{store}:   of the clients"), Unit::Microseconds, ours.client, raw.client);
    for (name, each) in &ours.services {
        report::alone(&format!("{store}:   of {name}"), Unit::Microseconds, *each);
    }
    match kind {
        StoreKind::Etcd => {
            report::row(&format!("{store}:   of etcd"), Unit::Microseconds, ours.store, raw.store);
        }
        StoreKind::Embedded => report::note("(the embedded store's work is in that of keelson, or of api)"),
    }
}

// === impl Round ===

impl Round {
    fn new(outcome: &Outcome, before: &Cost, after: &Cost) -> Self {
        let each = |before: f64, after: f64| (after - before) * 1e6 / outcome.latencies.len().max(1) as f64;
        let services = before.services.iter().zip(&after.services);
        Self {
            rate: outcome.rate(),
            client: each(before.client, after.client),
            services: services.map(|((name, before), (_, after))| (*name, each(*before, *after))).collect(),
            store: each(before.store, after.store),
        }
    }

    /// Of all processes together.
    fn all(&self) -> f64 {
        self.client + self.store + self.services.iter().map(|(_, each)| each).sum::<f64>()
    }
}
