//! An etcd server for a test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The server, with its data in a temporary directory and its ports on the loopback. It is killed when dropped.
#[derive(Debug)]
pub struct EtcdProcess {
    data: TempDir,
    child: Child,
    client: String,
    peer: String,
}

// === impl EtcdProcess ===

impl EtcdProcess {
    /// Starts a server; it does not answer at once.
    pub fn start() -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let [client, peer] = free_ports().map(|port| format!("http://127.0.0.1:{port}"));
        let child = spawn(&data, &client, &peer);
        Self { data, child, client, peer }
    }

    /// Its client address.
    pub fn endpoint(&self) -> &str {
        &self.client
    }

    /// Kills the server as a power cut would.
    pub fn kill(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same data, at the same address.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.data, &self.client, &self.peer);
    }
}

impl Drop for EtcdProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(data: &TempDir, client: &str, peer: &str) -> Child {
    let mut command = Command::new("etcd");
    command
        .arg("--data-dir")
        .arg(data.path().join("data"))
        .args(["--name", "test", "--log-level", "error", "--initial-cluster", &format!("test={peer}")])
        .args(["--listen-client-urls", client, "--advertise-client-urls", client])
        .args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("etcd starts; install it with `apt-get install etcd-server`")
}

/// Two ports that nobody listens on.
fn free_ports() -> [u16; 2] {
    // Both are held until both are known, so they differ.
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address").port())
}
