//! A Docker engine that answers.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker as Client};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use keelson_kubelet::runtime::RuntimeError;

use crate::error::{failed, failed_on, in_words, status};
use crate::{DockerError, DockerRuntime, ImageConfig, ImageFile, image, labels, traced};

/// The option of a network that names its link.
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
const DEFAULT_ENDPOINT: &str = "unix:///var/run/docker.sock";
/// How long the first answer may take. An engine that is busy starting answers later; one that is there
/// answers at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long any answer may begin to take; calls that wait by intention set their own.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// Containers removed side by side.
const REMOVALS: usize = 8;

/// A Docker engine, reached over its unix socket. Cheap to clone.
///
/// Every call has a connection of its own, so streams that stay open (events, logs) hold nobody up.
#[derive(Clone, Debug)]
pub struct Docker {
    client: Client,
    socket: PathBuf,
}

// === impl Docker ===

impl Docker {
    /// Reaches the engine at `endpoint` (`unix:///path` or a path), or else at `DOCKER_HOST`, or else at the
    /// usual socket, and agrees with it on an API version.
    ///
    /// # Errors
    ///
    /// If nothing answers within ten seconds, or the endpoint is not a unix socket.
    pub async fn connect(endpoint: Option<&str>) -> Result<Self, DockerError> {
        let configured = || env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        let endpoint =
            endpoint.map(str::to_owned).or_else(configured).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let path = socket_path(&endpoint).ok_or_else(|| DockerError::Endpoint(endpoint.clone()))?;
        let unreachable = |message| DockerError::Unreachable { endpoint: endpoint.clone(), message };
        let client = Client::connect_with_unix(path, CONNECT_TIMEOUT.as_secs(), API_DEFAULT_VERSION)
            .map_err(|cause| unreachable(in_words(&cause)))?;
        let client = client.negotiate_version().await.map_err(|cause| unreachable(in_words(&cause)))?;
        Ok(Docker { client: client.with_timeout(CALL_TIMEOUT), socket: PathBuf::from(path) })
    }

    /// The runtime of one node of one cluster.
    pub fn runtime(&self, cluster: &str, node: &str) -> DockerRuntime {
        DockerRuntime::new(self.clone(), labels::Owner { cluster: cluster.to_owned(), node: node.to_owned() })
    }

    /// Makes sure that [`PAUSE_IMAGE`](crate::PAUSE_IMAGE) and [`DEMO_IMAGE`](crate::DEMO_IMAGE) are there,
    /// as this build of Keelson knows them. Costs two look-ups if they are.
    ///
    /// # Errors
    ///
    /// If Docker does not take them.
    pub async fn ensure_builtin_images(&self) -> Result<(), DockerError> {
        for builtin in image::builtins() {
            self.load_image(builtin.name, &builtin.files, &builtin.config).await?;
        }
        Ok(())
    }

    /// Makes an image of these files and loads it under this name, unless the name already stands for the
    /// same content. Returns the image's id, which is the same for the same content.
    ///
    /// # Errors
    ///
    /// If a path cannot be in an image, or Docker does not take it.
    pub async fn load_image(
        &self,
        name: &str,
        files: &[ImageFile<'_>],
        config: &ImageConfig,
    ) -> Result<String, DockerError> {
        image::load(&self.client, name, files, config).await
    }

    /// The link of Docker's default network, for instance `docker0`: on it this host and its pods reach each other.
    /// None if there is no such network.
    ///
    /// # Errors
    ///
    /// If Docker does not answer.
    pub async fn bridge(&self) -> Result<Option<String>, DockerError> {
        match self.client.inspect_network("bridge", None).await {
            Ok(network) => Ok(network.options.and_then(|mut options| options.remove(BRIDGE_NAME))),
            Err(cause) if status(&cause) == Some(404) => Ok(None),
            Err(cause) => Err(failed("inspect the bridge network")(cause).into()),
        }
    }

    /// Kills and removes all containers of a cluster, on all of its nodes; returns how many there were.
    ///
    /// # Errors
    ///
    /// If Docker does not answer, or cannot remove one of them.
    pub async fn remove_cluster(&self, cluster: &str) -> Result<usize, DockerError> {
        let filters = HashMap::from([("label".to_owned(), vec![labels::cluster_filter(cluster)])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = self.client.list_containers(Some(options)).await.map_err(failed("list containers"))?;
        let count = found.len();
        let ids = found.into_iter().filter_map(|summary| summary.id);
        let removals = stream::iter(ids).map(|id| async move { self.remove_by_force(&id).await });
        removals.buffer_unordered(REMOVALS).try_collect::<()>().await?;
        Ok(count)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The socket that the engine listens on.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Removes a container in whatever state, with its anonymous volumes. Gone, or going, is a success.
    pub(crate) async fn remove_by_force(&self, id: &str) -> Result<(), RuntimeError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let call = self.client.remove_container(id, Some(options));
        match traced::container("docker remove container", id).instrument_result(call).await {
            Err(cause) if !matches!(status(&cause), Some(404 | 409)) => {
                Err(failed_on("remove container", id)(cause))
            }
            _ => Ok(()),
        }
    }
}

fn socket_path(endpoint: &str) -> Option<&str> {
    let path = endpoint.strip_prefix("unix://").unwrap_or(endpoint);
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_unix_sockets() {
        assert_eq!(socket_path("unix:///run/docker.sock"), Some("/run/docker.sock"));
        assert_eq!(socket_path("/run/docker.sock"), Some("/run/docker.sock"));
        assert_eq!(socket_path("tcp://127.0.0.1:2375"), None);
    }

    #[tokio::test]
    async fn a_missing_engine_is_told_in_one_sentence() {
        let error = Docker::connect(Some("unix:///nowhere/docker.sock")).await.unwrap_err().to_string();
        let told = "Docker does not answer at unix:///nowhere/docker.sock: is it running, and may this user ";
        assert!(error.starts_with(told), "{error}");
        let error = Docker::connect(Some("tcp://127.0.0.1:1")).await.unwrap_err().to_string();
        assert!(error.contains("only unix sockets"), "{error}");
    }
}
