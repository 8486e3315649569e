//! Stopping a cluster.

use std::time::Duration;

use keelson_base_daemon::tasks::TaskError;

use crate::cluster::{Cluster, node};

/// How long the services may take to finish what they are doing.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// What happens to what runs outside this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Containers and rules are removed; the objects stay, so that the next start brings the same cluster back.
    RemoveContainers,
    /// Containers go on running and rules go on applying; the next start adopts them.
    Keep,
}

// === impl Cluster ===

impl Cluster {
    /// Stops everything; objects stay in the store.
    ///
    /// # Errors
    /// If a task had failed, or would not end.
    pub async fn stop(self, mode: StopMode) -> Result<(), TaskError> {
        self.tasks.shutdown();
        let joined = self.tasks.join(GRACE).await;
        if mode == StopMode::RemoveContainers {
            self.remove_all().await;
        }
        if let Err(error) = self.store.close().await {
            tracing::warn!(%error, "the store did not close cleanly");
        }
        self.tracing.flush().await;
        joined
    }

    /// Removes containers and rules. What cannot be removed is told and left: the next start finds it.
    async fn remove_all(&self) {
        if let Some(docker) = &self.docker
            && let Err(error) = docker.remove_cluster(self.data.cluster_id()).await
        {
            tracing::warn!(%error, "cannot remove all containers");
        }
        for node in &self.nodes {
            node.clean_up().await;
        }
        node::unmount_below(&self.data.nodes());
        if let Some(proxy) = &self.proxy
            && let Err(error) = proxy.cleanup().await
        {
            tracing::warn!(%error, "cannot remove all rules of services");
        }
    }
}
