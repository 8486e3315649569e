//! A cluster whose services run in processes of their own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{Cluster, Service, administrator, free_ports, local};
use crate::bench::Bench;
use crate::https::Https;

/// The node of the one kubelet.
const NODE: &str = "bench-node";

/// What api's certificate calls it, wherever it is.
const API: &str = "keelson-api";

/// How long the cluster may take until it is ready, and how long to wait before it is asked again.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a service says when its port is bound and it serves.
const SERVES: &str = "listening on";

/// What the processes have in common.
struct Parts<'a> {
    bench: &'a Bench,
    pki: &'a Path,
    api: String,
}

// === impl Cluster ===

impl Cluster {
    /// Makes certificates and starts api, gateway, scheduler, replication and one hollow kubelet, without rules.
    pub(super) async fn apart(bench: &Bench, data: &Path, store: &str) -> anyhow::Result<Self> {
        let [api, gateway, scheduler, replication, kubelet] = free_ports()?;
        let pki = data.join("pki");
        make_certificates(bench, &pki, gateway)?;
        let parts = Parts { bench, pki: &pki, api: local(api).to_string() };
        let began = Instant::now();
        let mut first = parts.command("api", api);
        first.args(["--store", store, "--data-dir"]).arg(data.join("store"));
        let mut services = vec![Service::start("api", &mut first)?];
        // The others would try again until it is there; that it takes them a moment is not what is measured.
        for service in &mut services {
            service.wait_for(SERVES).await?;
        }
        for (name, port) in [("gateway", gateway), ("scheduler", scheduler), ("replication", replication)] {
            services.push(Service::start(name, &mut parts.client_of_api(name, port))?);
        }
        let mut last = parts.client_of_api("kubelet", kubelet);
        last.args(["--node-name", NODE, "--node-ip", "127.0.0.1", "--runtime", "hollow", "--root-dir"]);
        services.push(Service::start("kubelet", last.arg(data.join("node")))?);
        for service in services.iter_mut().skip(1) {
            service.wait_for(SERVES).await?;
        }
        let mut cluster = Self {
            services,
            identity: administrator(&pki)?,
            gateway: local(gateway),
            grpc: local(api),
            grpc_name: Some(API.to_owned()),
            wall: Duration::ZERO,
            said: Duration::ZERO,
        };
        tokio::time::timeout(PATIENCE, ready(&cluster.gateway()?))
            .await
            .context("api or gateway is not ready")??;
        cluster.wall = began.elapsed();
        Ok(cluster)
    }
}

/// Waits until the gateway says that it and api are ready: they serve before they have what they need.
async fn ready(gateway: &Https) -> anyhow::Result<()> {
    while gateway.connect().await?.get("/readyz", "*/*").await.is_err() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

// === impl Parts ===

impl Parts<'_> {
    fn command(&self, name: &str, port: u16) -> Command {
        let mut command = Command::new(&self.bench.keelson);
        command.arg(name).arg("--pki-dir").arg(self.pki).args(["--listen", &local(port).to_string()]);
        command
    }

    fn client_of_api(&self, name: &str, port: u16) -> Command {
        let mut command = self.command(name, port);
        command.args(["--api", &self.api]);
        command
    }
}

fn make_certificates(bench: &Bench, pki: &Path, gateway: u16) -> anyhow::Result<()> {
    let mut command = Command::new(&bench.keelson);
    command.arg("pki").arg("--pki-dir").arg(pki).args(["--node", NODE]);
    command.args(["--gateway-url", &format!("https://{}", local(gateway))]);
    let made = command.stdin(Stdio::null()).output()?;
    ensure!(made.status.success(), "`keelson pki` failed: {}", String::from_utf8_lossy(&made.stderr).trim());
    Ok(())
}
