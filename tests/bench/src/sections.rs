//! What is measured, a file each.

mod creates;
mod fanout;
mod gets;
mod idle;
mod latency;
mod list;
mod pods;
mod start;
mod tracing;
mod watch;
mod watchers;

use anyhow::Context;
use keelson_kubelet_docker::Docker;

use crate::bench::Bench;
use crate::report;

/// Something to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Section {
    /// Creates per second by 16 clients, next to raw commits; processor time per create.
    Creates,
    /// How long one create of a single client takes, next to one raw commit.
    Latency,
    /// Reads of one pod by 16 clients.
    Gets,
    /// Lists of 10,000 pods.
    List,
    /// Events to 100 watchers.
    Watch,
    /// Events to 100 watchers of a cluster in this process, with and without TLS.
    Fanout,
    /// The memory of 1,000 idle watches.
    Watchers,
    /// From starting the process to ready.
    Start,
    /// From creating a pod to running, next to bare Docker.
    Pods,
    /// Processor time and memory of a cluster in which nothing happens.
    Idle,
    /// What tracing costs, off and on.
    Tracing,
}

// === impl Section ===

impl Section {
    /// Measures and prints it.
    pub(crate) async fn run(self, bench: &Bench) -> anyhow::Result<()> {
        match self {
            Self::Creates => creates::run(bench).await.context("creates"),
            Self::Latency => latency::run(bench).await.context("latency"),
            Self::Gets => gets::run(bench).await.context("gets"),
            Self::List => list::run(bench).await.context("list"),
            Self::Watch => watch::run(bench).await.context("watch"),
            Self::Fanout => fanout::run(bench).await.context("fanout"),
            Self::Watchers => watchers::run(bench).await.context("watchers"),
            Self::Start => start::run(bench).await.context("start"),
            Self::Pods => pods::run(bench).await.context("pods"),
            Self::Idle => idle::run(bench).await.context("idle"),
            Self::Tracing => tracing::run(bench).await.context("tracing"),
        }
    }
}

/// Docker, if it answers; says so if not.
async fn docker() -> Option<Docker> {
    match Docker::connect(None).await {
        Ok(docker) => Some(docker),
        Err(error) => {
            report::note(&format!("without Docker: {error}"));
            None
        }
    }
}
