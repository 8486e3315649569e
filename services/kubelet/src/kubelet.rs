//! The kubelet of one node, put together.

use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::{Client, Delta, Informer, Recorder, WatchScope};
use keelson_base_daemon::admin::{Health, Histogram, Metrics};
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::core::{Pod, Service};
use keelson_proto::v1::kubelet_server::KubeletServer;
use tokio::sync::watch;

use crate::config::Config;
use crate::feed::Feed;
use crate::meter::{self, Metered};
use crate::node::{Facts, Machine, Reporter};
use crate::pods::Pods;
use crate::runtime::{Runtime, RuntimeError};
use crate::server;
use crate::source;
use crate::volume::Volumes;
use crate::worker::Context;

/// The name under which the kubelet tells events.
const COMPONENT: &str = "kubelet";

/// How long the runtime may take to introduce itself.
const RUNTIME_DEADLINE: Duration = Duration::from_secs(10);

/// The largest message the kubelet sends: a list of its pods.
const MAX_MESSAGE: usize = 64 << 20;

/// The kubelet of one node. Its work goes on in the tasks it was built with.
#[derive(Clone)]
pub struct Kubelet {
    service: server::Service,
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
        let work =
            Work { runtime: runtime.clone(), recorder: recorder.clone(), starts: meter::pod_starts(metrics) };
        let pods = Pods::new(Arc::new(context(&config, &facts, work, &client, tasks)));
        meter::tell_pods(metrics, &config.node_name, &pods);
        let (fault, fault_rx) = watch::channel(None);
        let latch = |part: &str| health.register(&format!("{COMPONENT}/{}/{part}", config.node_name));
        let (registered, listed) = (latch("registered"), latch("runtime"));
        let reporter = Reporter::new(facts, &config, &client, recorder, fault_rx, tasks);
        let feed = Feed::new(runtime.clone(), pods.clone(), fault, listed);
        source::follow(tasks, &client, &config.node_name, pods.clone());
        until_drained(tasks, "node", reporter.run(registered));
        until_drained(tasks, "runtime", feed.run());
        let service = server::Service::new(pods, runtime, config.clock, tasks.drain());
        Ok(Self { service })
    }

    /// The gRPC service `keelson.v1.Kubelet`, for api's calls.
    pub fn service(&self) -> KubeletServer<server::Service> {
        KubeletServer::new(self.service.clone()).max_encoding_message_size(MAX_MESSAGE)
    }

    /// The same as routes of a server of its own.
    pub fn routes(&self) -> tonic::service::Routes {
        tonic::service::Routes::new(self.service())
    }

    /// The pods of the node as the kubelet sees them now.
    pub fn pods(&self) -> Vec<Pod> {
        self.service.list()
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
}

fn context(config: &Config, facts: &Facts, work: Work, client: &Client, tasks: &Tasks) -> Context {
    let ignore = |_: Delta<Service>| {};
    Context {
        runtime: work.runtime,
        runtime_name: facts.runtime.name.clone(),
        pods: client.api(),
        services: Informer::spawn(tasks, client.api::<Service>(), WatchScope::default(), ignore),
        recorder: work.recorder,
        starts: work.starts,
        volumes: Volumes::new(config.root_dir.clone()),
        labels: facts.labels.clone(),
        allocatable: facts.capacity.clone(),
        host_ips: facts.addresses.clone(),
        dns: config.dns.clone(),
        infra_image: config.infra_image.clone(),
        tasks: tasks.child("pods"),
        clock: config.clock.clone(),
    }
}

/// Runs an endless task until the tasks drain.
fn until_drained(tasks: &Tasks, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
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
