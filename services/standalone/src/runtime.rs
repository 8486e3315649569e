//! What runs containers.

use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::Ipv4Net;
use keelson_base_daemon::tasks::Tasks;
use keelson_kubelet::clock::Clock;
use keelson_kubelet::hollow::HollowRuntime;
use keelson_kubelet::runtime::Runtime;
use keelson_kubelet_docker::{Docker, DockerError};

/// Addresses of hollow pods (RFC 2544, for benchmarks); each node has a part of this network.
const HOLLOW_PODS: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15);

/// How long the prefix of a hollow node's part is.
const HOLLOW_NODE_PREFIX: u8 = 20;

/// What runs containers, and where it is.
#[derive(Debug, Clone, clap::Args)]
pub struct RuntimeFlags {
    /// What runs containers.
    #[arg(long, value_enum, default_value_t = RuntimeKind::Docker)]
    pub runtime: RuntimeKind,
    /// Docker's address, for instance unix:///var/run/docker.sock.
    #[arg(long, env = "DOCKER_HOST")]
    pub docker_host: Option<String>,
}

/// What runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RuntimeKind {
    /// Docker.
    Docker,
    /// Nothing does: containers are only played, for scale and for tests.
    Hollow,
}

/// Docker cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}; start it, or run without containers with --runtime hollow")]
pub struct EngineError(#[from] DockerError);

// === impl RuntimeFlags ===

impl RuntimeFlags {
    /// Reaches Docker, if it is to run the containers, and makes sure that it has the images that Keelson brings.
    ///
    /// # Errors
    /// If Docker does not answer or take the images.
    pub async fn engine(&self) -> Result<Option<Docker>, EngineError> {
        if self.runtime == RuntimeKind::Hollow {
            return Ok(None);
        }
        let docker = Docker::connect(self.docker_host.as_deref()).await?;
        docker.ensure_builtin_images().await?;
        Ok(Some(docker))
    }
}

/// The runtime of one node of one cluster: on Docker, or without an engine a hollow one whose pods have addresses in
/// `pods`.
pub(crate) fn of_node(
    engine: Option<&Docker>,
    cluster_id: &str,
    node: &str,
    pods: Ipv4Net,
    tasks: &Tasks,
) -> Arc<dyn Runtime> {
    match engine {
        Some(docker) => Arc::new(docker.runtime(cluster_id, node)),
        None => {
            // Neither the network's own address nor the broadcast address.
            let first = u32::from(pods.network()).saturating_add(1);
            let count = 1_u32.checked_shl(32 - u32::from(pods.prefix_len())).unwrap_or(u32::MAX);
            Arc::new(HollowRuntime::new(first.into(), count.saturating_sub(2), Clock::system(), tasks))
        }
    }
}

/// The network of the hollow node with this index; the 33rd node has that of the first again.
pub(crate) fn hollow_pods(index: usize) -> Ipv4Net {
    let parts = 1 << (HOLLOW_NODE_PREFIX - HOLLOW_PODS.prefix_len());
    let part = u32::try_from(index % parts).unwrap_or_default();
    let first = u32::from(HOLLOW_PODS.network()) + (part << (32 - HOLLOW_NODE_PREFIX));
    Ipv4Net::new_assert(first.into(), HOLLOW_NODE_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hollow_nodes_have_networks_of_their_own() {
        for (index, network) in
            [(0, "198.18.0.0/20"), (1, "198.18.16.0/20"), (31, "198.19.240.0/20"), (32, "198.18.0.0/20")]
        {
            assert_eq!(hollow_pods(index).to_string(), network);
        }
    }
}
