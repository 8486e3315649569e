//! A steady load of creates, scales and deletes, and what its clients were told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keelson_base_client::{Client, Patch};
use keelson_proto::core::{Pod, ReplicationController};
use keelson_proto::meta::{DeleteOptions, Preconditions};
use keelson_tests::{Curl, Target};
use serde_json::json;
use tokio::task::JoinHandle;

use super::journal::Journal;

/// The namespace of everything here.
pub(super) const NAMESPACE: &str = "default";

/// The replication controller that is scaled.
pub(super) const CONTROLLER: &str = "scaled";

/// What all pods of the journal begin with; those of the controller do not.
pub(super) const OURS: &str = "j-";

/// Pauses between the writes of one client: so many that two cores are not full.
const BETWEEN_CREATES: Duration = Duration::from_millis(150);
const BETWEEN_DELETES: Duration = Duration::from_millis(50);
const BETWEEN_SCALES: Duration = Duration::from_millis(700);

/// How long a client waits for an answer: longer than any part is away.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many pods are left alone: so few that the nodes, which take 110 each, have room for all.
const ALIVE: usize = 12;

/// The most replicas that are asked for.
const REPLICAS: i32 = 5;

/// A load that goes on until it is stopped.
#[derive(Debug)]
pub(super) struct Load {
    journal: Arc<Mutex<Journal>>,
    stopping: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

/// What every client of the load has.
#[derive(Clone)]
struct Loader {
    client: Client,
    journal: Arc<Mutex<Journal>>,
    stopping: Arc<AtomicBool>,
}

// === impl Load ===

impl Load {
    /// Makes the controller, then starts two clients that create pods, one that deletes and one that scales by gRPC, and
    /// one that creates through the gateway of `target`.
    pub(super) async fn start(client: &Client, target: &Arc<Target>) -> Self {
        let controllers = client.api::<ReplicationController>().namespaced(NAMESPACE);
        controllers.create(&controller()).await.expect("a controller is created while everything works");
        let journal = Arc::new(Mutex::new(Journal::default()));
        let stopping = Arc::new(AtomicBool::new(false));
        let loader = Loader {
            client: client.clone().with_deadline(DEADLINE),
            journal: journal.clone(),
            stopping: stopping.clone(),
        };
        let clients = vec![
            tokio::spawn(loader.clone().create("a")),
            tokio::spawn(loader.clone().create("b")),
            tokio::spawn(loader.clone().delete()),
            tokio::spawn(loader.clone().scale()),
            tokio::task::spawn_blocking({
                let target = target.clone();
                move || loader.create_by_rest(&target)
            }),
        ];
        Self { journal, stopping, clients }
    }

    /// What was acknowledged so far.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        self.journal.lock().unwrap().counts()
    }

    /// Ends the load; answers with what its clients were told.
    pub(super) async fn stop(self) -> Journal {
        self.stopping.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("a client of the load ends well");
        }
        std::mem::take(&mut self.journal.lock().unwrap())
    }
}

// === impl Loader ===

impl Loader {
    fn goes_on(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed)
    }

    fn write<T>(&self, write: impl FnOnce(&mut Journal) -> T) -> T {
        write(&mut self.journal.lock().unwrap())
    }

    async fn create(self, who: &'static str) {
        let pods = self.client.api::<Pod>().namespaced(NAMESPACE);
        let mut number = 0;
        while self.goes_on() {
            number += 1;
            let name = format!("{OURS}{who}-{number:05}");
            let created = pods.create(&pod(&name)).await;
            self.write(|journal| journal.creation(&name, created.ok().map(|pod| pod.metadata.uid)));
            tokio::time::sleep(BETWEEN_CREATES).await;
        }
    }

    fn create_by_rest(self, target: &Target) {
        let mut number = 0;
        while self.goes_on() {
            number += 1;
            let name = format!("{OURS}rest-{number:05}");
            let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
                "spec": {"containers": [{"name": "c", "image": "i:1"}]}});
            let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
            let answer =
                Curl::new(target).try_send("POST", &path, "application/json", body.to_string().as_bytes());
            let answer = answer.ok().filter(|answer| answer.code == 201);
            let uid = answer.and_then(|answer| Some(answer.json()["metadata"]["uid"].as_str()?.to_owned()));
            self.write(|journal| journal.creation(&name, uid));
            std::thread::sleep(BETWEEN_CREATES);
        }
    }

    /// Deletes pods as long as there are many, some at once and some with grace.
    async fn delete(self) {
        let pods = self.client.api::<Pod>().namespaced(NAMESPACE);
        let mut grace = 0;
        while self.goes_on() {
            tokio::time::sleep(BETWEEN_DELETES).await;
            let Some((name, uid)) = self.write(|journal| journal.deletable(ALIVE)) else { continue };
            grace = 1 - grace;
            let options = DeleteOptions {
                grace_period_seconds: Some(grace),
                preconditions: Some(Preconditions { uid: Some(uid), ..Preconditions::default() }),
                ..DeleteOptions::default()
            };
            let deleted = pods.delete(&name, options).await;
            self.write(|journal| journal.deletion(&name, deleted.is_ok()));
        }
    }

    async fn scale(self) {
        let controllers = self.client.api::<ReplicationController>().namespaced(NAMESPACE);
        let mut replicas = 1;
        while self.goes_on() {
            tokio::time::sleep(BETWEEN_SCALES).await;
            replicas = replicas % REPLICAS + 1;
            let patch = Patch::merge(&json!({"spec": {"replicas": replicas}})).expect("JSON");
            let scaled = controllers.patch(CONTROLLER, &patch).await;
            self.write(|journal| journal.replicas = scaled.is_ok().then_some(replicas));
        }
    }
}

/// A pod of one container.
pub(super) fn pod(name: &str) -> Pod {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "c", "image": "i:1"}]}});
    serde_json::from_value(pod).expect("a pod")
}

fn controller() -> ReplicationController {
    let controller = json!({
        "apiVersion": "v1", "kind": "ReplicationController",
        "metadata": {"name": CONTROLLER, "namespace": NAMESPACE},
        "spec": {"replicas": 1, "selector": {"app": CONTROLLER}, "template": {
            "metadata": {"labels": {"app": CONTROLLER}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "i:1"}]}}},
    });
    serde_json::from_value(controller).expect("a replication controller")
}
