//! How each process of a stack is started.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::part::Recipe;
use super::{StackConfig, ports};
use crate::{Network, up};

/// Where a member of etcd that is a host of its own listens: for clients, for other members, and for its metrics.
const ETCD_PORTS: [u16; 3] = [2379, 2380, 2381];

/// What the recipes have in common.
pub(super) struct Cook<'a> {
    pub(super) config: &'a StackConfig,
    pub(super) dir: &'a Path,
    /// Where members of etcd are hosts of their own, if they are to be.
    pub(super) network: Option<&'a Network>,
}

/// Everything that is to run, in the order in which it may be started.
pub(super) struct Recipes {
    pub(super) etcd: Vec<Recipe>,
    pub(super) apis: Vec<Recipe>,
    pub(super) others: Vec<Recipe>,
}

// === impl Cook ===

impl Cook<'_> {
    pub(super) fn recipes(&self) -> Recipes {
        let config = self.config;
        let etcd = self.etcd();
        let store = store(&etcd);
        let gateways: Vec<SocketAddr> = (0..config.gateways).map(|_| loopback()).collect();
        let apis: Vec<Recipe> = (1..=config.apis).map(|index| self.api(index, &store)).collect();
        let api = list(apis.iter().map(|api| api.address));
        let mut others = Vec::new();
        for (at, index) in gateways.iter().zip(1..) {
            others.push(self.client_of_api("gateway", index, *at, &api, &[]));
        }
        for index in 1..=config.schedulers {
            others.push(self.client_of_api("scheduler", index, loopback(), &api, &config.scheduler_flags));
        }
        for index in 1..=config.replications {
            let flags = &config.replication_flags;
            others.push(self.client_of_api("replication", index, loopback(), &api, flags));
        }
        for index in 1..=config.nodes {
            others.push(self.kubelet(index, &api));
        }
        if config.proxy {
            let range = config.service_network.to_string();
            let flags = [&["--service-cluster-ip-range".to_owned(), range], &*config.proxy_flags].concat();
            others.push(self.client_of_api("service-proxy", 1, loopback(), &api, &flags));
        }
        Recipes { etcd, apis, others }
    }

    fn etcd(&self) -> Vec<Recipe> {
        let addresses = |index| match self.network {
            Some(network) => ETCD_PORTS.map(|port| SocketAddr::new(network.address(index).into(), port)),
            None => [loopback(), loopback(), loopback()],
        };
        let members: Vec<(String, [SocketAddr; 3])> =
            (1..=self.config.etcd).map(|index| (format!("etcd-{index}"), addresses(index))).collect();
        let scheme = if self.config.etcd_tls { "https" } else { "http" };
        let url = |address: SocketAddr| format!("{scheme}://{address}");
        let cluster: Vec<String> =
            members.iter().map(|(name, [_, peer, _])| format!("{name}={}", url(*peer))).collect();
        let recipe = |(index, (name, [client, peer, metrics])): (usize, &(String, [SocketAddr; 3]))| {
            let data = self.dir.join(name);
            let args = [
                ("--name", name.clone()),
                ("--data-dir", data.display().to_string()),
                ("--log-level", "warn".to_owned()),
                ("--initial-cluster", cluster.join(",")),
                ("--listen-client-urls", url(*client)),
                ("--advertise-client-urls", url(*client)),
                ("--listen-peer-urls", url(*peer)),
                ("--initial-advertise-peer-urls", url(*peer)),
                ("--listen-metrics-urls", format!("http://{metrics}")),
            ];
            let args = args.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
            let args = args.chain(self.etcd_certificates()).chain(self.config.etcd_flags.iter().cloned());
            // Both replace the process that they are started as, so that its id is etcd's.
            let (program, before) = match self.network {
                Some(network) => {
                    let enter = format!("--net={}", network.path(index + 1).display());
                    ("nsenter", vec![enter, "--".to_owned(), "etcd".to_owned()])
                }
                None => ("etcd", Vec::new()),
            };
            Recipe {
                name: name.clone(),
                program: PathBuf::from(program),
                args: before.into_iter().chain(args).collect(),
                env: Vec::new(),
                address: *client,
                admin: *metrics,
                ready: "/health",
            }
        };
        members.iter().enumerate().map(recipe).collect()
    }

    /// The flags of etcd's certificates, by which members and clients prove who they are.
    fn etcd_certificates(&self) -> Vec<String> {
        let pki = |file: &str| self.dir.join("pki/etcd").join(file).display().to_string();
        let of = |prefix: &str| {
            let flag = |name: &str, file: &str| format!("--{prefix}{name}={}", pki(file));
            let files =
                [("cert-file", "server.crt"), ("key-file", "server.key"), ("trusted-ca-file", "ca.crt")];
            let files = files.map(|(name, file)| flag(name, file));
            files.into_iter().chain([format!("--{prefix}client-cert-auth")]).collect::<Vec<_>>()
        };
        if self.config.etcd_tls { [of(""), of("peer-")].concat() } else { Vec::new() }
    }

    fn api(&self, index: usize, store: &str) -> Recipe {
        let data = self.dir.join("store").display().to_string();
        let range = self.config.service_network.to_string();
        let flags =
            ["--store", store, "--data-dir", &data, "--service-cluster-ip-range", &range].map(str::to_owned);
        let pki = |file: &str| self.dir.join("pki/etcd").join(file).display().to_string();
        let files = [("cafile", "ca.crt"), ("certfile", "api.crt"), ("keyfile", "api.key")];
        let files = files.into_iter().filter(|_| self.config.etcd_tls);
        let tls: Vec<String> = files.map(|(flag, file)| format!("--etcd-{flag}={}", pki(file))).collect();
        let flags = [&flags, &*tls, &*self.config.api_flags].concat();
        self.service("api", &format!("api-{index}"), loopback(), &flags)
    }

    fn kubelet(&self, index: usize, api: &str) -> Recipe {
        let node = format!("node-{index}");
        let root = self.dir.join("nodes").join(&node).display().to_string();
        let runtime = if self.config.docker { "docker" } else { "hollow" };
        let pods = format!("198.18.{}.0/20", (index - 1) * 16);
        let flags = [
            ["--node-name", &node],
            ["--node-ip", "127.0.0.1"],
            ["--runtime", runtime],
            ["--root-dir", &root],
            ["--hollow-pod-network", &pods],
        ];
        let flags: Vec<String> = flags.as_flattened().iter().map(|flag| (*flag).to_owned()).collect();
        let flags = [&*flags, &*self.config.kubelet_flags].concat();
        self.client_of_api("kubelet", index, loopback(), api, &flags)
    }

    fn client_of_api(
        &self,
        command: &str,
        index: usize,
        listen: SocketAddr,
        api: &str,
        flags: &[String],
    ) -> Recipe {
        let flags = [&["--api".to_owned(), api.to_owned()], flags].concat();
        self.service(command, &format!("{command}-{index}"), listen, &flags)
    }

    fn service(&self, command: &str, name: &str, listen: SocketAddr, flags: &[String]) -> Recipe {
        let admin = loopback();
        let (pki, listens, admins) = (self.dir.join("pki"), listen.to_string(), admin.to_string());
        let pki = pki.display().to_string();
        let common =
            [command, "--pki-dir", &pki, "--listen", &listens, "--admin-address", &admins, "--log", "info"];
        let args = common.into_iter().map(str::to_owned).chain(flags.iter().cloned()).collect();
        let env = vec![("HOME".to_owned(), self.dir.display().to_string())];
        let name = name.to_owned();
        Recipe { name, program: up::binary(), args, env, address: listen, admin, ready: "/readyz" }
    }
}

/// A port of its own.
fn loopback() -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), ports::free())
}

fn list(addresses: impl Iterator<Item = SocketAddr>) -> String {
    addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(",")
}

/// The value of --store.
fn store(etcd: &[Recipe]) -> String {
    match etcd {
        [] => "embedded".to_owned(),
        members => format!("etcd://{}", list(members.iter().map(|member| member.address))),
    }
}
