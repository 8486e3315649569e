//! Starting a cluster, from the ground up.

use std::sync::Arc;

use keelson_api::Api;
use keelson_api_store::Store;
use keelson_base_client::Client;
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::tasks::Tasks;
use keelson_gateway::Gateway;
use keelson_kubelet_docker::Docker;
use keelson_replication::Replication;
use keelson_scheduler::Scheduler;
use keelson_service_proxy::ServiceProxy;
use tonic::service::Routes;

use crate::cluster::dialer::LocalKubelets;
use crate::cluster::identities::{Identities, Who};
use crate::cluster::node::{Node, Nodes};
use crate::cluster::serving::Serving;
use crate::cluster::{Cluster, ClusterConfig, RuntimeKind, StartError, client, proxy, service, stop, store};
use crate::data_dir::DataDir;
use crate::progress::Progress;

/// What everything else stands on: the machine's parts, the identities, the store, and api.
struct Ground {
    config: ClusterConfig,
    data: DataDir,
    tasks: Tasks,
    health: Health,
    docker: Option<Docker>,
    serving: Serving,
    identities: Identities,
    store: Arc<dyn Store>,
    kubelets: Arc<LocalKubelets>,
    api: axum::Router,
}

// === impl Cluster ===

impl Cluster {
    /// Starts everything, and answers when all of it is ready.
    ///
    /// # Errors
    /// The first thing that cannot start; what has started is stopped.
    pub async fn start(config: ClusterConfig, progress: &Progress) -> Result<Self, StartError> {
        let data = DataDir::open(&config.data_dir)?;
        let tasks = Tasks::new();
        let mut proxy = None;
        let started = Self::start_on(config, data, &tasks, &mut proxy, progress).await;
        if started.is_err() {
            tasks.shutdown();
            // What goes wrong while stopping matters less than why it was stopped.
            let _ = tasks.join(stop::GRACE).await;
            if let Some(proxy) = proxy {
                let _ = proxy.cleanup().await;
            }
        }
        started
    }

    async fn start_on(
        config: ClusterConfig,
        data: DataDir,
        tasks: &Tasks,
        proxy: &mut Option<ServiceProxy>,
        progress: &Progress,
    ) -> Result<Self, StartError> {
        let mut ground = Ground::lay(config, data, tasks, progress).await?;
        let grpc = ground.control(progress)?;
        *proxy = ground.proxy(progress).await?;
        let grpc = match proxy {
            Some(proxy) => grpc.add_service(proxy.routes()),
            None => grpc,
        };
        let nodes = ground.nodes().await?;
        let gateway = ground.gateway();
        let (gateway_addresses, grpc_address) = ground.serving.addresses();
        let host = ground.serving.advertised().first().map(|address| (*address.ip()).into());
        let metrics = Metrics::default().with_process();
        ground.serving.serve(gateway.clone(), grpc, &ground.identities, &ground.health, &metrics, tasks)?;
        ground.health.ready().await;
        progress.done(format!("gateway and {}: ready", counted(nodes.len(), "kubelet")));
        Ok(Self {
            data: ground.data,
            tasks: tasks.clone(),
            health: ground.health,
            store: ground.store,
            api: ground.api,
            gateway_router: gateway,
            gateway: gateway_addresses,
            host,
            grpc: grpc_address,
            admin: ground.identities.admin().clone(),
            nodes,
            proxy: proxy.clone(),
            docker: ground.docker,
        })
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

// === impl Ground ===

impl Ground {
    async fn lay(
        config: ClusterConfig,
        data: DataDir,
        tasks: &Tasks,
        progress: &Progress,
    ) -> Result<Self, StartError> {
        let health = Health::new(tasks.drain());
        let docker = docker(&config, progress).await?;
        let serving = Serving::bind(&config, docker.as_ref()).await?;
        let identities = Identities::open(&data, &config, &serving)?;
        progress.done("certificates");
        let store = store::open(&config.store, &data.store()).await?;
        progress.done(format!("store: {}", store.name()));
        let kubelets = Arc::new(LocalKubelets::default());
        let api = keelson_api::Config { advertise_address: serving.advertised(), ..config.api.clone() };
        let api = Api::build(api, store.clone(), kubelets.clone(), tasks, &health).await?.routes();
        progress.done("api");
        let tasks = tasks.clone();
        Ok(Self { config, data, tasks, health, docker, serving, identities, store, kubelets, api })
    }

    fn client(&self, who: &Who) -> Client {
        client(&self.api, who.peer())
    }

    /// Starts what decides: the scheduler and the control loops. Answers with api's services and theirs.
    fn control(&self, progress: &Progress) -> Result<Routes, StartError> {
        let (config, tasks, health) = (&self.config, &self.tasks, &self.health);
        let scheduler =
            Scheduler::build(config.scheduler.clone(), self.client(&Who::SCHEDULER), tasks, health)
                .map_err(service("scheduler"))?;
        let replication =
            Replication::build(config.replication.clone(), self.client(&Who::CONTROLLERS), tasks, health)
                .map_err(service("replication"))?;
        progress.done("scheduler, replication");
        Ok(replication.add_to(scheduler.add_to(Routes::from(self.api.clone()))))
    }

    async fn proxy(&self, progress: &Progress) -> Result<Option<ServiceProxy>, StartError> {
        let proxy =
            proxy::start(&self.config, &self.data, &self.api, &self.tasks, &self.health, progress).await?;
        if let Some(proxy) = &proxy {
            progress.done(format!("service-proxy: {}", proxy.mode()));
        }
        Ok(proxy)
    }

    async fn nodes(&mut self) -> Result<Vec<Node>, StartError> {
        let mut listeners = self.serving.take_kubelets();
        let start = Nodes {
            config: &self.config,
            data: &self.data,
            docker: self.docker.as_ref(),
            api: &self.api,
            identities: &self.identities,
            kubelets: &self.kubelets,
            tasks: &self.tasks,
            health: &self.health,
        };
        let mut nodes = Vec::with_capacity(self.config.node_names.len());
        for ((index, name), listener) in self.config.node_names.iter().enumerate().zip(listeners.drain(..)) {
            nodes.push(start.start(index, name, listener).await?);
        }
        Ok(nodes)
    }

    fn gateway(&self) -> axum::Router {
        let config = keelson_gateway::Config::new(self.tasks.child("gateway"), self.health.clone());
        Gateway::build(config, self.client(&Who::GATEWAY), self.client(&Who::GATEWAY))
    }
}

/// Reaches Docker, if it is to run the containers, and makes sure that it has the images that Keelson brings.
async fn docker(config: &ClusterConfig, progress: &Progress) -> Result<Option<Docker>, StartError> {
    if config.runtime == RuntimeKind::Hollow {
        return Ok(None);
    }
    let docker = Docker::connect(config.docker_host.as_deref()).await?;
    docker.ensure_builtin_images().await?;
    progress.done("Docker answers; the images are there");
    Ok(Some(docker))
}
