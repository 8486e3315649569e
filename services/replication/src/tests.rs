//! All loops together, against an api in memory, in paused time.

mod accounts;
mod election;
mod endpoints;
mod garbage;
mod namespace;
mod node;
mod quota;
mod replication;
mod rpc;

use std::time::Duration;

use keelson_base_client::testing::FakeApi;
use keelson_base_client::{Api, ListParams};
use keelson_proto::Object;
use keelson_proto::coordination::Lease;
use keelson_proto::core::{Node, Pod, ReplicationController};
use keelson_proto::meta::{DeleteOptions, MicroTime};
use tokio::time::sleep;

use super::*;
use crate::cache::NODE_LEASES;

/// The loops and the api that they work on.
struct Cluster {
    api: FakeApi,
    client: Client,
    replication: Replication,
    health: Health,
    tasks: Tasks,
}

impl Cluster {
    /// Loops that have caught up with an empty cluster.
    async fn start() -> Self {
        Self::start_on(FakeApi::default()).await
    }

    async fn start_on(api: FakeApi) -> Self {
        Self::told(api, Config::default()).await
    }

    async fn told(api: FakeApi, config: Config) -> Self {
        let (client, tasks) = (api.client(), Tasks::new());
        let health = Health::new(tasks.drain());
        let replication =
            Replication::build(config, client.clone(), &tasks, &health, &Metrics::new()).unwrap();
        health.ready().await;
        Self { api, client, replication, health, tasks }
    }

    fn all<K: Object>(&self) -> Api<K> {
        self.client.api()
    }

    fn of<K: Object>(&self) -> Api<K> {
        self.client.api().namespaced("default")
    }

    async fn list<K: Object>(&self) -> Vec<K> {
        self.all().list(&ListParams::default()).await.unwrap().items
    }

    async fn create<K: Object>(&self, mut object: K) -> K {
        object.metadata_mut().uid.clear();
        self.all::<K>().create(&object).await.unwrap()
    }

    async fn get<K: Object>(&self, name: &str) -> K {
        self.of().get(name).await.unwrap()
    }

    async fn pod_names(&self) -> Vec<String> {
        let pods = self.list::<Pod>().await;
        pods.iter().map(|pod| pod.metadata.name.clone()).collect()
    }

    /// What a kubelet does about a pod that is being deleted.
    async fn end(&self, pod: &Pod) {
        let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        let pods = self.all::<Pod>().namespaced(&pod.metadata.namespace);
        pods.delete(&pod.metadata.name, now).await.unwrap();
    }

    /// Lets the loops do what they have to do now, and what is due within this time.
    async fn within(&self, seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
    }

    async fn delete_rc(&self, name: &str, policy: &str) {
        self.of::<ReplicationController>().delete(name, propagated(policy)).await.unwrap();
    }

    async fn node(&self, name: &str) -> Node {
        self.all::<Node>().get(name).await.unwrap()
    }

    /// What the scheduler does.
    async fn give_node(&self, pod: &Pod, node: &str) -> Pod {
        let pods = self.all::<Pod>().namespaced(&pod.metadata.namespace);
        let mut given = pods.get(&pod.metadata.name).await.unwrap();
        given.spec.node_name = node.to_owned();
        pods.update(&given).await.unwrap()
    }

    /// What a kubelet does every ten seconds.
    async fn renew(&self, node: &str) {
        let leases = self.all::<Lease>().namespaced(NODE_LEASES);
        let lease = leases.get(node).await;
        let mut renewed = lease.as_ref().cloned().unwrap_or_default();
        renewed.metadata.name = node.to_owned();
        renewed.metadata.namespace = NODE_LEASES.to_owned();
        let last = renewed.spec.renew_time.unwrap_or_default();
        renewed.spec.renew_time = Some(MicroTime { seconds: last.seconds + 1, nanos: 0 });
        if lease.is_ok() {
            leases.update(&renewed).await.unwrap();
        } else {
            leases.create(&renewed).await.unwrap();
        }
    }

    async fn stop(self) {
        self.tasks.join(Duration::from_secs(5)).await.unwrap();
    }
}

fn propagated(policy: &str) -> DeleteOptions {
    DeleteOptions { propagation_policy: Some(policy.to_owned()), ..DeleteOptions::default() }
}
