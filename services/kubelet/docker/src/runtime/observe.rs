//! From Docker's view of a container to the kubelet's.

use std::net::IpAddr;

use bollard::models::{
    ContainerInspectResponse, ContainerState as DockerState, ContainerStateStatusEnum as Status,
};
use bollard::models::{EndpointSettings, NetworkSettings};
use jiff::Timestamp;
use keelson_kubelet::runtime::{ContainerState, Exit, ObservedContainer, Role};

use crate::labels;

/// A container as the kubelet sees it; `None` if its labels are not whole.
pub(super) fn container(found: ContainerInspectResponse) -> Option<ObservedContainer> {
    let config = found.config?;
    let identity = labels::identity(&config.labels?)?;
    let created_at = time(found.created.as_deref()).unwrap_or_default();
    let state = state(found.state.unwrap_or_default(), created_at);
    let holds_network = identity.role == Role::Infra && matches!(state, ContainerState::Running { .. });
    Some(ObservedContainer {
        id: found.id?,
        identity,
        image: config.image.unwrap_or_default(),
        image_id: found.image.unwrap_or_default(),
        created_at,
        state,
        addresses: found.network_settings.filter(|_| holds_network).map(addresses).unwrap_or_default(),
    })
}

fn state(state: DockerState, created_at: Timestamp) -> ContainerState {
    let started_at = time(state.started_at.as_deref());
    let finished_at = time(state.finished_at.as_deref());
    let code = state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or_default();
    let error = state.error.unwrap_or_default();
    match state.status.unwrap_or(Status::EMPTY) {
        Status::RUNNING | Status::PAUSED | Status::RESTARTING | Status::STOPPING => {
            ContainerState::Running { started_at: started_at.unwrap_or(created_at) }
        }
        // A start that failed leaves Docker's state at created, with the reason.
        Status::CREATED | Status::EMPTY if error.is_empty() && code == 0 => ContainerState::Created,
        _ => ContainerState::Exited(Exit {
            started_at,
            finished_at: finished_at.or(started_at).unwrap_or(created_at),
            code,
            oom_killed: state.oom_killed.unwrap_or_default(),
            error,
        }),
    }
}

fn addresses(settings: NetworkSettings) -> Vec<IpAddr> {
    let networks = settings.networks.unwrap_or_default().into_values();
    networks
        .flat_map(|EndpointSettings { ip_address, global_ipv6_address, .. }| {
            [ip_address, global_ipv6_address]
        })
        .filter_map(|address| address?.parse().ok())
        .collect()
}

/// Docker writes the year 1 for never.
fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: &str = "0001-01-01T00:00:00Z";
    const STARTED: &str = "2026-11-22T10:00:01.5Z";
    const ENDED: &str = "2026-11-22T10:00:02.5Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn docker(status: Status, code: i64, error: &str, started: &str, finished: &str) -> DockerState {
        DockerState {
            status: Some(status),
            exit_code: Some(code),
            error: Some(error.into()),
            started_at: Some(started.into()),
            finished_at: Some(finished.into()),
            ..DockerState::default()
        }
    }

    #[test]
    fn states_are_read() {
        let created = at("2026-11-22T10:00:00Z");
        let read = |docker| state(docker, created);
        let running = ContainerState::Running { started_at: at(STARTED) };
        assert_eq!(read(docker(Status::CREATED, 0, "", NEVER, NEVER)), ContainerState::Created);
        assert_eq!(read(docker(Status::RUNNING, 0, "", STARTED, NEVER)), running);
        assert_eq!(read(docker(Status::PAUSED, 0, "", STARTED, NEVER)), running);
        let ended = Exit {
            started_at: Some(at(STARTED)),
            finished_at: at(ENDED),
            code: 137,
            oom_killed: false,
            error: "".into(),
        };
        assert_eq!(read(docker(Status::EXITED, 137, "", STARTED, ENDED)), ContainerState::Exited(ended));
        let failed = Exit {
            started_at: None,
            finished_at: created,
            code: 127,
            oom_killed: false,
            error: "no such file".into(),
        };
        assert_eq!(
            read(docker(Status::CREATED, 127, "no such file", NEVER, NEVER)),
            ContainerState::Exited(failed)
        );
    }
}
