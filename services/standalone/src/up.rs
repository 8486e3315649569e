//! `keelson up`: a cluster for the person at this terminal.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use keelson_base_daemon::flags::TraceFlags;
use keelson_base_daemon::signals::Signals;

use crate::cluster::{Cluster, ClusterConfig, StopMode};
use crate::node_name::{self, node_name};
use crate::progress::{Progress, tell};
use crate::proxy::ProxyFlags;
use crate::runtime::{RuntimeFlags, RuntimeKind};
use crate::store::StoreFlags;
use crate::{demo, hint, kubeconfig};

/// How long stopping may take before it is given up.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// The flags of `keelson up`.
#[derive(Debug, Clone, clap::Args)]
pub struct UpArgs {
    /// Create a replication controller of three pods and the service `my-service`, and ask it until all have answered.
    #[arg(long)]
    demo: bool,
    /// Stop after the demo has answered, instead of running until Ctrl-C.
    #[arg(long)]
    exit: bool,
    /// On Ctrl-C leave containers and rules as they are; the next `up` adopts them.
    #[arg(long)]
    keep: bool,
    /// Where everything is kept [default: ~/.keelson].
    #[arg(long, env = "KEELSON_DATA_DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    store: StoreFlags,
    /// How many nodes: one kubelet each, all on this machine's Docker engine.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    nodes: u16,
    /// Name of the first node; the others append -2, -3 … [default: this host's name].
    #[arg(long)]
    node_name: Option<String>,
    #[command(flatten)]
    runtime: RuntimeFlags,
    /// Directory with manifests of static pods, or one manifest, for the first node.
    #[arg(long, value_name = "PATH")]
    pod_manifest_path: Option<PathBuf>,
    /// Address that the gateway, the gRPC services and the kubelets listen on. Pods reach the gateway on
    /// Docker's bridge besides.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind_address: IpAddr,
    /// The gateway's port (REST, for kubectl).
    #[arg(long, default_value_t = 6443)]
    gateway_port: u16,
    /// The gRPC services' port.
    #[arg(long, default_value_t = 6450)]
    grpc_port: u16,
    /// The first kubelet's port; each further kubelet has the next one.
    #[arg(long, default_value_t = 10250)]
    kubelet_port: u16,
    #[command(flatten)]
    proxy: ProxyFlags,
    /// Run no service proxy.
    #[arg(long, conflicts_with_all = ["proxy_mode", "demo"])]
    no_proxy: bool,
    #[command(flatten)]
    api: keelson_api::Config,
    #[command(flatten)]
    trace: TraceFlags,
    #[command(flatten)]
    scheduler: keelson_scheduler::Config,
}

/// Runs a cluster until Ctrl-C.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub async fn up(args: UpArgs) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("cannot listen for Ctrl-C")?;
    let progress = Progress::shown();
    let began = Instant::now();
    let config = args.config()?;
    let cluster = tokio::select! {
        started = Cluster::start(config, &progress) => started?,
        _ = signals.next() => anyhow::bail!("stopped before it was ready"),
    };
    tell(format_args!("  ready after {} ms", began.elapsed().as_millis()));
    let outcome = tokio::select! {
        outcome = run(&args, &cluster, &progress) => outcome,
        _ = signals.next() => Ok(()),
    };
    let mode = if args.keep { StopMode::Keep } else { StopMode::RemoveContainers };
    tell(match mode {
        StopMode::Keep => "\n  stopping; containers and rules stay",
        StopMode::RemoveContainers => "\n  stopping: removing containers and rules; objects stay",
    });
    tokio::select! {
        stopped = tokio::time::timeout(STOP_PATIENCE, cluster.stop(mode)) => {
            stopped.context("stopping took too long; the next start puts right what is left")??;
        }
        _ = signals.next() => anyhow::bail!("stopped at once; the next start adopts or removes what is left"),
    }
    outcome
}

/// Where somebody on this machine reaches what listens on an address.
fn reachable(listens: SocketAddr) -> SocketAddr {
    match listens.ip().is_unspecified() {
        true => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listens.port()),
        false => listens,
    }
}

/// The kubeconfig, the demo, what to type next, and then as long as everything works.
async fn run(args: &UpArgs, cluster: &Cluster, progress: &Progress) -> anyhow::Result<()> {
    let path = cluster.data().kubeconfig();
    let server = cluster.gateway().first().map(|address| format!("https://{}", reachable(*address)));
    kubeconfig::write(&path, &server.context("the gateway has no address")?, cluster.admin())
        .with_context(|| format!("cannot write the kubeconfig {}", path.display()))?;
    if args.demo {
        demo::run(cluster, progress).await?;
    }
    if args.exit {
        return Ok(());
    }
    hint::print(cluster, args.demo);
    let failure = cluster.tasks().failed().await;
    Err(failure).context("a service failed")
}

// === impl UpArgs ===

impl UpArgs {
    fn config(&self) -> anyhow::Result<ClusterConfig> {
        anyhow::ensure!(self.demo || !self.exit, "--exit waits for the demo's answers: give --demo too");
        anyhow::ensure!(
            !(self.demo && self.runtime.runtime == RuntimeKind::Hollow),
            "--demo asks real pods, and --runtime hollow runs none: leave one of them out"
        );
        let data_dir = match &self.data_dir {
            Some(dir) => dir.clone(),
            None => {
                std::env::home_dir().context("there is no home directory; give --data-dir")?.join(".keelson")
            }
        };
        let first = node_name(self.node_name.as_deref())?;
        let others = (2..=self.nodes).map(|n| format!("{first}-{n}"));
        let node_names: Vec<String> = std::iter::once(first.clone()).chain(others).collect();
        node_names.iter().try_for_each(|name| node_name::check(name))?;
        Ok(ClusterConfig {
            store: self.store.clone(),
            runtime: self.runtime.clone(),
            pod_manifest_path: self.pod_manifest_path.clone(),
            node_names,
            bind_address: self.bind_address,
            gateway_port: self.gateway_port,
            grpc_port: self.grpc_port,
            kubelet_port: self.kubelet_port,
            proxy: (!self.no_proxy).then_some(self.proxy.proxy_mode),
            api: self.api.clone(),
            trace: self.trace.clone(),
            scheduler: self.scheduler.clone(),
            ..ClusterConfig::hollow(data_dir)
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        up: UpArgs,
    }

    fn config(flags: &[&str]) -> anyhow::Result<ClusterConfig> {
        let common = ["keelson", "--data-dir", "/nowhere"];
        Cli::try_parse_from(common.iter().chain(flags)).unwrap().up.config()
    }

    #[test]
    fn nodes_are_numbered_and_none_may_have_a_name_that_would_do_harm() {
        assert_eq!(config(&["--node-name", "a", "--nodes", "2"]).unwrap().node_names, ["a", "a-2"]);
        // The first one fits, the second does not.
        let long = "x".repeat(62);
        let error = config(&["--node-name", &long, "--nodes", "2"]).unwrap_err().to_string();
        assert!(error.contains("-2") && error.contains("--node-name"), "{error}");
    }

    #[test]
    fn a_kubeconfig_names_an_address_that_answers() {
        for (listens, named) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "127.0.0.1:1"), ("10.0.0.1:2", "10.0.0.1:2")]
        {
            assert_eq!(reachable(listens.parse().unwrap()), named.parse().unwrap());
        }
    }
}
