//! The containers of a rendered chart, run on Docker as their pods would: the first signs the pod's identity with the
//! authority that Helm made, the second serves with it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keelson_tests::{Compose, Helm, Output, assert_eventually};
use serde_json::Value;
use tempfile::TempDir;

use super::workload::{name, named, of_kind, texts};

/// A network in which pods have the names that services would give them. What was started is removed when it is dropped.
struct Lan {
    name: String,
    /// Docker's ids of containers, and the directories that they use.
    started: Vec<(String, Pod)>,
}

/// A pod's directories.
struct Pod {
    dir: TempDir,
}

// === impl Lan ===

impl Lan {
    fn new() -> Self {
        let name = format!("keelson-test-{:08x}", fastrand::u32(..));
        Output::of(Command::new("docker").args(["network", "create", &name]), "").ok();
        Self { name, started: Vec::new() }
    }

    /// Runs the containers of a workload's pod: to the end the one that signs, then the one that serves.
    fn start(&mut self, objects: &[Value], workload: &Value, ordinal: usize, image: &str) {
        let spec = &workload["spec"]["template"]["spec"];
        let pod = Pod::new(objects);
        pod.sign(&spec["initContainers"][0], image);
        let container = &spec["containers"][0];
        let (pod_name, host) = match workload["spec"]["serviceName"].as_str() {
            Some(service) => {
                let pod_name = format!("{}-{ordinal}", name(workload));
                (pod_name.clone(), format!("{pod_name}.{service}"))
            }
            None => (name(workload), name(workload)),
        };
        let pki = format!("{}:/etc/keelson/pki:ro", pod.path("pki"));
        let mut command = locked(&["--detach", "--network", &self.name, "--volume", &pki]);
        command.args(["--network-alias", &format!("{host}.charted.svc")]);
        command.args(["--tmpfs=/var/lib/keelson:uid=65532", "--tmpfs=/var/lib/etcd:uid=65532"]);
        // Of our own image the one that these tests made.
        let theirs = container["image"].as_str().filter(|image| image.contains("etcd"));
        command.arg(theirs.unwrap_or(image)).args(texts(&container["command"]));
        command.args(texts(&container["args"]).iter().map(|arg| arg.replace("$(POD_NAME)", &pod_name)));
        let id = Output::of(&mut command, "").ok().trim().to_owned();
        self.started.push((id, pod));
    }

    /// Waits until the container that was started last passes its readiness probe.
    fn wait_ready(&self, workload: &Value) {
        let container = &workload["spec"]["template"]["spec"]["containers"][0];
        let probe = &container["readinessProbe"]["httpGet"];
        let ports = container["ports"].as_array().unwrap();
        let port = ports.iter().find(|port| port["name"] == probe["port"]).unwrap();
        let url = format!("http://127.0.0.1:{}{}", port["containerPort"], probe["path"].as_str().unwrap());
        let (id, _) = self.started.last().unwrap();
        let look = || {
            Output::of(
                Command::new("docker").args(["exec", id, "busybox", "wget", "-q", "-O", "-", &url]),
                "",
            )
        };
        let logs = || Output::of(Command::new("docker").args(["logs", "--tail=20", id]), "");
        assert_eventually!(look().success, "{url} of {}: {}{}", name(workload), look(), logs());
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for (id, _) in &self.started {
            Output::of(Command::new("docker").args(["rm", "--force", "--volumes", id]), "");
        }
        Output::of(Command::new("docker").args(["network", "rm", &self.name]), "");
    }
}

// === impl Pod ===

impl Pod {
    /// With the authorities that Helm made, readable as the pod's security context has it.
    fn new(objects: &[Value]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["authorities", "pki"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let authorities = of_kind(objects, "Secret").into_iter().next().unwrap();
        for (file, data) in authorities["data"].as_object().unwrap() {
            let bytes = STANDARD.decode(data.as_str().unwrap()).unwrap();
            std::fs::write(dir.path().join("authorities").join(file), bytes).unwrap();
        }
        Output::of(Command::new("chown").args(["-R", "65532"]).arg(dir.path()), "").ok();
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Runs the container that signs; answers with the files that it leaves.
    fn sign(&self, container: &Value, image: &str) -> BTreeSet<String> {
        let authorities = format!("{}:/authorities:ro", self.path("authorities"));
        let pki = format!("{}:/etc/keelson/pki", self.path("pki"));
        let mut command = locked(&["--rm", "--network=none", "--volume", &authorities, "--volume", &pki]);
        command.args(["--env=NODE_NAME=worker-7", "--entrypoint=busybox", image]);
        command.args(&texts(&container["command"])[1..]).args(texts(&container["args"]));
        Output::of(&mut command, "").ok();
        files(Path::new(&self.path("pki")))
    }
}

/// `docker run` as the pods' security contexts say: nobody's root, nothing to write to but volumes.
fn locked(flags: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(["run", "--read-only", "--user=65532:65532", "--cap-drop=ALL", "--tmpfs=/tmp:mode=1777"]);
    command.arg("--security-opt=no-new-privileges").args(flags);
    command
}

/// The files below a directory.
fn files(dir: &Path) -> BTreeSet<String> {
    let text = Output::of(Command::new("find").arg(dir).args(["-type", "f", "-printf", "%P\n"]), "").ok();
    text.lines().map(str::to_owned).collect()
}

fn set(files: &[&str]) -> BTreeSet<String> {
    files.iter().map(|file| (*file).to_owned()).collect()
}

#[test]
fn each_pod_sees_its_own_identity_alone() {
    let compose = Compose::prepare(&[]);
    let objects = Helm::new().objects("nodes: {enabled: true}");
    let api = ["ca.crt", "api.crt", "api.key", "sa.key", "etcd/ca.crt", "etcd/api.crt", "etcd/api.key"];
    for (kind, service, expected) in [
        ("StatefulSet", "etcd", &["etcd/ca.crt", "etcd/server.crt", "etcd/server.key"][..]),
        ("StatefulSet", "api", &api),
        ("Deployment", "scheduler", &["ca.crt", "scheduler.crt", "scheduler.key"]),
        ("Deployment", "replication", &["ca.crt", "replication.crt", "replication.key"]),
        ("Deployment", "gateway", &["ca.crt", "gateway.crt", "gateway.key"]),
        ("DaemonSet", "service-proxy", &["ca.crt", "cluster-id", "service-proxy.crt", "service-proxy.key"]),
        ("DaemonSet", "kubelet", &["ca.crt", "cluster-id", "kubelet-worker-7.crt", "kubelet-worker-7.key"]),
    ] {
        let workload = named(&objects, kind, &format!("test-keelson-{service}"));
        let signer = &workload["spec"]["template"]["spec"]["initContainers"][0];
        let left = Pod::new(&objects).sign(signer, compose.variable("KEELSON_IMAGE"));
        assert_eq!(left, set(expected), "{service}");
    }
}

/// Everything but the nodes, with three members of etcd, under the names that the chart gives; then what `helm test`
/// would run.
#[test]
fn the_control_plane_comes_up_and_passes_the_charts_own_test() {
    let compose = Compose::prepare(&[]);
    let image = compose.variable("KEELSON_IMAGE");
    let objects = Helm::new().objects("tracing: {sink: {enabled: false}}");
    let mut lan = Lan::new();
    for (kind, service, replicas) in [
        ("StatefulSet", "etcd", 3),
        ("StatefulSet", "api", 2),
        ("Deployment", "scheduler", 1),
        ("Deployment", "replication", 1),
        ("Deployment", "gateway", 1),
    ] {
        let workload = named(&objects, kind, &format!("test-keelson-{service}"));
        for ordinal in 0..replicas {
            lan.start(&objects, workload, ordinal, image);
        }
        lan.wait_ready(workload);
    }
    let test = named(&objects, "Pod", "test-keelson-test");
    let container = &test["spec"]["containers"][0];
    let mut command = locked(&["--rm", "--network", &lan.name, "--entrypoint=busybox", image]);
    command.args(&texts(&container["command"])[1..]).args(texts(&container["args"]));
    let said = Output::of(&mut command, "").ok();
    assert_eq!(said.matches("ok").count(), 2, "both replicas of api are ready: {said}");
}
