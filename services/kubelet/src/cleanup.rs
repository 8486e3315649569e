//! Removing everything that a kubelet has made, when its cluster is put away.

use std::time::Duration;

use futures::future::join_all;

use crate::runtime::{ContainerState, ObservedContainer, Role, Runtime, RuntimeError};

/// Stops and removes all containers of this node: apps side by side, each with its own grace but at most `grace`, then
/// infra. To be called when the kubelet's tasks have ended, or they would start everything again.
///
/// Goes on after a failure, and returns the first.
pub async fn remove_all(runtime: &dyn Runtime, grace: Duration) -> Result<(), RuntimeError> {
    let containers = runtime.list(None).await?;
    let (infra, others): (Vec<_>, Vec<_>) =
        containers.into_iter().partition(|container| container.identity.role == Role::Infra);
    let mut results = join_all(others.iter().map(|c| remove(runtime, c, grace.min(c.identity.grace)))).await;
    results.extend(join_all(infra.iter().map(|c| remove(runtime, c, Duration::ZERO))).await);
    results.into_iter().collect()
}

async fn remove(
    runtime: &dyn Runtime,
    container: &ObservedContainer,
    grace: Duration,
) -> Result<(), RuntimeError> {
    if matches!(container.state, ContainerState::Running { .. }) {
        runtime.stop(&container.id, grace).await?;
    }
    runtime.remove(&container.id).await
}
