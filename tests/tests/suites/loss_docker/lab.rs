//! A stack on Docker with pods of every origin, and what must hold of their containers.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use keelson_kubelet_docker::DEMO_IMAGE;
use keelson_tests::docker::Container;
use keelson_tests::{Curl, Dockerd, Output, Stack, StackConfig, docker, eventually};
use serde_json::{Value, json};

/// How long everything may take to settle.
const SETTLES: Duration = Duration::from_secs(60);

/// The pods that nobody looks after.
pub(super) const BARE: [&str; 3] = ["bare-1", "bare-2", "bare-3"];

/// The replication controller, its label and its service.
const WEB: &str = "web";

/// How many pods the controller has.
const REPLICAS: usize = 3;

const CORE: &str = "/api/v1/namespaces/default";

/// A stack on Docker, and somebody who works with it.
pub(super) struct Lab {
    // First what uses the engine, then the engine.
    pub(super) stack: Stack,
    pub(super) engine: Option<Dockerd>,
    /// The service's cluster IP, known also while nobody can be asked for it.
    cluster_ip: String,
}

// === impl Lab ===

impl Lab {
    /// Starts everything, with kubelets on this engine; without one they are on the machine's.
    pub(super) fn start(mut config: StackConfig, engine: Option<Dockerd>) -> Self {
        if let Some(engine) = &engine {
            config.kubelet_flags.extend(["--docker-host".to_owned(), engine.host()]);
        }
        Self { stack: Stack::start(config), engine, cluster_ip: String::new() }
    }

    /// Creates the bare pods, the controller and its service, and waits until all pods run.
    #[track_caller]
    pub(super) fn run_pods(&mut self) {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": WEB},
            "spec": {"selector": {"app": WEB}, "ports": [{"port": 80, "targetPort": 9376}]}});
        let service = self.post("services", &service).expect("a service is created");
        self.cluster_ip = service["spec"]["clusterIP"].as_str().expect("a cluster IP").to_owned();
        let controller = json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": WEB},
            "spec": {"replicas": REPLICAS, "selector": {"app": WEB}, "template": {
                "metadata": {"labels": {"app": WEB}}, "spec": bare("")["spec"]}}});
        self.post("replicationcontrollers", &controller).expect("a controller is created");
        for name in BARE {
            assert!(self.create(&bare(name)), "{name} is created");
        }
        self.assert_settled();
        assert_eq!(self.uids().len(), BARE.len() + REPLICAS);
    }

    /// Creates a pod; answers whether that was acknowledged.
    pub(super) fn create(&self, pod: &Value) -> bool {
        self.post("pods", pod).is_ok()
    }

    /// Deletes a pod with so many seconds of grace; answers whether that was acknowledged.
    pub(super) fn delete(&self, pod: &str, grace: u32) -> bool {
        self.send("DELETE", &format!("pods/{pod}?gracePeriodSeconds={grace}"), b"").is_ok()
    }

    /// Deletes the controller, then all pods, and its service.
    #[track_caller]
    pub(super) fn delete_all(&self) {
        for path in ["replicationcontrollers/web?propagationPolicy=Background", "services/web"] {
            self.send("DELETE", path, b"").unwrap_or_else(|why| panic!("{path}: {why}"));
        }
        for pod in self.uids().into_keys() {
            // Those of the controller may have been deleted with it.
            let _ = self.delete(&pod, 1);
        }
    }

    fn post(&self, to: &str, object: &Value) -> Result<Value, String> {
        self.send("POST", to, object.to_string().as_bytes())
    }

    fn send(&self, method: &str, path: &str, body: &[u8]) -> Result<Value, String> {
        let curl = Curl::new(self.stack.target());
        let answer = curl.try_send(method, &format!("{CORE}/{path}"), "application/json", body);
        match answer {
            Ok(answer) if (200..300).contains(&answer.code) => Ok(answer.json()),
            Ok(answer) => Err(format!("{answer:?}")),
            Err(output) => Err(output.to_string()),
        }
    }

    /// All pods, if anybody tells.
    pub(super) fn pods(&self) -> Result<Vec<Value>, String> {
        let curl = Curl::new(self.stack.target());
        let answer = curl.try_send("GET", &format!("{CORE}/pods"), "", b"").map_err(|why| why.to_string())?;
        let items = answer.json()["items"].as_array().cloned();
        items.ok_or_else(|| format!("{answer:?}"))
    }

    /// All pods: name → uid.
    #[track_caller]
    pub(super) fn uids(&self) -> BTreeMap<String, String> {
        let pods = self.pods().unwrap_or_else(|why| panic!("pods are not listed: {why}"));
        let text = |pod: &Value, field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
        pods.iter().map(|pod| (text(pod, "name"), text(pod, "uid"))).collect()
    }

    /// How often containers were restarted, each number once.
    #[track_caller]
    pub(super) fn restarts(&self) -> BTreeSet<u64> {
        let pods = self.pods().unwrap_or_else(|why| panic!("pods are not listed: {why}"));
        pods.iter().map(restarts).collect()
    }

    /// All containers of the cluster, those that have ended included.
    #[track_caller]
    pub(super) fn containers(&self) -> Vec<Container> {
        let cluster = self.stack.cluster_id();
        match &self.engine {
            Some(engine) => engine.containers(&cluster),
            None => docker::containers(&cluster),
        }
    }

    /// Asserts that soon every pod is ready and has one infra and one app container, and that no other runs.
    #[track_caller]
    pub(super) fn assert_settled(&self) {
        eventually::within(SETTLES, || match self.unsettled() {
            complaints if complaints.is_empty() => Ok(()),
            complaints => Err(complaints.join("\n")),
        });
    }

    fn unsettled(&self) -> Vec<String> {
        let pods = match self.pods() {
            Ok(pods) => pods,
            Err(why) => return vec![why],
        };
        let mut complaints: Vec<String> = pods.iter().filter_map(not_ready).collect();
        let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let roles = |pod: &Value| ["infra", "app"].map(|role| ((name(pod), role.to_owned()), 1));
        let wanted: BTreeMap<(String, String), usize> = pods.iter().flat_map(roles).collect();
        let mut found = BTreeMap::new();
        let mut ended: BTreeMap<String, u64> = BTreeMap::new();
        for container in self.containers() {
            match container.state.as_str() {
                "running" => *found.entry((container.pod, container.role)).or_default() += 1,
                // The last one that ended is kept, for its log.
                "exited" if container.role == "app" => *ended.entry(container.pod).or_default() += 1,
                _ => complaints.push(format!("{container:?}")),
            }
        }
        if found != wanted {
            complaints.push(format!("{found:?} run instead of {wanted:?}"));
        }
        for (pod, count) in ended {
            let restarted = pods.iter().find(|one| name(one) == pod).map_or(0, restarts);
            if count > restarted.min(1) {
                complaints
                    .push(format!("{pod} was restarted {restarted} times and has {count} ended containers"));
            }
        }
        let replicas = pods.iter().filter(is_web).count();
        if replicas != REPLICAS {
            complaints.push(format!("the controller has {replicas} pods"));
        }
        complaints
    }

    /// The name of the pod that answers at the service's cluster IP, asked from this machine.
    pub(super) fn ask_service(&self) -> Option<String> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--max-time", "3", &format!("http://{}/", self.cluster_ip)]);
        let output = Output::of(&mut curl, "");
        output.success.then(|| output.stdout.trim().to_owned())
    }

    /// Asserts that soon every pod of the service answers at its cluster IP, and nobody else does.
    #[track_caller]
    pub(super) fn assert_service_answers(&self) {
        let all = self.pods().unwrap_or_else(|why| panic!("pods are not listed: {why}"));
        let web = all.iter().filter(is_web);
        let web: BTreeSet<String> =
            web.filter_map(|pod| Some(pod["metadata"]["name"].as_str()?.to_owned())).collect();
        eventually::within(SETTLES, || {
            let answers: BTreeSet<Option<String>> = (0..12 * REPLICAS).map(|_| self.ask_service()).collect();
            match answers == web.iter().cloned().map(Some).collect() {
                true => Ok(()),
                false => Err(format!("{answers:?} answer instead of {web:?}")),
            }
        });
    }
}

/// A pod that nobody looks after.
pub(super) fn bare(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [
            {"name": "main", "image": DEMO_IMAGE, "imagePullPolicy": "Never"},
        ]},
    })
}

fn is_web(pod: &&Value) -> bool {
    pod["metadata"]["labels"]["app"] == WEB
}

fn restarts(pod: &Value) -> u64 {
    pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or_default()
}

fn not_ready(pod: &Value) -> Option<String> {
    let (name, status) = (&pod["metadata"]["name"], &pod["status"]);
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return Some(format!("{name} is being deleted"));
    }
    let is_ready = status["phase"] == "Running" && status["containerStatuses"][0]["ready"] == true;
    (!is_ready).then(|| format!("{name} is not ready: {status}"))
}
