//! `keelson cleanup`: takes away what services that were stopped have left for their successors on this host.

use std::path::PathBuf;

use anyhow::Context;
use keelson_kubelet_docker::Docker;

use crate::service::ClusterIdFlags;

/// The flags of `keelson cleanup`.
#[derive(Clone, Debug, clap::Args)]
pub struct CleanupArgs {
    #[command(flatten)]
    cluster: ClusterIdFlags,
    /// Directory of the cluster's certificates; only its id is read.
    #[arg(long, value_name = "DIR", default_value = "/etc/keelson/pki")]
    pki_dir: PathBuf,
    /// Docker's address, for instance unix:///var/run/docker.sock.
    #[arg(long, env = "DOCKER_HOST")]
    docker_host: Option<String>,
}

/// Removes the containers of all nodes of a cluster from this host's Docker, and its service proxy's rules, switches
/// and bridge from the kernel. To be called when neither kubelet nor proxy runs: they would make them again.
///
/// # Errors
/// If Docker does not answer or the privileges are missing; what can be removed is.
pub async fn cleanup(args: CleanupArgs) -> anyhow::Result<()> {
    let cluster_id = args.cluster.read_beside(&args.pki_dir)?;
    let rules = keelson_service_proxy::remove_instance(&cluster_id).await;
    let docker = Docker::connect(args.docker_host.as_deref()).await?;
    let removed = docker.remove_cluster(&cluster_id).await.context("cannot remove all containers")?;
    rules.context("cannot remove all rules of services")?;
    println!("keelson cleanup: removed {removed} containers and all rules of cluster {cluster_id}");
    Ok(())
}
