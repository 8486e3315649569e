//! A hollow cluster in the test's own process: ready in a fraction of a second, gone when dropped.

use ipnet::Ipv4Net;
use keelson_standalone::{Cluster, ClusterConfig, Progress, StopMode};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Target;
use crate::kubeconfig::Kubeconfig;

/// A hollow cluster in the test's own process.
pub struct InProcess {
    target: Target,
    /// None while it is being dropped.
    cluster: Option<Cluster>,
    runtime: Runtime,
    _dir: TempDir,
}

// === impl InProcess ===

impl InProcess {
    /// One hollow node, the embedded store, any free ports.
    ///
    /// # Panics
    /// If it does not start.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// The same, with changes.
    ///
    /// # Panics
    /// If it does not start.
    #[track_caller]
    pub fn start_with(change: impl FnOnce(&mut ClusterConfig)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut config = ClusterConfig::hollow(dir.path().join("data"));
        config.api.service_cluster_ip_range = any_service_network();
        change(&mut config);
        let runtime = Runtime::new().expect("a runtime");
        let started = runtime.block_on(Cluster::start(config, &Progress::silent()));
        let cluster = started.unwrap_or_else(|error| panic!("the cluster does not start: {error}"));
        let kubeconfig = dir.path().join("kubeconfig");
        let server = format!("https://{}", cluster.gateway()[0]);
        Kubeconfig { server, identity: cluster.admin().clone() }.write(&kubeconfig);
        let kubelets = cluster.nodes().map(|(_, address)| address.to_string()).collect();
        let target = Target::new(&kubeconfig, Some(cluster.grpc().to_string()), kubelets);
        Self { target, cluster: Some(cluster), runtime, _dir: dir }
    }

    /// The administrator's way into it.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Some(cluster) = self.cluster.take() {
            let stopped = self.runtime.block_on(cluster.stop(StopMode::RemoveContainers));
            assert!(
                stopped.is_ok() || std::thread::panicking(),
                "the cluster did not stop well: {stopped:?}"
            );
        }
    }
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").field("target", &self.target).finish_non_exhaustive()
    }
}

/// A network for services that no other test is likely to use at the same time.
pub(crate) fn any_service_network() -> Ipv4Net {
    Ipv4Net::new_assert([10, 97, fastrand::u8(..), 0].into(), 24)
}
