//! What tracing costs: off, and on with everything recorded.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use keelson_base_daemon::admin::Health;
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::trace::{self, SpanRecord, SpanSink, TraceContext, Tracer};
use keelson_trace_sink::{Config, Sink};

use crate::bench::Bench;
use crate::cluster::Cluster;
use crate::load::{self, Bound};
use crate::report::{self, Unit};

const CLIENTS: usize = 16;

/// Spans begun and ended for one figure.
const SPANS: u32 = 1_000_000;

/// What one load of creates came to.
struct Round {
    rate: f64,
    /// Microseconds of processor time of the cluster per create.
    cpu: f64,
}

/// A sink that keeps nothing.
struct Nowhere;

impl SpanSink for Nowhere {
    fn record(&self, span: SpanRecord) {
        black_box(span);
    }
}

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    report::section(&format!("tracing: {CLIENTS} clients create pods; limit: the same with tracing off"));
    creates(bench).await?;
    sites(bench).await;
    Ok(())
}

async fn creates(bench: &Bench) -> anyhow::Result<()> {
    let tasks = Tasks::new();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { listen: any, page: any, ..Config::default() };
    let sink = Sink::start(config, &tasks, &Health::new(tasks.drain())).await?;
    let endpoint = format!("http://{}", sink.otlp());
    let flags = ["--runtime", "hollow", "--no-proxy"];
    let traced = [flags.as_slice(), &["--otlp-endpoint", &endpoint]].concat();
    let off = Cluster::start(bench, &bench.path("tracing-off"), &flags).await?;
    let on = Cluster::start(bench, &bench.path("tracing-on"), &traced).await?;
    // Taking turns, so that whatever else the machine does hits both.
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..bench.size(5, 1) {
        without.push(measure(bench, &off, round).await?);
        with.push(measure(bench, &on, round).await?);
    }
    let (with, without) = (middle(with), middle(without));
    report::row("creates, traced", Unit::PerSecond, with.rate, without.rate);
    report::row("processor time of keelson per create", Unit::Microseconds, with.cpu, without.cpu);
    if let Some(one) = sink.store().list(None).first() {
        report::note(&format!("each of them leaves {} spans", one.spans));
    }
    tasks.shutdown();
    Ok(())
}

async fn measure(bench: &Bench, cluster: &Cluster, round: u32) -> anyhow::Result<Round> {
    let bound = Bound { time: bench.size(Duration::from_secs(3), Duration::from_secs(1)), count: 20_000 };
    let clients = cluster.gateway()?.creates(CLIENTS, &format!("tracing-{round}")).await?;
    let before = cluster.cpu()?;
    let outcome = load::run(clients, bound).await?;
    let used = cluster.cpu()?.saturating_sub(before);
    let each = used.as_secs_f64() * 1e6 / outcome.latencies.len().max(1) as f64;
    Ok(Round { rate: outcome.rate(), cpu: each })
}

/// The round in the middle, by processor time.
fn middle(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    let middle = rounds.len() / 2;
    rounds.swap_remove(middle)
}

/// What one place costs where a span may begin.
async fn sites(bench: &Bench) {
    let count = bench.size(SPANS, SPANS / 10);
    let context = TraceContext::root();
    let off = Tracer::off().scope(None, async { spans(count) }).await;
    let passing = Tracer::off().scope(Some(context), async { spans(count) }).await;
    let on = Tracer::new(Nowhere).scope(Some(context), async { spans(count) }).await;
    for (what, nanos) in [
        ("a place for a span, off", off),
        ("off, but the caller sent a trace context", passing),
        ("on: a span, up to the queue", on),
    ] {
        report::note(&format!("{what}: {nanos:.1} ns"));
    }
}

/// Nanoseconds for one span.
fn spans(count: u32) -> f64 {
    let began = Instant::now();
    for _ in 0..count {
        drop(black_box(trace::span("bench")));
    }
    began.elapsed().as_nanos() as f64 / f64::from(count)
}
