//! `keelson trace-sink`: takes spans and shows traces.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use keelson_base_daemon::admin::Health;
use keelson_base_daemon::signals::{self, Signals};
use keelson_base_daemon::tasks::Tasks;
use keelson_trace_sink::store::Limits;
use keelson_trace_sink::{Config, Sink};

/// How long requests in flight may take when it stops.
const GRACE: Duration = Duration::from_secs(5);

/// The flags of `keelson trace-sink`.
#[derive(Clone, Debug, clap::Args)]
pub struct TraceSinkArgs {
    /// Address and port to take spans on: OTLP/gRPC, without TLS. Services are pointed here with --otlp-endpoint.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4317")]
    listen: SocketAddr,
    /// Address and port of the page and of /api/traces: HTTP, without TLS.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4318")]
    page: SocketAddr,
    /// Traces kept, in memory; of more, the oldest is forgotten.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    max_traces: usize,
    /// Spans kept of one trace.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    max_spans: usize,
}

/// Runs the sink until it is asked to stop.
///
/// # Errors
/// If a port cannot be had.
pub async fn trace_sink(args: TraceSinkArgs) -> anyhow::Result<()> {
    let signals = Signals::listen().context("cannot listen for signals")?;
    let tasks = Tasks::new();
    let health = Health::new(tasks.drain());
    let limits = Limits { traces: args.max_traces, spans: args.max_spans };
    let sink = Sink::start(Config { listen: args.listen, page: args.page, limits }, &tasks, &health).await?;
    // Nobody need listen.
    let _ = writeln!(io::stdout(), "keelson trace-sink: listening on {} (page {})", sink.otlp(), sink.page());
    signals::run_until_shutdown(&tasks, signals, GRACE).await.context("the sink failed")
}
