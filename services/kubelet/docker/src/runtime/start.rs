//! Creating and starting a container, once, whatever was begun before.
//!
//! A container's name is its identity (pod, container, attempt). If the name is taken, an earlier try got
//! that far: a kubelet that died between create and start, or an answer that was lost.

use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use keelson_kubelet::runtime::{ContainerSpec, ContainerState, Exit, ObservedContainer, RuntimeError};

use super::{DockerRuntime, create, observe};
use crate::error::{failed, failed_on, status};
use crate::{PAUSE_IMAGE, labels, traced};

/// Tries at a name before the error of the last one is believed.
const TRIES: u32 = 5;
/// Pause between tries; grows by itself with every one. Docker gives a name free a little after its container
/// is gone, and has no event for it.
const PAUSE: Duration = Duration::from_millis(20);

/// What to do about the container that has the wanted name.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// It is the wanted one.
    Adopt(String),
    /// It is an old one of this node.
    Replace(String),
    /// It is somebody else's.
    Foreign,
}

// === impl DockerRuntime ===

impl DockerRuntime {
    pub(super) async fn start_container(
        &self,
        mut spec: ContainerSpec,
    ) -> Result<ObservedContainer, RuntimeError> {
        spec.resources.oom_score_adj = spec.resources.oom_score_adj.max(self.oom_floor);
        let body = create::body(&self.owner, &spec)?;
        let id = match self.create(&labels::name(&spec.identity), &body).await? {
            Created::New(id) => id,
            Created::Adopted(container) if !needs_start(&container.state) => return Ok(*container),
            Created::Adopted(container) => container.id,
        };
        let call = self.client().start_container(&id, None);
        let started = traced::container("docker start container", &id).instrument_result(call).await;
        started.map_err(failed("start container"))?;
        self.look(&id).await?.ok_or(RuntimeError::NotFound { id })
    }

    /// Creates the container, or finds that it exists.
    pub(crate) async fn create(
        &self,
        name: &str,
        body: &ContainerCreateBody,
    ) -> Result<Created, RuntimeError> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let mut tried = 0;
        loop {
            let call = self.client().create_container(Some(options.clone()), body.clone());
            let mut span = traced::container("docker create container", name);
            if span.is_recording() {
                span.attribute("container.image.name", body.image.clone().unwrap_or_default());
            }
            let cause = match span.instrument_result(call).await {
                Ok(created) => return Ok(Created::New(created.id)),
                Err(cause) => cause,
            };
            tried += 1;
            match status(&cause) {
                _ if tried == TRIES => return Err(failed("create container")(cause)),
                Some(409) => {
                    if let Some(container) = self.claim(name, body).await? {
                        return Ok(Created::Adopted(Box::new(container)));
                    }
                    tokio::time::sleep(PAUSE * (tried - 1)).await;
                }
                Some(404) if body.image.as_deref() == Some(PAUSE_IMAGE) => self.load_builtins().await?,
                _ => return Err(failed("create container")(cause)),
            }
        }
    }

    /// Finds out about the container that has the wanted name: adopts it, or makes room.
    async fn claim(
        &self,
        name: &str,
        body: &ContainerCreateBody,
    ) -> Result<Option<ObservedContainer>, RuntimeError> {
        let call = self.client().inspect_container(name, None);
        let found = match traced::container("docker inspect container", name).instrument_result(call).await {
            Err(cause) if status(&cause) == Some(404) => return Ok(None),
            other => other.map_err(failed_on("inspect container", name))?,
        };
        match self.judge(&found, body) {
            Claim::Adopt(id) => {
                tracing::info!(container = name, id, "adopting a container that an earlier try created");
                Ok(observe::container(found))
            }
            Claim::Replace(id) => {
                tracing::info!(
                    container = name,
                    id,
                    "removing an old container that has the name of a new one"
                );
                self.docker.remove_by_force(&id).await.map(|()| None)
            }
            Claim::Foreign => Err(RuntimeError::Refused {
                operation: "create container",
                message: format!("the name {name} is taken by a container of another node or cluster"),
            }),
        }
    }

    fn judge(&self, found: &ContainerInspectResponse, wanted: &ContainerCreateBody) -> Claim {
        let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
        let (Some(id), Some(labels)) = (found.id.clone(), labels) else {
            return Claim::Foreign;
        };
        if !self.owner.owns(labels) {
            return Claim::Foreign;
        }
        let network =
            |host: &Option<bollard::models::HostConfig>| host.as_ref().and_then(|h| h.network_mode.clone());
        // An image's labels are among a container's.
        let same = wanted.labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
        match same && network(&found.host_config) == network(&wanted.host_config) {
            true => Claim::Adopt(id),
            false => Claim::Replace(id),
        }
    }

    async fn load_builtins(&self) -> Result<(), RuntimeError> {
        self.docker.ensure_builtin_images().await.map_err(|error| RuntimeError::Refused {
            operation: "create container",
            message: error.to_string(),
        })
    }
}

/// A container that exists now.
pub(crate) enum Created {
    /// Just made, by its id.
    New(String),
    /// Made before.
    Adopted(Box<ObservedContainer>),
}

/// Whether it has never run. One that has run is not started a second time: that is the next attempt's
/// business.
fn needs_start(state: &ContainerState) -> bool {
    matches!(state, ContainerState::Created | ContainerState::Exited(Exit { started_at: None, .. }))
}
