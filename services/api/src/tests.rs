//! The registries as clients see them: on an embedded store, called in this process.

mod access;
mod admission;
mod deletions;
mod identities;
mod kinds;
mod metrics;
mod reads;
mod references;
mod replicas;
mod store;
mod streams;
mod watches;
mod writes;

use std::sync::Arc;

use keelson_api_store::{Embedded, EmbeddedConfig, Store};
use keelson_base_client::{ApiError, Channel, Client};
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::Peer;
use keelson_base_daemon::trace::Tracer;
use keelson_proto::core::{Container, Node, Pod, Service, ServicePort};
use keelson_proto::meta::ObjectMeta;
use tempfile::TempDir;

use crate::{AdmissionConfig, Api, AuthConfig, Config, KubeletDialer, MASTERS};

/// An api on a store of its own.
struct Fixture {
    store: Arc<dyn Store>,
    api: Api,
    dir: TempDir,
    tasks: Tasks,
    metrics: Metrics,
}

/// Kubelets that nobody has.
struct NoKubelets;

impl KubeletDialer for NoKubelets {
    fn dial(&self, node: &Node) -> Result<Channel, ApiError> {
        Err(ApiError::service_unavailable(format!("no kubelet on {}", node.metadata.name)))
    }
}

impl Fixture {
    async fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    async fn on(dir: TempDir) -> Self {
        let store = Embedded::open(EmbeddedConfig::new(dir.path().join("store"))).unwrap();
        Self::over(Arc::new(store), dir).await
    }

    async fn over(store: Arc<dyn Store>, dir: TempDir) -> Self {
        Self::with(store, dir, &[]).await
    }

    /// An api that clients reach at these addresses.
    async fn new_at(addresses: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Embedded::open(EmbeddedConfig::new(dir.path().join("store"))).unwrap();
        Self::with(Arc::new(store), dir, addresses).await
    }

    async fn with(store: Arc<dyn Store>, dir: TempDir, addresses: &[&str]) -> Self {
        let config = Config {
            advertise_address: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            admission: without_accounts(),
            ..Config::default()
        };
        Self::told(store, dir, config).await
    }

    async fn told(store: Arc<dyn Store>, dir: TempDir, config: Config) -> Self {
        let (tasks, metrics) = (Tasks::new(), Metrics::new());
        let health = Health::new(tasks.drain());
        let config = Config { service_cluster_ip_range: "10.0.0.0/24".parse().unwrap(), ..config };
        let api = Api::build(config, store.clone(), Arc::new(NoKubelets), &tasks, &health, &metrics);
        let api = api.await.unwrap();
        Self { store, api, dir, tasks, metrics }
    }

    /// An api that asks who comes in.
    async fn guarded(dir: TempDir, auth: AuthConfig) -> Self {
        let store = Embedded::open(EmbeddedConfig::new(dir.path().join("store"))).unwrap();
        let config = Config { auth, admission: without_accounts(), ..Config::default() };
        Self::told(Arc::new(store), dir, config).await
    }

    /// Ends when the caches know of everything that was written before.
    async fn caught_up(&self) {
        let gone = self.client().api::<Pod>().namespaced("default").get("no-such").await;
        assert!(gone.is_err_and(|error| error.is_not_found()));
    }

    /// Stops the api and starts another one on its store.
    async fn restart(self) -> Self {
        self.tasks.shutdown();
        let _ = self.tasks.join(std::time::Duration::from_secs(5)).await;
        self.store.close().await.unwrap();
        drop(self.store);
        drop(self.api);
        Self::on(self.dir).await
    }

    fn client(&self) -> Client {
        self.client_of("system:admin", MASTERS)
    }

    fn client_of(&self, user: &str, group: &str) -> Client {
        let peer = Peer { common_name: user.into(), organizations: vec![group.into()] };
        Client::new(Channel::in_process(tonic::service::Routes::from(self.api.routes()), peer, Tracer::off()))
    }
}

/// The plugins of every api but one: there are no loops here that would make accounts.
fn without_accounts() -> AdmissionConfig {
    AdmissionConfig { disable_admission_plugins: vec!["ServiceAccount"], ..AdmissionConfig::default() }
}

fn mk_meta(name: &str) -> ObjectMeta {
    ObjectMeta { name: name.into(), namespace: "default".into(), ..ObjectMeta::default() }
}

fn mk_pod(name: &str) -> Pod {
    let mut pod = Pod { metadata: mk_meta(name), ..Pod::default() };
    pod.spec.containers = vec![Container { name: "c".into(), image: "i:1".into(), ..Container::default() }];
    pod
}

fn mk_labelled_pod(name: &str, app: &str) -> Pod {
    let mut pod = mk_pod(name);
    pod.metadata.labels.insert("app".into(), app.into());
    pod
}

fn mk_service(name: &str) -> Service {
    let mut service = Service { metadata: mk_meta(name), ..Service::default() };
    service.spec.selector.insert("app".into(), "MyApp".into());
    service.spec.ports = vec![ServicePort { port: 80, ..ServicePort::default() }];
    service
}
