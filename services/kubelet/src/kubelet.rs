//! The kubelet of one node, put together.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::{Client, Delta, Informer, Recorder, WatchScope};
use keelson_base_cloud::LocalDisks;
use keelson_base_daemon::admin::{Health, Histogram, Metrics};
use keelson_base_daemon::serve::{self, BindError, Listener};
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::core::{Pod, Service, ServiceAccount};
use keelson_proto::v1::kubelet_server::KubeletServer;
use tokio::sync::watch;

use crate::config::Config;
use crate::eviction::Evictor;
use crate::feed::Feed;
use crate::housekeeping::Housekeeper;
use crate::http::Answers;
use crate::images::Collector;
use crate::meter::{self, Metered};
use crate::node::{Facts, Machine, OwnNode, Reporter};
use crate::objects::Referenced;
use crate::pods::Pods;
use crate::runtime::{Runtime, RuntimeError};
use crate::server;
use crate::source;
use crate::stats::Sampler;
use crate::volume::Volumes;
use crate::worker::Context;

/// The name under which the kubelet tells events.
const COMPONENT: &str = "kubelet";

/// How long the runtime may take to introduce itself.
const RUNTIME_DEADLINE: Duration = Duration::from_secs(10);

/// The runtime whose pods take nothing of the machine, so that none of them need go when it runs short.
const HOLLOW: &str = "hollow";

/// The largest message the kubelet sends: a list of its pods.
const MAX_MESSAGE: usize = 64 << 20;

/// The kubelet of one node. Its work goes on in the tasks it was built with.
#[derive(Clone)]
pub struct Kubelet {
    answers: Answers,
}

/// A kubelet cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The container runtime does not answer.
    #[error("the kubelet of node {node:?} cannot start: {source}")]
    Runtime {
        /// The node.
        node: String,
        /// What the runtime said.
        source: RuntimeError,
    },
    /// The directory of the pods' volumes must be the same for the runtime.
    #[error("the kubelet's root directory {0:?} must be an absolute path")]
    RootDir(std::path::PathBuf),
    /// The read-only port cannot be had.
    #[error(transparent)]
    Port(#[from] BindError),
}

// === impl Kubelet ===

impl Kubelet {
    /// Starts a kubelet in `tasks`: it registers its node and runs the pods that api binds to it. Registers three
    /// latches with `health`. Fails if the runtime does not answer.
    ///
    /// When the tasks drain, containers run on; [`crate::remove_all`] puts them away.
    pub async fn build(
        config: Config,
        runtime: Arc<dyn Runtime>,
        client: Client,
        tasks: &Tasks,
        health: &Health,
        metrics: &Metrics,
    ) -> Result<Self, BuildError> {
        if !config.root_dir.is_absolute() {
            return Err(BuildError::RootDir(config.root_dir));
        }
        let (runtime, client) = (metered(runtime, metrics), client.with_metrics(metrics));
        let info = introduce(&*runtime).await;
        let info = info.map_err(|source| BuildError::Runtime { node: config.node_name.clone(), source })?;
        let facts = Arc::new(Facts::new(&config, Machine::read(&config.root_dir), info));
        let recorder = Recorder::spawn(tasks, &client, COMPONENT, &config.node_name);
        let (fault, fault_rx) = watch::channel(None);
        let reporter = Reporter::new(facts.clone(), &config, &client, recorder.clone(), fault_rx, tasks);
        let (pressure, about_node) = (reporter.pressure(), reporter.about_node());
        let (runtime_used, starts) = (runtime.clone(), meter::pod_starts(metrics));
        let work = Work { runtime: runtime_used, recorder: recorder.clone(), starts, node: reporter.node() };
        let pods = Pods::new(Arc::new(context(&config, &facts, work, &client, tasks)));
        meter::tell_pods(metrics, &config.node_name, &pods);
        let latch = |part: &str| health.register(&format!("{COMPONENT}/{}/{part}", config.node_name));
        let (registered, listed) = (latch("registered"), latch("runtime"));
        let feed = Feed::new(runtime.clone(), pods.clone(), fault, listed);
        pods.await_static(config.static_pods.names());
        config.static_pods.clone().follow(tasks, &config.node_name, &config.clock, &pods);
        source::follow(tasks, &client, &config.node_name, pods.clone());
        until_drained(tasks, "node", reporter.run(registered));
        until_drained(tasks, "runtime", feed.run());
        let collector = Collector {
            pods: pods.clone(),
            runtime: runtime.clone(),
            thresholds: config.image_gc,
            disk: config.root_dir.clone(),
            clock: config.clock.clone(),
        };
        until_drained(tasks, "images", collector.run());
        let sampler =
            Arc::new(Sampler::new(pods.clone(), runtime.clone(), facts.clone(), config.root_dir.clone()));
        let keeper = Housekeeper { pods: pods.clone(), runtime: runtime.clone() };
        until_drained(tasks, "housekeeping", keeper.run());
        if facts.runtime.name != HOLLOW {
            let (pods, sampler) = (pods.clone(), sampler.clone());
            let evictor = Evictor { pods, sampler, recorder, node: about_node, pressure };
            until_drained(tasks, "eviction", evictor.run());
        }
        let clock = config.clock.clone();
        let service = server::Service::new(pods.clone(), runtime, facts, sampler.clone(), clock, tasks);
        let kubelet = Self { answers: Answers { service, pods, sampler } };
        kubelet.serve_read_only(config.read_only_port, health, tasks).await?;
        Ok(kubelet)
    }

    /// The gRPC service `keelson.v1.Kubelet`, for api's calls.
    pub fn service(&self) -> KubeletServer<server::Service> {
        KubeletServer::new(self.answers.service.clone()).max_encoding_message_size(MAX_MESSAGE)
    }

    /// The same as routes of a server of its own, and what is answered over HTTP.
    pub fn routes(&self) -> tonic::service::Routes {
        let grpc = tonic::service::Routes::new(self.service()).into_axum_router();
        grpc.merge(self.answers.clone().guarded()).into()
    }

    /// Answers everybody who reaches the read-only port, if there is one: in plain HTTP.
    async fn serve_read_only(&self, port: u16, health: &Health, tasks: &Tasks) -> Result<(), BuildError> {
        if port == 0 {
            return Ok(());
        }
        let listener = Listener::bind((Ipv4Addr::UNSPECIFIED, port).into(), "read-only-port").await?;
        let router = self.answers.clone().open().merge(health.router());
        let options = serve::Options { tracer: tasks.tracer().clone(), ..serve::Options::default() };
        tasks.spawn_critical("read-only port", serve::serve(listener, None, router, tasks.drain(), options));
        Ok(())
    }

    /// The pods of the node as the kubelet sees them now.
    pub fn pods(&self) -> Vec<Pod> {
        self.answers.service.list()
    }
}

impl std::fmt::Debug for Kubelet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubelet").finish_non_exhaustive()
    }
}

async fn introduce(runtime: &dyn Runtime) -> Result<crate::runtime::RuntimeInfo, RuntimeError> {
    let late = || RuntimeError::Unreachable {
        operation: "ask its version",
        message: format!("no answer within {RUNTIME_DEADLINE:?}"),
    };
    tokio::time::timeout(RUNTIME_DEADLINE, runtime.info()).await.unwrap_or_else(|_| Err(late()))
}

fn metered(runtime: Arc<dyn Runtime>, metrics: &Metrics) -> Arc<dyn Runtime> {
    Arc::new(Metered::new(runtime, metrics))
}

/// What workers work with.
struct Work {
    runtime: Arc<dyn Runtime>,
    recorder: Recorder,
    starts: Histogram,
    node: OwnNode,
}

fn context(config: &Config, facts: &Facts, work: Work, client: &Client, tasks: &Tasks) -> Context {
    let ignore = |_: Delta<Service>| {};
    let issuer = Box::new(client.api::<ServiceAccount>());
    let disks = config.disk_dir.clone().unwrap_or_else(|| config.root_dir.join("disks"));
    let volumes = Volumes::new(config.root_dir.clone())
        .with_tokens(issuer, config.clock.clone())
        .with_disks(Arc::new(LocalDisks::new(disks)), config.node_name.clone())
        .bare(config.bare_volumes);
    Context {
        runtime: work.runtime,
        runtime_name: facts.runtime.name.clone(),
        pods: client.api(),
        services: Informer::spawn(tasks, client.api::<Service>(), WatchScope::default(), ignore),
        recorder: work.recorder,
        starts: work.starts,
        volumes,
        referenced: Referenced::new(client, tasks),
        node: work.node,
        host_ips: facts.addresses.clone(),
        dns: config.dns.clone(),
        infra_image: config.infra_image.clone(),
        pids: config.pids,
        tasks: tasks.child("pods"),
        clock: config.clock.clone(),
    }
}

/// Runs an endless task until the tasks drain.
pub(crate) fn until_drained(
    tasks: &Tasks,
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let draining = tasks.draining();
    tasks.spawn_critical(name, async move {
        tokio::select! {
            () = work => {}
            () = draining => {}
        }
    });
}

#[cfg(test)]
mod tests;
