//! Which container a stream leads to.

use keelson_base_client::ApiError;
use keelson_base_model::status::Reason;
use keelson_proto::core::Container;

use crate::logs;
use crate::runtime::{ContainerState, ObservedContainer, Role};
use crate::worker::View;

/// The container of this name, or the only one, and its running instance.
pub(crate) fn running<'a>(
    view: &'a View,
    name: &str,
) -> Result<(&'a Container, &'a ObservedContainer), ApiError> {
    let pod = view.pod.as_ref().ok_or_else(unknown)?;
    let container = logs::container(pod, name)?;
    let mut instances = view.containers.iter().filter(|c| runs(c) && c.identity.role != Role::Infra);
    let instance = instances.find(|instance| instance.identity.container == container.name);
    // Kubernetes' words, which clients show as they are.
    let missing = || ApiError::new(Reason::NotFound, format!("container not found ({:?})", container.name));
    Ok((container, instance.ok_or_else(missing)?))
}

/// The running infra container, which holds the pod's network.
pub(crate) fn infra_of(view: &View) -> Result<&ObservedContainer, ApiError> {
    let pod = view.pod.as_ref().ok_or_else(unknown)?;
    let infra = view.containers.iter().find(|c| runs(c) && c.identity.role == Role::Infra);
    let name = &pod.metadata.name;
    let phase = &pod.status.phase;
    let missing = || {
        let message = format!("pod {name:?} is not running: its phase is {phase:?} and it has no network");
        ApiError::new(Reason::NotFound, message)
    };
    infra.ok_or_else(missing)
}

pub(super) fn unknown() -> ApiError {
    ApiError::internal("the pod is not known to this node yet")
}

fn runs(container: &ObservedContainer) -> bool {
    matches!(container.state, ContainerState::Running { .. })
}
