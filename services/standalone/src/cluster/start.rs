//! Starting a cluster, from the ground up.

use std::sync::Arc;

use keelson_api::Api;
use keelson_api_store::Store;
use keelson_base_client::Client;
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::trace::Tracing;
use keelson_gateway::Gateway;
use keelson_kubelet_docker::Docker;
use keelson_replication::Replication;
use keelson_scheduler::Scheduler;
use keelson_service_proxy::{Cidr, DnsConfig, ServiceProxy};
use tonic::service::Routes;

use crate::cluster::dialer::LocalKubelets;
use crate::cluster::identities::Identities;
use crate::cluster::node::{Node, Nodes};
use crate::cluster::serving::Serving;
use crate::cluster::{Cluster, ClusterConfig, StartError, client, service, stop};
use crate::data_dir::DataDir;
use crate::progress::Progress;
use crate::who::Who;
use crate::{port, proxy};

/// What everything else stands on: the machine's parts, the identities, the store, and api.
struct Ground {
    config: ClusterConfig,
    data: DataDir,
    tasks: Tasks,
    health: Health,
    metrics: Metrics,
    tracing: Tracing,
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
        let nodes = ground.nodes(proxy.as_ref().and_then(ServiceProxy::dns)).await?;
        let gateway = ground.gateway();
        let (gateway_addresses, grpc_address) = ground.serving.addresses();
        let host = ground.serving.advertised().first().map(|address| (*address.ip()).into());
        let grpc = port::known_only(port::router(grpc, &ground.health, &ground.metrics)?);
        ground.serving.serve(gateway.clone(), grpc, &ground.identities, tasks, &ground.tracing)?;
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
            tracing: ground.tracing,
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
        let metrics = Metrics::default().with_process();
        let tracing = Tracing::start(&config.trace, &metrics)?;
        let docker = config.runtime.engine().await?;
        if docker.is_some() {
            progress.done("Docker answers; the images are there");
        }
        let serving = Serving::bind(&config, docker.as_ref()).await?;
        let identities = Identities::open(&data, &config, &serving, tasks, &metrics)?;
        progress.done("certificates");
        let store = config.store.open(&data.store(), tasks, &metrics).await?;
        progress.done(format!("store: {}", store.name()));
        let kubelets = Arc::new(LocalKubelets::default());
        let traced = tasks.traced(tracing.tracer("api"));
        let mut api = config.api.clone();
        if api.advertise_address.is_empty() {
            api.advertise_address = serving.advertised();
        }
        let signing = &mut api.auth.service_account_signing_key_file;
        signing.get_or_insert_with(|| identities.signing_key().to_owned());
        let api =
            Api::build(api, store.clone(), kubelets.clone(), &traced, &health, &metrics).await?.routes();
        progress.done("api");
        let tasks = tasks.clone();
        Ok(Self {
            config,
            data,
            tasks,
            health,
            metrics,
            tracing,
            docker,
            serving,
            identities,
            store,
            kubelets,
            api,
        })
    }

    fn client(&self, who: &Who) -> Client {
        client(&self.api, who.peer(), self.tracing.tracer("api"))
    }

    /// The tasks, with the spans of one service.
    fn traced(&self, service: &str) -> Tasks {
        self.tasks.traced(self.tracing.tracer(service))
    }

    /// Starts what decides: the scheduler and the control loops. Answers with api's services and theirs.
    fn control(&self, progress: &Progress) -> Result<Routes, StartError> {
        let (config, health, metrics) = (&self.config, &self.health, &self.metrics);
        let tasks = &self.traced("scheduler");
        let client = self.client(&Who::SCHEDULER);
        let scheduler = Scheduler::build(config.scheduler.clone(), client, tasks, health, metrics)
            .map_err(service("scheduler"))?;
        let client = self.client(&Who::CONTROLLERS);
        let tasks = &self.traced("replication");
        let identity = self.identities.server(Who::API.identity).map_err(service("replication"))?;
        let told =
            keelson_replication::Config { root_ca: Some(identity.clone()), ..config.replication.clone() };
        let replication =
            Replication::build(told, client, tasks, health, metrics).map_err(service("replication"))?;
        progress.done("scheduler, replication");
        Ok(replication.add_to(scheduler.add_to(Routes::from(self.api.clone()))))
    }

    async fn proxy(&self, progress: &Progress) -> Result<Option<ServiceProxy>, StartError> {
        let Some(mode) = self.config.proxy else { return Ok(None) };
        let range = self.config.api.service_cluster_ip_range;
        let range = Cidr::new(range.addr(), range.prefix_len())
            .ok_or("the range of cluster IPs is none")
            .map_err(service("service-proxy"))?;
        let config = keelson_service_proxy::Config {
            mode,
            dns: proxy::cluster_dns(range),
            ..keelson_service_proxy::Config::new(self.data.cluster_id(), range)
        };
        let client = self.client(&Who::PROXY);
        let proxy = proxy::start(config, client, &self.traced("service-proxy"), &self.health, &self.metrics)
            .await
            .map_err(service("service-proxy"))?;
        if let Some(reason) = proxy.mode_reason() {
            progress.note(reason);
        }
        progress.done(format!("service-proxy: {}", proxy.mode()));
        Ok(Some(proxy))
    }

    async fn nodes(&mut self, dns: Option<&DnsConfig>) -> Result<Vec<Node>, StartError> {
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
            metrics: &self.metrics,
            tracing: &self.tracing,
            dns,
        };
        let mut nodes = Vec::with_capacity(self.config.node_names.len());
        for ((index, name), listener) in self.config.node_names.iter().enumerate().zip(listeners.drain(..)) {
            nodes.push(start.start(index, name, listener).await?);
        }
        Ok(nodes)
    }

    fn gateway(&self) -> axum::Router {
        let config = keelson_gateway::Config::new(
            self.traced("gateway").child("gateway"),
            self.health.clone(),
            &self.metrics,
        );
        Gateway::build(config, self.client(&Who::GATEWAY), self.client(&Who::GATEWAY))
    }
}
