//! The stack of `compose.yaml`, as a project of its own: other ports, another directory, other addresses.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::in_process::any_service_network;
use crate::stack::ports;
use crate::{Output, Target, docker, eventually, up};

/// How long a command of compose may take; stopping waits for the pods' containers.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long services may take to get healthy.
const HEALTHY: Duration = Duration::from_secs(90);

/// The images that these tests make; those that somebody runs stay as they are.
const IMAGE: &str = "keelson/keelson:test";

/// The variables of `compose.yaml` that name ports of this host.
const PORTS: [&str; 11] = [
    "KEELSON_GATEWAY_PORT",
    "KEELSON_API_1_PORT",
    "KEELSON_API_2_PORT",
    "KEELSON_OTLP_PORT",
    "KEELSON_TRACE_PORT",
    "KEELSON_PROXY_PORT",
    "KEELSON_PROXY_ADMIN_PORT",
    "KEELSON_NODE_1_PORT",
    "KEELSON_NODE_1_ADMIN_PORT",
    "KEELSON_NODE_2_PORT",
    "KEELSON_NODE_2_ADMIN_PORT",
];

/// The stack of `compose.yaml`, as a project of its own. Taken down when dropped; a test that fails shows the end of
/// its logs.
#[derive(Debug)]
pub struct Compose {
    project: String,
    profiles: Vec<String>,
    variables: Vec<(String, String)>,
    cluster_id: Option<String>,
    dir: TempDir,
}

// === impl Compose ===

impl Compose {
    /// Makes the images, from Debian's packages and the `keelson` binary; starts nothing.
    ///
    /// # Panics
    /// If an image cannot be made.
    #[track_caller]
    pub fn prepare(profiles: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut images = Command::new(tree().join("tests/images"));
        images.arg(up::binary()).env("KEELSON_IMAGE", IMAGE);
        Output::within(PATIENCE, &mut images, "").ok();
        let fixed = [
            ("KEELSON_IMAGE", IMAGE.to_owned()),
            ("KEELSON_HEALTH_INTERVAL", "2s".to_owned()),
            ("KEELSON_BRIDGE_ADDRESS", bridge_address()),
            ("KEELSON_SERVICE_CLUSTER_IP_RANGE", any_service_network().to_string()),
            ("KEELSON_ROOT_DIR", dir.path().join("nodes").display().to_string()),
        ];
        let ports = PORTS.iter().map(|name| ((*name).to_owned(), ports::free().to_string()));
        let mut variables: Vec<(String, String)> =
            fixed.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(ports).collect();
        let otlp = format!("http://127.0.0.1:{}", value(&variables, "KEELSON_OTLP_PORT"));
        variables.push(("KEELSON_HOST_OTLP_ENDPOINT".to_owned(), otlp));
        let project = format!("keelson-test-{:08x}", fastrand::u32(..));
        let profiles = profiles.iter().map(|profile| (*profile).to_owned()).collect();
        Self { project, profiles, variables, cluster_id: None, dir }
    }

    /// `docker-compose up --detach`, of these services and what they need, or of all; waits until all are healthy.
    ///
    /// # Panics
    /// If one does not get healthy.
    #[track_caller]
    pub fn up(&mut self, services: &[&str]) {
        let words: Vec<&str> =
            ["up", "--detach", "--no-build"].into_iter().chain(services.iter().copied()).collect();
        self.run(&words);
        self.wait_healthy();
        let id = self.run(&["exec", "-T", "gateway", "busybox", "cat", "/etc/keelson/pki/cluster-id"]);
        self.cluster_id = Some(id.trim().to_owned());
    }

    /// Waits until every running service that has a health check passes it.
    ///
    /// # Panics
    /// If one does not.
    #[track_caller]
    pub fn wait_healthy(&self) {
        eventually::within(HEALTHY, || {
            let not_yet: Vec<String> = self.states().into_iter().filter(|line| !is_well(line)).collect();
            if not_yet.is_empty() { Ok(()) } else { Err(format!("not healthy: {not_yet:?}")) }
        });
    }

    /// `docker-compose` with these words; what it prints.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> String {
        Output::within(PATIENCE, &mut self.command(words), "").ok()
    }

    /// The administrator's way in, by the kubeconfig that the README's command prints.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn target(&self) -> Target {
        let kubeconfig = self.dir.path().join("kubeconfig");
        let text = self.run(&["exec", "-T", "gateway", "busybox", "cat", "/etc/keelson/pki/kubeconfig"]);
        std::fs::write(&kubeconfig, text).expect("a file can be written");
        let bridge = self.variable("KEELSON_BRIDGE_ADDRESS");
        let kubelets = ["KEELSON_NODE_1_PORT", "KEELSON_NODE_2_PORT"];
        let kubelets = kubelets.map(|port| format!("{bridge}:{}", self.variable(port)));
        let grpc = format!("127.0.0.1:{}", self.variable("KEELSON_API_1_PORT"));
        Target::new(&kubeconfig, Some(grpc), kubelets.to_vec())
    }

    /// A variable of `compose.yaml`.
    ///
    /// # Panics
    /// If these tests do not set it.
    #[track_caller]
    pub fn variable(&self, name: &str) -> &str {
        value(&self.variables, name)
    }

    /// Sets a variable of `compose.yaml`, for the commands that follow.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// The id that containers and rules carry.
    ///
    /// # Panics
    /// If it is not up.
    #[track_caller]
    pub fn cluster_id(&self) -> &str {
        self.cluster_id.as_deref().expect("it is up")
    }

    /// Where nodes keep their pods' volumes.
    pub fn root_dir(&self) -> &Path {
        Path::new(self.variable("KEELSON_ROOT_DIR"))
    }

    /// Docker's id of a service's container.
    #[track_caller]
    pub fn container(&self, service: &str) -> String {
        self.run(&["ps", "--quiet", service]).trim().to_owned()
    }

    /// What of it is in Docker: its containers, networks and volumes, one a line.
    #[track_caller]
    pub fn resources(&self) -> Vec<String> {
        let label = format!("label=com.docker.compose.project={}", self.project);
        let list = |words: &[&str]| {
            let mut command = Command::new("docker");
            command.args(words).args(["--filter", &label]);
            Output::of(&mut command, "").ok()
        };
        let text = [
            list(&["ps", "--all", "--format", "container {{.Names}}"]),
            list(&["network", "ls", "--format", "network {{.Name}}"]),
            list(&["volume", "ls", "--format", "volume {{.Name}}"]),
        ];
        text.concat().lines().map(str::to_owned).collect()
    }

    /// `docker-compose down --volumes`.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn down(&self) {
        self.run(&["down", "--volumes"]);
    }

    /// The services' containers as Docker tells them: `<service> <state>`.
    fn states(&self) -> Vec<String> {
        let label = format!("label=com.docker.compose.project={}", self.project);
        let format = "{{.Label \"com.docker.compose.service\"}} {{.Status}}";
        let mut command = Command::new("docker");
        command.args(["ps", "--all", "--filter", &label, "--format", format]);
        Output::of(&mut command, "").ok().lines().map(str::to_owned).collect()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker-compose");
        command.current_dir(tree()).args(["--no-ansi", "--project-name", &self.project]);
        for profile in &self.profiles {
            command.args(["--profile", profile]);
        }
        command.args(words).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = Output::within(PATIENCE, &mut self.command(&["logs", "--no-color", "--tail=30"]), "");
            eprintln!("--- {}\n{}", self.states().join("\n"), logs.stdout);
        }
        let _ = Output::within(PATIENCE, &mut self.command(&["down", "--volumes"]), "");
        if let Some(id) = &self.cluster_id {
            docker::remove_cluster(id);
        }
    }
}

/// The tree that these tests are of.
pub(crate) fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests are in the tree")
}

/// Whether a service is as it should be: healthy, running without a health check, or ended well.
fn is_well(state: &str) -> bool {
    match state.split_once(' ').map(|(_, state)| state) {
        Some(state) if state.starts_with("Up") => state.contains("(healthy)") || !state.contains("(health"),
        Some(state) => state.starts_with("Exited (0)"),
        None => false,
    }
}

/// This host's address on Docker's own bridge.
#[track_caller]
fn bridge_address() -> String {
    let mut command = Command::new("docker");
    command.args(["network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"]);
    Output::of(&mut command, "").ok().trim().to_owned()
}

#[track_caller]
fn value<'a>(variables: &'a [(String, String)], name: &str) -> &'a str {
    let found = variables.iter().find(|(found, _)| found == name);
    &found.unwrap_or_else(|| panic!("the tests do not set {name}")).1
}
