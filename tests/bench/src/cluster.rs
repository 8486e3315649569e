//! `keelson up`, in a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use keelson_base_client::{Channel, Client, Endpoints};
use keelson_base_daemon::tls::Identity;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::mpsc;

use crate::bench::Bench;
use crate::https::Https;

/// How long a start, the demo or a stop may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Lines that may wait to be read; further ones are lost, so that the cluster never waits for this bench.
const LINES: usize = 1024;

/// A cluster, and everything to talk to it. Ctrl-C'd when dropped, which removes its containers and rules.
#[derive(Debug)]
pub(crate) struct Cluster {
    child: Child,
    lines: mpsc::Receiver<(Instant, String)>,
    identity: Identity,
    gateway: SocketAddr,
    grpc: SocketAddr,
    /// From before the process was made to its word that it is ready.
    pub(crate) wall: Duration,
    /// How long it says it took.
    pub(crate) said: Duration,
}

// === impl Cluster ===

impl Cluster {
    /// A cluster that runs nothing: its containers are only played, and there are no rules.
    pub(crate) async fn hollow(bench: &Bench, data: &str, store: &str) -> anyhow::Result<Self> {
        Self::start(bench, &bench.path(data), &["--runtime", "hollow", "--no-proxy", "--store", store]).await
    }

    /// Starts one with these flags, and waits until it is ready.
    pub(crate) async fn start(bench: &Bench, data: &Path, flags: &[&str]) -> anyhow::Result<Self> {
        let [gateway, grpc, kubelet] = free_ports()?;
        let ports = [("--gateway-port", gateway), ("--grpc-port", grpc), ("--kubelet-port", kubelet)];
        let mut command = Command::new(&bench.keelson);
        command.arg("up").arg("--data-dir").arg(data).args(flags);
        for (flag, port) in ports {
            command.args([flag, &port.to_string()]);
        }
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", bench.keelson.display()))?;
        let (tx, lines) = mpsc::channel(LINES);
        read(child.stdout.take(), tx.clone());
        read(child.stderr.take(), tx);
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let identity = Identity { cert_pem: String::new(), key_pem: String::new(), ca_pem: String::new() };
        let mut cluster = Self {
            child,
            lines,
            identity,
            gateway: local(gateway),
            grpc: local(grpc),
            wall: Duration::ZERO,
            said: Duration::ZERO,
        };
        let (at, line) = cluster.wait_for("ready after ").await?;
        cluster.wall = at - began;
        let ms = line.trim().trim_start_matches("ready after ").trim_end_matches(" ms");
        cluster.said = Duration::from_millis(ms.parse().with_context(|| format!("no time in {line:?}"))?);
        let pki = |file: &str| -> PathBuf { data.join("pki").join(file) };
        cluster.identity = Identity::from_files(&pki("admin.crt"), &pki("admin.key"), Some(&pki("ca.crt")))?;
        Ok(cluster)
    }

    /// The next line with this text, and when it came.
    pub(crate) async fn wait_for(&mut self, text: &str) -> anyhow::Result<(Instant, String)> {
        let mut said = Vec::new();
        let find = async {
            while let Some((at, line)) = self.lines.recv().await {
                if line.contains(text) {
                    return Some((at, line));
                }
                said.push(line);
            }
            None
        };
        match tokio::time::timeout(PATIENCE, find).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => bail!("keelson ended before it said {text:?}; it said:\n{}", said.join("\n")),
            Err(_) => bail!(
                "keelson did not say {text:?} within {} s, but:\n{}",
                PATIENCE.as_secs(),
                said.join("\n")
            ),
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// REST, as the administrator.
    pub(crate) fn gateway(&self) -> anyhow::Result<Https> {
        Ok(Https::new(self.gateway, self.identity.client_config()?))
    }

    /// gRPC, as the administrator; one connection for all clones.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let endpoints = Endpoints {
            addresses: vec![self.grpc.to_string()],
            identity: Some(self.identity.clone()),
            server_name: None,
        };
        Ok(Client::new(Channel::connect(&endpoints)?))
    }

    fn interrupt(&mut self) {
        let Ok(pid) = i32::try_from(self.child.id()) else { return };
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        eprintln!(
            "keelson did not stop within {} s and is killed; containers may be left",
            PATIENCE.as_secs()
        );
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.interrupt();
    }
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

/// Passes lines on until the process closes its end.
fn read(from: Option<impl Read + Send + 'static>, lines: mpsc::Sender<(Instant, String)>) {
    let Some(from) = from else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Nobody waits for lines most of the time.
            let _ = lines.try_send((Instant::now(), line));
        }
    });
}
