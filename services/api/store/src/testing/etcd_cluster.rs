//! An etcd cluster of three for a test: members that are killed, stopped and started again.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::etcd_process::{FreePorts, SPAWNED};

/// Members of the cluster.
const SIZE: usize = 3;

/// Three servers that agree with each other, with their data in a temporary directory and their ports on the loopback.
/// They are killed when dropped.
#[derive(Debug)]
pub struct EtcdCluster {
    data: TempDir,
    members: Vec<Member>,
    arguments: Vec<String>,
}

#[derive(Debug)]
struct Member {
    name: String,
    client: String,
    peer: String,
    child: Option<Child>,
}

// === impl EtcdCluster ===

impl EtcdCluster {
    /// Starts all members; they do not answer at once. They elect within a second.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further arguments for each.
    pub fn start_with(arguments: &[&str]) -> Self {
        let ports = FreePorts::new(2 * SIZE);
        let url = |index: usize| format!("http://127.0.0.1:{}", ports.get(index));
        let member = |index: usize| Member {
            name: format!("etcd-{index}"),
            client: url(2 * index),
            peer: url(2 * index + 1),
            child: None,
        };
        let members: Vec<Member> = (0..SIZE).map(member).collect();
        drop(ports);
        let mut cluster = Self {
            data: tempfile::tempdir().expect("a temporary directory"),
            members,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        };
        (0..SIZE).for_each(|index| cluster.restart(index));
        cluster
    }

    /// The members' client addresses.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| member.client.clone()).collect()
    }

    /// Kills a member as a power cut would.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.members[index].child.take() {
            // It may have ended already; then there is nothing to do.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same data, at the same address.
    pub fn restart(&mut self, index: usize) {
        self.kill(index);
        let all: Vec<String> =
            self.members.iter().map(|member| format!("{}={}", member.name, member.peer)).collect();
        let member = &self.members[index];
        let mut command = Command::new("etcd");
        command
            .arg("--data-dir")
            .arg(self.data.path().join(&member.name))
            .args(["--name", &member.name, "--log-level", "error", "--initial-cluster", &all.join(",")])
            .args(["--listen-client-urls", &member.client, "--advertise-client-urls", &member.client])
            .args(["--listen-peer-urls", &member.peer, "--initial-advertise-peer-urls", &member.peer])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().expect(SPAWNED);
        self.members[index].child = Some(child);
    }

    /// Stops a member where it is: its connections stay, and nothing answers.
    pub fn pause(&self, index: usize) {
        self.signal(index, "STOP");
    }

    /// Lets it go on.
    pub fn resume(&self, index: usize) {
        self.signal(index, "CONT");
    }

    fn signal(&self, index: usize, signal: &str) {
        let child = self.members[index].child.as_ref().expect("the member runs");
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{signal}");
    }
}

impl Drop for EtcdCluster {
    fn drop(&mut self) {
        (0..SIZE).for_each(|index| self.kill(index));
    }
}
