//! Two apis on one etcd: either is as good as the other, also in the next moment.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{join, join_all};
use keelson_api_store::testing::EtcdBackend;
use keelson_api_store::{Etcd, RangeRequest};
use keelson_base_client::{Client, ListParams, WatchEventKind, WatchParams};
use keelson_proto::core::{Endpoints, Namespace, Pod, Service};
use keelson_proto::meta::DeleteOptions;

use super::*;

/// Two apis, each with a connection of its own.
pub(super) struct Replicas {
    backend: EtcdBackend,
    one: Api,
    other: Api,
    tasks: Tasks,
}

impl Replicas {
    /// Both start at once, on an empty store.
    pub(super) async fn start() -> Self {
        let (backend, tasks) = (EtcdBackend::start(), Tasks::new());
        let (one, other) = join(backend.connect(), backend.connect()).await;
        let (one, other) = join(replica(one, &tasks), replica(other, &tasks)).await;
        Self { backend, one, other, tasks }
    }

    pub(super) fn clients(&self) -> [Client; 2] {
        [&self.one, &self.other].map(|api| {
            let peer = Peer { common_name: "system:admin".into(), organizations: vec![MASTERS.into()] };
            let routes = tonic::service::Routes::from(api.routes());
            Client::new(Channel::in_process(routes, peer, Tracer::off()))
        })
    }

    pub(super) async fn stop(self) {
        self.tasks.shutdown();
        let _ = self.tasks.join(Duration::from_secs(5)).await;
    }
}

async fn replica(store: Etcd, tasks: &Tasks) -> Api {
    let health = Health::new(tasks.drain());
    let config = Config {
        service_cluster_ip_range: "10.0.0.0/24".parse().unwrap(),
        service_node_port_range: (30_000, 30_063),
        admission: without_accounts(),
        advertise_address: vec!["192.0.2.1:6443".parse().unwrap(), "192.0.2.2:6443".parse().unwrap()],
        ..Config::default()
    };
    let metrics = Metrics::new();
    Api::build(config, Arc::new(store), Arc::new(NoKubelets), tasks, &health, &metrics).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_begin_at_once_and_make_the_first_objects_once() {
    let replicas = Replicas::start().await;
    for client in replicas.clients() {
        let namespaces = client.api::<Namespace>().list(&ListParams::default()).await.unwrap().items;
        assert_eq!(namespaces.len(), 4, "{namespaces:?}");
        let kubernetes = client.api::<Service>().namespaced("default").get("kubernetes").await.unwrap();
        assert_eq!(kubernetes.spec.cluster_ip, "10.0.0.1");
        let endpoints = client.api::<Endpoints>().namespaced("default").get("kubernetes").await.unwrap();
        let addresses: usize = endpoints.subsets.iter().map(|subset| subset.addresses.len()).sum();
        assert_eq!(addresses, 2);
    }
    replicas.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_and_ports_are_given_once_whoever_gives_them() {
    let replicas = Replicas::start().await;
    let clients = replicas.clients();
    let create = |n: usize| {
        let services = clients[n % 2].api::<Service>();
        let mut service = mk_service(&format!("service-{n}"));
        service.spec.r#type = "NodePort".to_owned();
        async move { services.create(&service).await.unwrap() }
    };
    // As many as there are ports: the last ones are found only among very few.
    let created = join_all((0..64).map(create)).await;
    let addresses: BTreeSet<_> = created.iter().map(|service| service.spec.cluster_ip.clone()).collect();
    let ports: BTreeSet<_> = created.iter().map(|service| service.spec.ports[0].node_port).collect();
    assert_eq!((addresses.len(), ports.len()), (64, 64));

    // What the one has given back, the other can give at once, and to the one who asks for it.
    let services = clients.each_ref().map(|client| client.api::<Service>().namespaced("default"));
    for (n, service) in created.iter().enumerate().take(20) {
        services[n % 2].delete(&service.metadata.name, DeleteOptions::default()).await.unwrap();
        let mut again = mk_service(&format!("again-{n}"));
        again.spec.cluster_ip.clone_from(&service.spec.cluster_ip);
        let again = services[(n + 1) % 2].create(&again).await.unwrap();
        assert_eq!(again.spec.cluster_ip, service.spec.cluster_ip);
    }
    let (held, store) = ("/registry/ranges/serviceips/", replicas.backend.connect().await);
    let held = store.range(RangeRequest::all(held)).await.unwrap().items.len();
    assert_eq!(held, 66, "one for each service, `kubernetes` and `kube-dns`");
    replicas.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_one_has_written_the_other_shows_at_once() {
    let replicas = Replicas::start().await;
    let [one, other] = replicas.clients();
    let (write, read) = (one.api::<Pod>().namespaced("default"), other.api::<Pod>().namespaced("default"));
    for n in 0..50 {
        let name = format!("pod-{n}");
        let created = write.create(&mk_pod(&name)).await.unwrap();
        let seen = read.get(&name).await.unwrap();
        assert_eq!(seen.metadata.resource_version, created.metadata.resource_version);
        let mut labelled = seen;
        labelled.metadata.labels.insert("seen".into(), "true".into());
        let labelled = read.update(&labelled).await.unwrap();
        let stale = write.update(&created).await.unwrap_err();
        assert!(stale.is_conflict(), "{stale}");
        assert_eq!(write.get(&name).await.unwrap(), labelled);
        assert_eq!(read.list(&ListParams::default()).await.unwrap().items.len(), n + 1);
    }
    replicas.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_goes_on_at_the_other_where_it_was_at_the_one() {
    let replicas = Replicas::start().await;
    let clients = replicas.clients();
    let pods = clients.each_ref().map(|client| client.api::<Pod>().namespaced("default"));
    let begin = pods[0].list(&ListParams::default()).await.unwrap().metadata.resource_version;
    let mut revisions = Vec::new();
    for n in 0..100 {
        let created = pods[n % 2].create(&mk_pod(&format!("pod-{n}"))).await.unwrap();
        revisions.push(created.metadata.resource_version);
    }
    // Every ten events at the other replica: a revision means the same to both.
    let (mut at, mut seen) = (begin, Vec::new());
    for turn in 0..10 {
        let params = WatchParams { resource_version: at.clone(), ..WatchParams::default() };
        let mut watch = pods[turn % 2].watch(&params).await.unwrap();
        for _ in 0..10 {
            let event =
                tokio::time::timeout(Duration::from_secs(10), futures::StreamExt::next(&mut watch)).await;
            let event = event.unwrap().unwrap().unwrap();
            assert_eq!(event.kind, WatchEventKind::Added);
            at = event.revision.to_string();
            seen.push(at.clone());
        }
    }
    assert_eq!(seen, revisions, "in order, once each, none left out");
    replicas.stop().await;
}
