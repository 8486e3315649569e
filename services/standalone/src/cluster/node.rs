//! One node of the cluster: its kubelet, and what that runs containers with.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::Channel;
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::serve::Listener;
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::ClientAuth;
use keelson_base_daemon::trace::Tracing;
use keelson_kubelet::runtime::Runtime;
use keelson_kubelet::{Config, Kubelet, StaticSources};
use keelson_kubelet_docker::Docker;
use keelson_service_proxy::DnsConfig;
use nix::mount::{MntFlags, umount2};

use crate::cluster::dialer::LocalKubelets;
use crate::cluster::identities::Identities;
use crate::cluster::{ClusterConfig, StartError, client, service};
use crate::data_dir::DataDir;
use crate::who::{self, Who};
use crate::{port, runtime};

/// How long containers may take to stop when the whole cluster does: short, since somebody waits for it.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// A node, running.
pub(super) struct Node {
    name: String,
    address: SocketAddr,
    runtime: Arc<dyn Runtime>,
}

/// What nodes are started with.
pub(super) struct Nodes<'a> {
    pub(super) config: &'a ClusterConfig,
    pub(super) data: &'a DataDir,
    pub(super) docker: Option<&'a Docker>,
    pub(super) api: &'a axum::Router,
    pub(super) identities: &'a Identities,
    pub(super) kubelets: &'a LocalKubelets,
    pub(super) tasks: &'a Tasks,
    pub(super) health: &'a Health,
    pub(super) metrics: &'a Metrics,
    pub(super) tracing: &'a Tracing,
    /// Where pods find cluster DNS, if it is served.
    pub(super) dns: Option<&'a DnsConfig>,
}

// === impl Nodes ===

impl Nodes<'_> {
    /// Starts the kubelet of the node with this index and name, and serves it on a port of its own.
    ///
    /// # Errors
    /// If the container runtime does not answer.
    pub(super) async fn start(
        &self,
        index: usize,
        name: &str,
        listener: Listener,
    ) -> Result<Node, StartError> {
        let address = listener.local_addr();
        let tracer = self.tracing.tracer_of("kubelet", name);
        let tasks = self.tasks.child(&format!("kubelet-{name}")).traced(tracer.clone());
        let pods = runtime::hollow_pods(index);
        let runtime = runtime::of_node(self.docker, self.data.cluster_id(), name, pods, &tasks);
        let mut config = Config {
            port: address.port(),
            node_ips: self.node_ips(),
            bare_volumes: self.docker.is_none(),
            static_pods: StaticSources {
                path: self.config.pod_manifest_path.clone().filter(|_| index == 0),
                ..StaticSources::default()
            },
            ..Config::new(name, self.data.node(name))
        };
        if let Some(dns) = self.dns {
            config = config.with_cluster_dns(vec![dns.address.into()], &dns.domain);
        }
        let client = client(self.api, who::kubelet(name), self.tracing.tracer("api"));
        let kubelet = Kubelet::build(config, runtime.clone(), client, &tasks, self.health, self.metrics)
            .await
            .map_err(service("kubelet"))?;
        let router = port::router(kubelet.routes(), self.health, self.metrics)?;
        self.kubelets.add(name, Channel::in_process(router.clone(), Who::API.peer(), tracer));
        let tls = port::tls(self.identities.server(&who::kubelet_spec(name).name)?, ClientAuth::Required)?;
        port::serve(listener, Some(tls), router, &tasks, "kubelet");
        Ok(Node { name: name.to_owned(), address, runtime })
    }

    /// The address that the gateway's listeners show to pods, if there is one; else the kubelet finds its own.
    fn node_ips(&self) -> Vec<IpAddr> {
        match self.config.bind_address {
            ip if ip.is_unspecified() || ip.is_loopback() => Vec::new(),
            ip => vec![ip],
        }
    }
}

// === impl Node ===

impl Node {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where its kubelet listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Removes its containers, each after its grace but soon. What cannot be removed is told and left: the next
    /// start finds it.
    pub(super) async fn clean_up(&self) {
        if let Err(error) = keelson_kubelet::remove_all(&*self.runtime, STOP_GRACE).await {
            tracing::warn!(node = %self.name, %error, "cannot remove all containers");
        }
    }
}

/// Unmounts every volume below a directory: of the nodes of this run, and of earlier ones that ended badly.
pub(super) fn unmount_below(root: &Path) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for mount in mounts_below(&mounts, root) {
        if let Err(error) = umount2(&mount, MntFlags::MNT_DETACH) {
            tracing::warn!(mount = %mount.display(), %error, "cannot unmount a volume");
        }
    }
}

/// The mount points below a directory, the later and so the innermost first. `mounts` is what the kernel tells
/// of them (proc_pid_mountinfo(5)).
fn mounts_below(mounts: &str, root: &Path) -> Vec<PathBuf> {
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped);
    let mut below: Vec<PathBuf> = points.filter(|point| point.starts_with(root)).collect();
    below.reverse();
    below
}

/// A path as it is: the kernel writes white space and backslashes as three octal digits.
fn unescaped(path: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_innermost_first_whatever_the_directory_is_called() {
        let mounts = "1 0 0:1 / / rw - ext4 a rw\n\
            2 1 0:2 / /data\\040dir/nodes/a rw - tmpfs t rw\n\
            3 2 0:3 / /data\\040dir/nodes/a/b\\134c rw - tmpfs t rw\n\
            4 1 0:4 / /data\\040directory rw - tmpfs t rw\n";
        let found = mounts_below(mounts, Path::new("/data dir"));
        assert_eq!(found, [Path::new("/data dir/nodes/a/b\\c"), Path::new("/data dir/nodes/a")]);
    }
}
