//! A whole kubelet against an api in memory and a runtime that runs nothing. Time is tokio's, paused.

mod faults;
mod http;
mod node;
mod pods;
mod probes;
mod references;
mod static_pods;
mod streams;
mod verbs;

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_base_client::testing::FakeApi;
use keelson_base_daemon::tls::Peer;
use keelson_proto::core::{Container, ContainerStatus, Event, Node, Pod};
use keelson_proto::meta::Time;
use keelson_proto::v1::kubelet_server::Kubelet as _;
use keelson_proto::v1::{KubeletPodsRequest, PodLogRequest};
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::hollow::HollowRuntime;
use crate::runtime::{ContainerState, ObservedContainer, Role};
use crate::testing::{Call, ScriptedRuntime};

/// A node: its api, its runtime, its kubelet.
struct TestNode {
    api: FakeApi,
    hollow: HollowRuntime,
    runtime: ScriptedRuntime,
    clock: Clock,
    tasks: Tasks,
    kubelet: Option<Kubelet>,
    max_pods: u32,
    /// Where static pods come from.
    manifests: Option<std::path::PathBuf>,
    root: TempDir,
    /// Keeps the hollow runtime's tasks, which outlive kubelets.
    _machine: Tasks,
}

impl TestNode {
    /// A node with a ready kubelet.
    async fn new() -> Self {
        let mut node = Self::without_kubelet();
        node.start().await;
        node
    }

    fn without_kubelet() -> Self {
        let clock = Clock::tokio(Timestamp::from_second(1_700_000_000).unwrap());
        let machine = Tasks::new();
        let hollow = HollowRuntime::new([10, 1, 0, 2].into(), 1000, clock.clone(), &machine);
        Self {
            api: FakeApi::default(),
            runtime: ScriptedRuntime::new(Arc::new(hollow.clone())),
            hollow,
            clock,
            tasks: Tasks::new(),
            kubelet: None,
            max_pods: 110,
            manifests: None,
            root: TempDir::new().unwrap(),
            _machine: machine,
        }
    }

    async fn start(&mut self) {
        self.tasks = Tasks::new();
        let health = Health::new(self.tasks.drain());
        let config = Config {
            node_ips: vec!["192.0.2.1".parse().unwrap()],
            max_pods: self.max_pods,
            static_pods: crate::StaticSources { path: self.manifests.clone(), ..Default::default() },
            clock: self.clock.clone(),
            ..Config::new("n1", self.root.path())
        };
        let runtime = Arc::new(self.runtime.clone());
        let kubelet =
            Kubelet::build(config, runtime, self.api.client(), &self.tasks, &health, &Metrics::new()).await;
        self.kubelet = Some(kubelet.unwrap());
        health.ready().await;
    }

    /// Ends the kubelet; containers run on.
    async fn stop(&mut self) {
        self.kubelet = None;
        self.tasks.join(Duration::from_secs(10)).await.unwrap();
    }

    fn bind(&self, pod: &Pod) {
        self.api.put(pod);
    }

    /// Begins a graceful deletion.
    fn delete_pod(&self, name: &str, grace: i64) {
        let mut pod = self.pod(name).unwrap();
        let end = self.clock.now().as_second() + grace;
        pod.metadata.deletion_timestamp = Some(Time { seconds: end, nanos: 0 });
        pod.metadata.deletion_grace_period_seconds = Some(grace);
        self.api.put(&pod);
    }

    fn pod(&self, name: &str) -> Option<Pod> {
        self.api.get("default", name)
    }

    fn phase(&self, name: &str) -> String {
        self.pod(name).map(|pod| pod.status.phase).unwrap_or_default()
    }

    fn status(&self, name: &str) -> Option<ContainerStatus> {
        self.pod(name)?.status.container_statuses.first().cloned()
    }

    fn waiting(&self, name: &str) -> String {
        self.status(name)
            .and_then(|status| status.state.waiting)
            .map(|waiting| waiting.reason)
            .unwrap_or_default()
    }

    fn is_ready(&self, name: &str) -> bool {
        let pod = self.pod(name).unwrap_or_default();
        pod.status.conditions.iter().any(|c| c.r#type == "Ready" && c.status == "True")
    }

    /// Starts `pod` and waits until api says that it is ready.
    async fn run(&self, pod: &Pod) {
        self.bind(pod);
        eventually("the pod is ready", || self.is_ready(&pod.metadata.name)).await;
    }

    fn running(&self) -> Vec<ObservedContainer> {
        let running = |c: &ObservedContainer| matches!(c.state, ContainerState::Running { .. });
        self.hollow.containers().into_iter().filter(running).collect()
    }

    /// The running app container of this name.
    fn app(&self, name: &str) -> Option<ObservedContainer> {
        self.running().into_iter().find(|c| c.identity.container == name)
    }

    /// How often each reason was told.
    fn events(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for event in self.api.list::<Event>() {
            *reasons.entry(event.reason).or_default() += 1;
        }
        reasons
    }

    fn node_ready(&self) -> String {
        let node: Node = self.api.get("", "n1").unwrap();
        let ready = node.status.conditions.iter().find(|condition| condition.r#type == "Ready");
        ready.map(|ready| ready.status.clone()).unwrap_or_default()
    }

    fn pod_dirs(&self) -> usize {
        std::fs::read_dir(self.root.path().join("pods")).map_or(0, |entries| entries.count())
    }
}

fn mk_pod(name: &str, image: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.to_owned();
    pod.metadata.namespace = "default".to_owned();
    pod.metadata.uid = format!("uid-of-{name}");
    pod.spec.node_name = "n1".to_owned();
    pod.spec.restart_policy = "Always".to_owned();
    pod.spec.termination_grace_period_seconds = Some(30);
    let container = Container {
        name: "main".to_owned(),
        image: image.to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        termination_message_path: "/dev/termination-log".to_owned(),
        ..Container::default()
    };
    pod.spec.containers = vec![container];
    pod.status.phase = "Pending".to_owned();
    pod
}

/// Waits at most ten (paused) minutes.
async fn eventually(what: &str, check: impl Fn() -> bool) {
    for _ in 0..6000 {
        if check() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not within ten minutes: {what}");
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
