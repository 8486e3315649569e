//! An etcd server for a test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What is the matter if etcd does not start.
pub(super) const SPAWNED: &str = "etcd starts; install it with `apt-get install etcd-server`";

/// The server, with its data in a temporary directory and its ports on the loopback. It is killed when dropped.
#[derive(Debug)]
pub struct EtcdProcess {
    data: TempDir,
    child: Child,
    client: String,
    peer: String,
    arguments: Vec<String>,
}

// === impl EtcdProcess ===

impl EtcdProcess {
    /// Starts a server; it does not answer at once.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_on("http", arguments)
    }

    /// The same for clients that speak TLS, as the arguments say.
    pub fn start_tls(arguments: &[&str]) -> Self {
        Self::start_on("https", arguments)
    }

    fn start_on(scheme: &str, arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let ports = FreePorts::new(2);
        let client = format!("{scheme}://127.0.0.1:{}", ports.get(0));
        let peer = format!("http://127.0.0.1:{}", ports.get(1));
        drop(ports);
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let child = spawn(&data, &client, &peer, &arguments);
        Self { data, child, client, peer, arguments }
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
        self.child = spawn(&self.data, &self.client, &self.peer, &self.arguments);
    }
}

impl Drop for EtcdProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(data: &TempDir, client: &str, peer: &str, arguments: &[String]) -> Child {
    let mut command = Command::new("etcd");
    command
        .arg("--data-dir")
        .arg(data.path().join("data"))
        .args(["--name", "test", "--log-level", "error", "--initial-cluster", &format!("test={peer}")])
        .args(["--listen-client-urls", client, "--advertise-client-urls", client])
        .args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect(SPAWNED)
}

/// Ports that nobody listens on.
#[derive(Debug)]
pub(super) struct FreePorts(Vec<TcpListener>);

// === impl FreePorts ===

impl FreePorts {
    /// All are held until this is dropped, so they differ.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect())
    }

    pub(super) fn get(&self, index: usize) -> u16 {
        self.0[index].local_addr().expect("its address").port()
    }
}
