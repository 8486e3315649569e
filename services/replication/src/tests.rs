//! All loops together, against an api in memory, in paused time.

use std::time::Duration;

use keelson_base_client::{Api, ListParams};
use keelson_base_model::node::is_ready;
use keelson_base_model::{conditions, owner, pod};
use keelson_proto::Object;
use keelson_proto::coordination::Lease;
use keelson_proto::core::{Endpoints, Event, Namespace, Node, Pod, ReplicationController, Service};
use keelson_proto::meta::{DeleteOptions, MicroTime, Time};
use keelson_proto::v1::LoopsRequest;
use keelson_proto::v1::replication_server::Replication as _;
use tokio::time::sleep;

use super::*;
use crate::cache::NODE_LEASES;
use crate::testing::{FakeApi, mk_endpoints, mk_node, mk_pod, mk_rc, mk_service, ready_since, with_address};

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
        let (client, tasks) = (api.client(), Tasks::new());
        let health = Health::new(tasks.drain());
        let replication = Replication::build(Config::default(), client.clone(), &tasks, &health).unwrap();
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

    async fn stop(self) {
        self.tasks.join(Duration::from_secs(5)).await.unwrap();
    }
}

fn propagated(policy: &str) -> DeleteOptions {
    DeleteOptions { propagation_policy: Some(policy.to_owned()), ..DeleteOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn a_controller_gets_its_pods_and_says_so() {
    let cluster = Cluster::start().await;
    let rc = cluster.create(mk_rc("web", 3)).await;
    cluster.within(1).await;
    let pods = cluster.list::<Pod>().await;
    assert_eq!(pods.len(), 3);
    for pod in &pods {
        assert!(pod.metadata.name.starts_with("web-") && pod.metadata.labels["app"] == "web");
        assert!(owner::is_controlled_by(&pod.metadata, &rc.metadata.uid));
    }
    assert_eq!(cluster.get::<ReplicationController>("web").await.status.replicas, 3);
    let mut ready = ready_since(pods[0].clone(), 1);
    ready.status.phase = "Running".to_owned();
    cluster.of::<Pod>().update_status(&ready).await.unwrap();
    cluster.within(1).await;
    let status = cluster.get::<ReplicationController>("web").await.status;
    assert_eq!((status.ready_replicas, status.available_replicas), (1, 1));
    let events = cluster.list::<Event>().await;
    assert!(events.iter().any(|event| event.reason == "SuccessfulCreate" && event.message.starts_with("Created pod: web-")));
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_pod_is_replaced_and_the_least_worth_goes_first() {
    let cluster = Cluster::start().await;
    cluster.create(mk_rc("web", 3)).await;
    cluster.within(1).await;
    let before = cluster.pod_names().await;
    cluster.of::<Pod>().delete(&before[0], DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    let after = cluster.pod_names().await;
    assert_eq!(after.len(), 3);
    assert!(!after.contains(&before[0]));

    let kept = cluster.get::<Pod>(&after[1]).await;
    cluster.of::<Pod>().update_status(&ready_since(kept, 1)).await.unwrap();
    cluster.within(1).await;
    let mut rc = cluster.get::<ReplicationController>("web").await;
    rc.spec.replicas = Some(1);
    cluster.of::<ReplicationController>().update(&rc).await.unwrap();
    cluster.within(1).await;
    assert_eq!(cluster.pod_names().await, [after[1].clone()]);
    assert_eq!(cluster.get::<ReplicationController>("web").await.status.replicas, 1);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn thousands_of_pods_are_created_once_each() {
    let cluster = Cluster::start().await;
    cluster.create(mk_rc("web", 2000)).await;
    cluster.within(5).await;
    assert_eq!(cluster.pod_names().await.len(), 2000);
    assert_eq!(cluster.api.calls("Pods/Create"), 2000, "none too many");
    assert_eq!(cluster.api.calls("Pods/Delete"), 0);
    assert_eq!(cluster.get::<ReplicationController>("web").await.status.replicas, 2000);
    assert!(
        cluster.api.calls("ReplicationControllers/UpdateStatus") < 20,
        "the status is not written for every pod"
    );
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn refused_creations_are_told_and_tried_again_slowly() {
    let cluster = Cluster::start().await;
    cluster.api.refuse(3);
    cluster.create(mk_rc("web", 100)).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(cluster.api.calls("Pods/Create"), 1, "the first refusal stops the burst");
    let condition = &cluster.get::<ReplicationController>("web").await.status.conditions[0];
    assert_eq!((condition.r#type.as_str(), condition.reason.as_str()), ("ReplicaFailure", "FailedCreate"));
    cluster.within(5).await;
    assert_eq!(cluster.pod_names().await.len(), 100);
    assert!(cluster.get::<ReplicationController>("web").await.status.conditions.is_empty());
    let events = cluster.list::<Event>().await;
    assert!(events.iter().any(|event| event.reason == "FailedCreate" && event.message.contains("quota")));
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn pods_are_adopted_and_released_by_their_labels() {
    let cluster = Cluster::start().await;
    let alone = cluster.create(mk_pod("alone", "web", "Running")).await;
    let rc = cluster.create(mk_rc("web", 2)).await;
    cluster.within(1).await;
    assert_eq!(cluster.pod_names().await.len(), 2, "one was there already");
    let mut adopted = cluster.get::<Pod>(&alone.metadata.name).await;
    assert!(owner::is_controlled_by(&adopted.metadata, &rc.metadata.uid));

    adopted.metadata.labels.insert("app".to_owned(), "debug".to_owned());
    cluster.of::<Pod>().update(&adopted).await.unwrap();
    cluster.within(1).await;
    let released = cluster.get::<Pod>("alone").await;
    assert!(released.metadata.owner_references.is_empty());
    assert_eq!(cluster.pod_names().await.len(), 3, "a new one took its place");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_a_deleted_controller_go_after_it() {
    let cluster = Cluster::start().await;
    cluster.create(mk_rc("web", 3)).await;
    cluster.create(mk_rc("other", 1)).await;
    cluster.within(1).await;
    cluster.delete_rc("web", "Background").await;
    cluster.within(1).await;
    let left = cluster.list::<Pod>().await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].metadata.labels["app"], "other");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn orphaned_pods_stay() {
    let cluster = Cluster::start().await;
    cluster.create(mk_rc("web", 3)).await;
    cluster.within(1).await;
    cluster.delete_rc("web", "Orphan").await;
    cluster.within(120).await;
    assert!(cluster.list::<ReplicationController>().await.is_empty());
    let pods = cluster.list::<Pod>().await;
    assert_eq!(pods.len(), 3);
    assert!(pods.iter().all(|pod| pod.metadata.owner_references.is_empty()));
    cluster.create(mk_rc("web", 3)).await;
    cluster.within(1).await;
    assert_eq!(cluster.api.calls("Pods/Create"), 3, "a new controller takes them in");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn in_the_foreground_pods_go_before_their_controller() {
    let cluster = Cluster::start().await;
    cluster.create(mk_rc("web", 1)).await;
    cluster.within(1).await;
    let pods = cluster.list::<Pod>().await;
    cluster.give_node(&pods[0], "n1").await;
    cluster.delete_rc("web", "Foreground").await;
    cluster.within(1).await;
    let going = cluster.get::<Pod>(&pods[0].metadata.name).await;
    assert!(going.metadata.deletion_timestamp.is_some());
    assert_eq!(cluster.list::<ReplicationController>().await.len(), 1, "it waits");
    cluster.end(&going).await;
    cluster.within(1).await;
    assert!(cluster.list::<ReplicationController>().await.is_empty());
    assert!(cluster.pod_names().await.is_empty(), "and made no new ones");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_left_behind_while_nobody_watched_goes_at_the_start() {
    let api = FakeApi::default();
    let client = api.client();
    let mut left = mk_pod("left", "web", "Running");
    left.metadata.owner_references.push(owner::controller_reference(&mk_rc("gone", 1)));
    client.api::<Pod>().create(&left).await.unwrap();
    client.api().create(&mk_endpoints("gone")).await.unwrap();
    client.api().create(&mk_endpoints("served")).await.unwrap();
    let mut manual = mk_service("served", &[]);
    manual.spec.selector.clear();
    client.api().create(&manual).await.unwrap();
    let cluster = Cluster::start_on(api).await;
    cluster.within(1).await;
    assert!(cluster.pod_names().await.is_empty());
    let endpoints = cluster.list::<Endpoints>().await;
    assert_eq!(endpoints.len(), 1);
    assert_eq!(endpoints[0].metadata.name, "served");
    cluster.create(mk_endpoints("somebody-elses")).await;
    cluster.within(1).await;
    assert_eq!(cluster.list::<Endpoints>().await.len(), 2, "later ones are not ours to delete");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn endpoints_follow_pods_and_services() {
    let cluster = Cluster::start().await;
    cluster.create(mk_service("web", &[("http", 80, 8080.into())])).await;
    cluster.within(1).await;
    assert!(cluster.get::<Endpoints>("web").await.subsets.is_empty());
    let pod = cluster.create(mk_pod("a", "web", "Running")).await;
    let ready = ready_since(with_address(pod, "10.0.0.1"), 1);
    cluster.of::<Pod>().update_status(&ready).await.unwrap();
    cluster.within(1).await;
    assert_eq!(cluster.get::<Endpoints>("web").await.subsets[0].addresses[0].ip, "10.0.0.1");

    let writes = cluster.api.calls("Endpoints/Update");
    let mut annotated = cluster.get::<Pod>("a").await;
    annotated.metadata.annotations.insert("note".to_owned(), "x".to_owned());
    cluster.of::<Pod>().update(&annotated).await.unwrap();
    cluster.within(1).await;
    assert_eq!(cluster.api.calls("Endpoints/Update"), writes, "nothing is told of that");

    cluster.of::<Endpoints>().delete("web", DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    assert_eq!(cluster.get::<Endpoints>("web").await.subsets.len(), 1, "they come back");
    cluster.of::<Service>().delete("web", DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    assert!(cluster.list::<Endpoints>().await.is_empty());
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_namespaces_go_at_once() {
    let cluster = Cluster::start().await;
    for index in 0..100 {
        let mut namespace = Namespace::default();
        namespace.metadata.name = format!("ns-{index}");
        namespace.spec.finalizers.push("kubernetes".to_owned());
        cluster.create(namespace).await;
        let mut rc = mk_rc("web", 2);
        rc.metadata.namespace = format!("ns-{index}");
        cluster.create(rc).await;
    }
    cluster.within(1).await;
    let pods = cluster.list::<Pod>().await;
    assert_eq!(pods.len(), 200);
    cluster.give_node(&pods[0], "n1").await;
    for index in 0..100 {
        let name = format!("ns-{index}");
        cluster.all::<Namespace>().delete(&name, DeleteOptions::default()).await.unwrap();
    }
    cluster.within(2).await;
    let left: Vec<_> = cluster.list::<Namespace>().await;
    assert_eq!(left.len(), 1, "only the one whose pod takes its grace");
    let pod = cluster.list::<Pod>().await.remove(0);
    cluster.end(&pod).await;
    sleep(Duration::from_millis(50)).await;
    assert!(cluster.list::<Namespace>().await.is_empty(), "the pod's end wakes the loop");
    assert!(cluster.list::<ReplicationController>().await.is_empty());
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_lost_and_its_pods_move() {
    let cluster = Cluster::start().await;
    for name in ["n1", "n2"] {
        cluster.create(mk_node(name, conditions::TRUE)).await;
        cluster.renew(name).await;
    }
    cluster.create(mk_rc("web", 1)).await;
    cluster.within(1).await;
    let pod = cluster.list::<Pod>().await.remove(0);
    let pod = cluster.give_node(&pod, "n1").await;
    cluster.of::<Pod>().update_status(&ready_since(pod.clone(), 1)).await.unwrap();
    for _ in 0..4 {
        cluster.within(9).await;
        cluster.renew("n2").await;
    }
    assert!(is_ready(&cluster.node("n1").await), "37 s are within the grace");
    cluster.within(5).await;
    let lost = cluster.node("n1").await;
    assert_eq!(lost.status.conditions[0].message, "Kubelet stopped posting node status.");
    assert_eq!(lost.spec.taints.len(), 2);
    assert!(is_ready(&cluster.node("n2").await));
    assert!(!pod::is_ready(&cluster.get::<Pod>(&pod.metadata.name).await));
    let events = cluster.list::<Event>().await;
    assert!(
        events.iter().any(|event| event.reason == "NodeNotReady" && event.message.ends_with("NodeNotReady"))
    );
    for _ in 0..10 {
        cluster.within(29).await;
        cluster.renew("n2").await;
    }
    assert_eq!(cluster.pod_names().await.len(), 1, "not yet evicted");
    cluster.within(15).await;
    assert!(cluster.get::<Pod>(&pod.metadata.name).await.metadata.deletion_timestamp.is_some());
    assert_eq!(cluster.pod_names().await.len(), 2, "and replaced");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_keeps_its_pods() {
    let cluster = Cluster::start().await;
    cluster.create(mk_node("n1", conditions::TRUE)).await;
    cluster.create(mk_node("n2", conditions::TRUE)).await;
    let pod = cluster.create(mk_pod("a", "web", "Running")).await;
    cluster.give_node(&pod, "n1").await;
    cluster.within(100).await;
    let mut back = cluster.node("n1").await;
    assert_eq!(back.spec.taints.len(), 2, "no lease at all is silence, too");
    let heartbeat = Time { seconds: 9, nanos: 0 };
    back.status.conditions[0].status = conditions::TRUE.to_owned();
    back.status.conditions[0].last_heartbeat_time = Some(heartbeat);
    cluster.all::<Node>().update_status(&back).await.unwrap();
    for _ in 0..20 {
        cluster.renew("n1").await;
        cluster.within(20).await;
    }
    let back = cluster.node("n1").await;
    assert!(is_ready(&back) && back.spec.taints.is_empty());
    assert_eq!(cluster.get::<Pod>("a").await.metadata.deletion_timestamp, None);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_evicted_while_no_node_is_well() {
    let cluster = Cluster::start().await;
    cluster.create(mk_node("n1", conditions::TRUE)).await;
    let pod = cluster.create(mk_pod("a", "web", "Running")).await;
    cluster.give_node(&pod, "n1").await;
    cluster.within(1000).await;
    assert!(!is_ready(&cluster.node("n1").await));
    assert_eq!(cluster.get::<Pod>("a").await.metadata.deletion_timestamp, None);
    cluster.create(mk_node("n2", conditions::TRUE)).await;
    cluster.within(1).await;
    assert!(
        cluster.get::<Pod>("a").await.metadata.deletion_timestamp.is_some(),
        "now there is somewhere to go"
    );
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn pods_of_nodes_that_do_not_exist_go() {
    let cluster = Cluster::start().await;
    cluster.create(mk_node("n1", conditions::TRUE)).await;
    for (name, node) in [("here", "n1"), ("there", "n2"), ("soon", "n3")] {
        let pod = cluster.create(mk_pod(name, "web", "Running")).await;
        cluster.give_node(&pod, node).await;
    }
    cluster.within(30).await;
    assert_eq!(cluster.pod_names().await.len(), 3, "nodes are given time to appear");
    cluster.create(mk_node("n3", conditions::TRUE)).await;
    cluster.within(15).await;
    assert_eq!(cluster.pod_names().await, ["here", "soon"]);
    cluster.all::<Node>().delete("n1", DeleteOptions::default()).await.unwrap();
    cluster.within(45).await;
    assert_eq!(cluster.pod_names().await, ["soon"]);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_state_of_the_loops_is_told_to_those_who_are_known() {
    let cluster = Cluster::start().await;
    assert!(cluster.health.is_ready());
    cluster.create(mk_rc("web", 2)).await;
    cluster.within(1).await;
    let service = &cluster.replication.service;
    let refused = service.loops(tonic::Request::new(LoopsRequest {})).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    let mut request = tonic::Request::new(LoopsRequest {});
    request.extensions_mut().insert(keelson_base_daemon::tls::Peer {
        common_name: "alice".to_owned(),
        organizations: Vec::new(),
    });
    let loops = service.loops(request).await.unwrap().into_inner().loops;
    assert_eq!(loops.len(), 6);
    assert!(loops.iter().all(|one| one.synced && one.errors == 0 && one.queue_depth == 0), "{loops:?}");
    let replication = loops.iter().find(|one| one.name == "replicationcontroller").unwrap();
    assert!(replication.syncs > 0 && replication.last_sync_time.is_some());
    cluster.stop().await;
}

impl Cluster {
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
}
