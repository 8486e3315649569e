//! Every service of a cluster in a process of its own, on this machine's loopback.

mod part;
pub(crate) mod ports;
mod recipes;

pub use self::part::Part;

use std::path::Path;
use std::process::Command;

use ipnet::Ipv4Net;
use tempfile::TempDir;

use self::recipes::{Cook, Recipes};
use crate::in_process::any_service_network;
use crate::{Network, Output, Target, docker, up};

/// How many of each there are, and their further flags.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// Members of etcd; with none of them the one api keeps the embedded store.
    pub etcd: usize,
    /// Whether etcd wants certificates, of an authority of its own.
    pub etcd_tls: bool,
    /// Whether each member of etcd is a host of its own, which [`Stack::cut`] can cut off. Not with `etcd_tls`: its
    /// certificates do not name such hosts.
    pub etcd_apart: bool,
    /// Further flags of every member of etcd.
    pub etcd_flags: Vec<String>,
    /// Replicas of api.
    pub apis: usize,
    /// Gateways.
    pub gateways: usize,
    /// Replicas of the scheduler.
    pub schedulers: usize,
    /// Replicas of the control loops.
    pub replications: usize,
    /// Kubelets, of the nodes `node-1` and so on.
    pub nodes: usize,
    /// Whether kubelets run pods on Docker; else they are hollow.
    pub docker: bool,
    /// Whether a service proxy runs.
    pub proxy: bool,
    /// The network that cluster IPs are taken from.
    pub service_network: Ipv4Net,
    /// Further flags of every api.
    pub api_flags: Vec<String>,
    /// Further flags of every scheduler.
    pub scheduler_flags: Vec<String>,
    /// Further flags of all control loops.
    pub replication_flags: Vec<String>,
    /// Further flags of every kubelet.
    pub kubelet_flags: Vec<String>,
    /// Further flags of the service proxy.
    pub proxy_flags: Vec<String>,
}

/// Every service of a cluster in a process of its own. Parts are called by what they are and a number: `etcd-1`,
/// `api-1`, `gateway-1`, `scheduler-1`, `replication-1`, `kubelet-1`, `service-proxy-1`.
///
/// Everything is killed, and what is left in Docker and in the kernel removed, when it is dropped. A test that fails
/// shows the end of each log.
#[derive(Debug)]
pub struct Stack {
    parts: Vec<Part>,
    config: StackConfig,
    target: Target,
    /// Goes after what runs in it.
    network: Option<Network>,
    dir: TempDir,
}

// === impl StackConfig ===

impl Default for StackConfig {
    /// One of each but etcd, hollow, without a proxy.
    fn default() -> Self {
        Self {
            etcd: 0,
            etcd_tls: false,
            etcd_apart: false,
            etcd_flags: Vec::new(),
            apis: 1,
            gateways: 1,
            schedulers: 1,
            replications: 1,
            nodes: 1,
            docker: false,
            proxy: false,
            service_network: any_service_network(),
            api_flags: Vec::new(),
            scheduler_flags: Vec::new(),
            replication_flags: Vec::new(),
            kubelet_flags: Vec::new(),
            proxy_flags: Vec::new(),
        }
    }
}

// === impl Stack ===

impl Stack {
    /// Makes certificates and starts everything; returns when all of it is ready.
    ///
    /// # Panics
    /// With its log, if a process does not get ready.
    #[track_caller]
    pub fn start(config: StackConfig) -> Self {
        let mut stack = Self::prepare(config);
        // All at once, in no particular order: each waits for what it needs.
        stack.parts.iter_mut().for_each(Part::start);
        stack.parts.iter_mut().for_each(Part::wait_ready);
        stack
    }

    /// Makes certificates, and starts nothing.
    ///
    /// # Panics
    /// If certificates cannot be made.
    #[track_caller]
    pub fn prepare(config: StackConfig) -> Self {
        assert!(config.etcd > 0 || config.apis == 1, "several replicas of api need etcd");
        assert!(
            !(config.etcd_apart && config.etcd_tls),
            "etcd's certificates do not name hosts of their own"
        );
        let dir = tempfile::tempdir().expect("a temporary directory");
        let network = config.etcd_apart.then(|| Network::new(config.etcd));
        let cook = Cook { config: &config, dir: dir.path(), network: network.as_ref() };
        let Recipes { etcd, apis, others } = cook.recipes();
        let gateway = others.iter().find(|part| part.name == "gateway-1").expect("a gateway");
        let server = format!("https://{}", gateway.address);
        pki(&dir.path().join("pki"), &config, &server);
        let kubelets = others.iter().filter(|part| part.name.starts_with("kubelet-"));
        let kubelets = kubelets.map(|part| part.address.to_string()).collect();
        let grpc = apis.first().map(|api| api.address.to_string());
        let target = Target::new(&dir.path().join("pki/kubeconfig"), grpc, kubelets);
        let recipes = etcd.into_iter().chain(apis).chain(others);
        let parts = recipes.map(|recipe| Part::new(recipe, dir.path())).collect();
        Self { parts, config, target, network, dir }
    }

    /// The administrator's way in, through the first gateway and the first api.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What it was started with.
    pub fn config(&self) -> &StackConfig {
        &self.config
    }

    /// Where data, certificates (`pki`) and logs (`<part>.log`) are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The id that containers and rules carry.
    ///
    /// # Panics
    /// If it cannot be read.
    #[track_caller]
    pub fn cluster_id(&self) -> String {
        let id = std::fs::read_to_string(self.dir().join("pki/cluster-id")).expect("a cluster has an id");
        id.trim().to_owned()
    }

    /// A part, by its name.
    ///
    /// # Panics
    /// If there is none of that name.
    #[track_caller]
    pub fn part(&mut self, name: &str) -> &mut Part {
        let found = self.parts.iter_mut().find(|part| part.name() == name);
        found.unwrap_or_else(|| panic!("there is no {name} in this stack"))
    }

    /// All parts, in an order in which each needs only those before it.
    pub fn parts(&mut self) -> &mut [Part] {
        &mut self.parts
    }

    /// Cuts a member of etcd off from everybody, while it and all its connections live on.
    ///
    /// # Panics
    /// If the members are not hosts of their own, or there is none of that name.
    #[track_caller]
    pub fn cut(&self, member: &str) {
        self.network().cut(host(member));
    }

    /// Connects it again.
    ///
    /// # Panics
    /// As [`Stack::cut`].
    #[track_caller]
    pub fn heal(&self, member: &str) {
        self.network().heal(host(member));
    }

    #[track_caller]
    fn network(&self) -> &Network {
        self.network.as_ref().expect("members of etcd are hosts of their own with `etcd_apart`")
    }

    /// The names of all services, without etcd.
    pub fn services(&self) -> Vec<String> {
        let names = self.parts.iter().map(|part| part.name().to_owned());
        names.filter(|name| !name.starts_with("etcd-")).collect()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for part in &self.parts {
                eprintln!("--- the log of {} ends with\n{}", part.name(), part.tail());
            }
        }
        self.parts.iter_mut().for_each(Part::kill);
        let id = std::fs::read_to_string(self.dir().join("pki/cluster-id")).unwrap_or_default();
        if self.config.docker {
            docker::remove_cluster(id.trim());
        }
        if self.config.proxy {
            let mut command = Command::new(up::binary());
            let cleaned =
                Output::of(command.args(["service-proxy", "--cleanup", "--cluster-id", id.trim()]), "");
            assert!(cleaned.success || std::thread::panicking(), "{cleaned}");
        }
    }
}

/// Which host a member of etcd is.
#[track_caller]
fn host(member: &str) -> usize {
    let number = member.strip_prefix("etcd-").and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{member} is no member of etcd"))
}

/// Makes all certificates and a kubeconfig, as an administrator does.
#[track_caller]
fn pki(dir: &Path, config: &StackConfig, server: &str) {
    let mut command = Command::new(up::binary());
    command.arg("pki").arg("--pki-dir").arg(dir).args(["--gateway-url", server]);
    command.args(["--service-cluster-ip-range", &config.service_network.to_string()]);
    for index in 1..=config.nodes {
        command.args(["--node", &format!("node-{index}")]);
    }
    Output::of(&mut command, "").ok();
}
