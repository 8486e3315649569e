//! A cluster: `keelson up`, or each service in a process of its own.

mod apart;
mod service;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use keelson_base_client::{Channel, Client, Endpoints};
use keelson_base_daemon::tls::Identity;

pub(crate) use self::service::Service;
use crate::bench::Bench;
use crate::https::Https;
use crate::process::{self, Memory};

/// How the services of a cluster run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All in one process, as `keelson up` runs them: calls between them are function calls.
    Together,
    /// Each in a process of its own: calls between them are gRPC over TLS on the loopback.
    Apart,
}

/// A cluster, and everything to talk to it. Ctrl-C'd when dropped, which removes its containers and rules.
#[derive(Debug)]
pub(crate) struct Cluster {
    services: Vec<Service>,
    identity: Identity,
    gateway: SocketAddr,
    grpc: SocketAddr,
    /// The name in api's certificate, if it is not its address.
    grpc_name: Option<String>,
    /// From before the first process was made to the last one's word that it is ready.
    pub(crate) wall: Duration,
    /// How long it says it took; `up` alone says that.
    pub(crate) said: Duration,
}

// === impl Shape ===

impl Shape {
    /// What to put behind a name in a row: nothing for what users start first.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Together => "",
            Self::Apart => ", processes",
        }
    }
}

// === impl Cluster ===

impl Cluster {
    /// A cluster in one process that runs nothing: its containers are only played, and there are no rules.
    pub(crate) async fn hollow(bench: &Bench, data: &str, store: &str) -> anyhow::Result<Self> {
        Self::start(bench, &bench.path(data), &["--runtime", "hollow", "--no-proxy", "--store", store]).await
    }

    /// The same in either shape.
    pub(crate) async fn of_shape(
        bench: &Bench,
        shape: Shape,
        data: &str,
        store: &str,
    ) -> anyhow::Result<Self> {
        match shape {
            Shape::Together => Self::hollow(bench, data, store).await,
            Shape::Apart => Self::apart(bench, &bench.path(&format!("{data}-apart")), store).await,
        }
    }

    /// Starts `keelson up` with these flags, and waits until it is ready.
    pub(crate) async fn start(bench: &Bench, data: &Path, flags: &[&str]) -> anyhow::Result<Self> {
        let [gateway, grpc, kubelet] = free_ports()?;
        let ports = [("--gateway-port", gateway), ("--grpc-port", grpc), ("--kubelet-port", kubelet)];
        let mut command = Command::new(&bench.keelson);
        command.arg("up").arg("--data-dir").arg(data).args(flags);
        for (flag, port) in ports {
            command.args([flag, &port.to_string()]);
        }
        let began = Instant::now();
        let mut up = Service::start("keelson", &mut command)?;
        let (at, line) = up.wait_for("ready after ").await?;
        let ms = line.trim().trim_start_matches("ready after ").trim_end_matches(" ms");
        Ok(Self {
            services: vec![up],
            identity: administrator(&data.join("pki"))?,
            gateway: local(gateway),
            grpc: local(grpc),
            grpc_name: None,
            wall: at - began,
            said: Duration::from_millis(ms.parse().with_context(|| format!("no time in {line:?}"))?),
        })
    }

    /// The next line with this text of what was started last, and when it came.
    pub(crate) async fn wait_for(&mut self, text: &str) -> anyhow::Result<(Instant, String)> {
        self.services.last_mut().context("a cluster of no services")?.wait_for(text).await
    }

    /// Its processes.
    pub(crate) fn services(&self) -> &[Service] {
        &self.services
    }

    /// Processor time of all its processes so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        self.services.iter().map(|service| process::cpu(service.pid())).sum()
    }

    /// What all its processes have in memory. Pages that they share count for each of them as resident.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        self.services.iter().map(|service| process::memory(service.pid())).sum()
    }

    /// REST, as the administrator.
    pub(crate) fn gateway(&self) -> anyhow::Result<Https> {
        Ok(Https::new(self.gateway, self.identity.client_config()?))
    }

    /// gRPC, as the administrator; one connection for all clones.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let endpoints = Endpoints {
            addresses: vec![self.grpc.to_string()],
            identity: Some(self.identity.clone().into()),
            server_name: self.grpc_name.clone(),
        };
        Ok(Client::new(Channel::connect(&endpoints)?))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // All at once; each is waited for when it is dropped itself.
        self.services.iter().for_each(Service::interrupt);
    }
}

fn administrator(pki: &Path) -> anyhow::Result<Identity> {
    Ok(Identity::from_files(&pki.join("admin.crt"), &pki.join("admin.key"), Some(&pki.join("ca.crt")))?)
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Ports that nobody listens on.
pub(crate) fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    // All are held until all are known, so they differ.
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
