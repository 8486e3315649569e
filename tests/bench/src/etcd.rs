//! Debian's etcd, started by the bench.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// An etcd of our own, on the loopback; killed when dropped.
#[derive(Debug)]
pub(crate) struct EtcdProcess {
    child: Child,
    /// `host:port` of its clients.
    pub(crate) address: String,
}

// === impl EtcdProcess ===

impl EtcdProcess {
    /// Whether there is one to start.
    pub(crate) fn is_installed() -> bool {
        Command::new("etcd").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    }

    /// Starts one with its data in this directory; it does not answer at once.
    pub(crate) fn start(data: &Path) -> anyhow::Result<Self> {
        let [client, peer] = crate::cluster::free_ports()?;
        let address = format!("127.0.0.1:{client}");
        let (client, peer) = (format!("http://{address}"), format!("http://127.0.0.1:{peer}"));
        let child = Command::new("etcd")
            .arg("--data-dir")
            .arg(data)
            .args(["--name", "bench", "--log-level", "error", "--initial-cluster", &format!("bench={peer}")])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context(
                "cannot start etcd; install it (apt-get install etcd-server), or use --store embedded",
            )?;
        Ok(Self { child, address })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for EtcdProcess {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
