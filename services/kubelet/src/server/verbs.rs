//! The slides' verbs: what can be done to a pod's containers from outside. Each may be said twice.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use keelson_base_client::ApiError;
use keelson_base_model::status::Reason;
use keelson_proto::Object as _;
use keelson_proto::core::{ContainerStatus, Pod};
use keelson_proto::v1::{
    ContainerHealthRequest, ContainerHealthResponse, DeleteContainersRequest, DeleteContainersResponse,
    KillContainerRequest, KillContainerResponse, KubeletContainer, KubeletPodRequest, RunCommandRequest,
    RunCommandResponse, RunContainerRequest, container_health_response::Health,
};

use super::Service;
use crate::logs;
use crate::plan;
use crate::runtime::{ContainerState, ObservedContainer, Role, RunError, RuntimeError, run};
use crate::streams;
use crate::worker::View;

/// How long a command may take unless the caller says otherwise.
const COMMAND: Duration = Duration::from_secs(60);

/// How much of each output of a command is kept, in bytes.
const MAX_OUTPUT: usize = 1 << 20;

/// How long a caller waits for a container to run.
const START: Duration = Duration::from_secs(60);

// === impl Service ===

impl Service {
    pub(super) async fn command(&self, asked: RunCommandRequest) -> Result<RunCommandResponse, ApiError> {
        if asked.command.is_empty() {
            return Err(ApiError::bad_request("you must specify a command to run"));
        }
        let view = self.view(&asked.namespace, &asked.name)?;
        let (_, instance) = streams::running(&view, &asked.container)?;
        let limit = match asked.timeout_seconds {
            0 => COMMAND,
            seconds => Duration::from_secs(seconds.into()),
        };
        let ran = run(&*self.runtime, &instance.id, &asked.command, limit, MAX_OUTPUT).await;
        let ran = ran.map_err(|error| match &error {
            RunError::TimedOut { .. } => ApiError::timeout(&error, Duration::ZERO),
            RunError::Runtime(error) => streams::failed(error),
        })?;
        Ok(RunCommandResponse {
            exit_code: ran.code,
            stdout: ran.stdout.into(),
            stderr: ran.stderr.into(),
            truncated: ran.truncated,
        })
    }

    pub(super) async fn run(&self, asked: RunContainerRequest) -> Result<KubeletContainer, ApiError> {
        let view = self.view(&asked.namespace, &asked.name)?;
        let pod = view.pod.as_ref().ok_or_else(|| gone(&asked.name))?;
        let name = logs::container(pod, &asked.container)?.name.clone();
        if let Some(running) = running(&view, &name) {
            return Ok(self.told(running));
        }
        let uid = pod.metadata.uid.clone();
        self.attend(&uid, &asked.name, Some(&name)).await?;
        self.until(&uid, &asked.name, |view| outcome(view, &name)).await
    }

    pub(super) async fn make_network(&self, asked: KubeletPodRequest) -> Result<KubeletContainer, ApiError> {
        let view = self.view(&asked.namespace, &asked.name)?;
        if let Ok(infra) = streams::infra_of(&view) {
            return Ok(self.told(infra));
        }
        let uid = view.pod.as_ref().map(|pod| pod.metadata.uid.clone()).unwrap_or_default();
        self.attend(&uid, &asked.name, None).await?;
        let infra = |view: &View| match streams::infra_of(view) {
            Ok(infra) => Some(Ok(infra.clone())),
            Err(_) => ended(view).map(Err),
        };
        self.until(&uid, &asked.name, infra).await
    }

    pub(super) async fn kill(&self, asked: KillContainerRequest) -> Result<KillContainerResponse, ApiError> {
        let view = self.view(&asked.namespace, &asked.name)?;
        let pod = view.pod.as_ref().ok_or_else(|| gone(&asked.name))?;
        let name = &logs::container(pod, &asked.container)?.name;
        let Some(running) = running(&view, name) else { return Ok(KillContainerResponse::default()) };
        let grace = grace(asked.grace_seconds, running);
        self.runtime.stop(&running.id, grace).await.map_err(|error| streams::failed(&error))?;
        Ok(KillContainerResponse { id: self.id(running) })
    }

    pub(super) async fn delete_all(
        &self,
        asked: DeleteContainersRequest,
    ) -> Result<DeleteContainersResponse, ApiError> {
        let view = self.view(&asked.namespace, &asked.name)?;
        let (infra, others): (Vec<_>, Vec<_>) =
            view.containers.iter().partition(|container| container.identity.role == Role::Infra);
        for containers in [others, infra] {
            let deletions = containers.iter().map(|container| async {
                self.runtime.stop(&container.id, grace(asked.grace_seconds, container)).await?;
                self.runtime.remove(&container.id).await
            });
            try_join_all(deletions).await.map_err(|error: RuntimeError| streams::failed(&error))?;
        }
        Ok(DeleteContainersResponse { ids: view.containers.iter().map(|is| self.id(is)).collect() })
    }

    pub(super) async fn sync(&self, asked: KubeletPodRequest) -> Result<Pod, ApiError> {
        let view = self.view(&asked.namespace, &asked.name)?;
        let uid = view.pod.as_ref().map(|pod| pod.metadata.uid.clone()).unwrap_or_default();
        self.attend(&uid, &asked.name, None).await?;
        let seen = self.view(&asked.namespace, &asked.name)?;
        seen.pod.clone().ok_or_else(|| gone(&asked.name))
    }

    pub(super) fn health(&self, asked: &ContainerHealthRequest) -> Result<ContainerHealthResponse, ApiError> {
        let view = self.view(&asked.namespace, &asked.name)?;
        let pod = view.pod.as_ref().ok_or_else(|| gone(&asked.name))?;
        let name = &logs::container(pod, &asked.container)?.name;
        let status = status_of(pod, name).cloned();
        let health = status.as_ref().map_or(Health::Unknown, health);
        Ok(ContainerHealthResponse { health: health.into(), status })
    }

    pub(super) fn view(&self, namespace: &str, name: &str) -> Result<Arc<View>, ApiError> {
        self.pods.find(namespace, name).ok_or_else(|| ApiError::not_found(Pod::KIND, name))
    }

    /// Has the pod's worker look and plan.
    async fn attend(&self, uid: &str, name: &str, hurry: Option<&str>) -> Result<(), ApiError> {
        match tokio::time::timeout(START, self.pods.attend(uid, hurry)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(gone(name)),
            Err(_) => Err(ApiError::timeout("the container runtime does not answer", Duration::ZERO)),
        }
    }

    /// Waits until `outcome` has one for what is seen of the pod.
    async fn until(
        &self,
        uid: &str,
        name: &str,
        outcome: impl Fn(&View) -> Option<Result<ObservedContainer, ApiError>>,
    ) -> Result<KubeletContainer, ApiError> {
        let mut views = self.pods.follow(uid).ok_or_else(|| gone(name))?;
        let seen = tokio::time::timeout(START, views.wait_for(|view| outcome(view).is_some())).await;
        match seen {
            Ok(Ok(view)) => match outcome(&view) {
                Some(container) => container.map(|container| self.told(&container)),
                None => Err(gone(name)),
            },
            Ok(Err(_)) => Err(gone(name)),
            Err(_) => {
                let why = format!("pod {name:?} has not got that far within {START:?}: look at its events");
                Err(ApiError::timeout(why, Duration::ZERO))
            }
        }
    }

    fn told(&self, container: &ObservedContainer) -> KubeletContainer {
        KubeletContainer {
            id: self.id(container),
            name: container.identity.container.clone(),
            attempt: container.identity.attempt,
            running: matches!(container.state, ContainerState::Running { .. }),
            addresses: container.addresses.iter().map(ToString::to_string).collect(),
        }
    }

    fn id(&self, container: &ObservedContainer) -> String {
        format!("{}://{}", self.facts.runtime.name, container.id)
    }
}

fn running<'a>(view: &'a View, name: &str) -> Option<&'a ObservedContainer> {
    let named = |c: &&ObservedContainer| c.identity.container == name && c.identity.role != Role::Infra;
    let mut found = view.containers.iter().filter(named);
    found.find(|container| matches!(container.state, ContainerState::Running { .. }))
}

fn grace(asked: Option<u32>, container: &ObservedContainer) -> Duration {
    asked.map_or(container.identity.grace, |seconds| Duration::from_secs(seconds.into()))
}

fn status_of<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    let statuses = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
    statuses.into_iter().find(|status| status.name == name)
}

fn health(status: &ContainerStatus) -> Health {
    let state = &status.state;
    match (&state.running, &state.terminated) {
        (Some(_), _) if status.ready && status.started != Some(false) => Health::Healthy,
        (Some(_), _) | (None, Some(_)) => Health::Unhealthy,
        (None, None) if state.waiting.is_some() => Health::Unhealthy,
        (None, None) => Health::Unknown,
    }
}

/// What came of a container's start, as soon as anything has.
fn outcome(view: &View, name: &str) -> Option<Result<ObservedContainer, ApiError>> {
    if let Some(running) = running(view, name) {
        return Some(Ok(running.clone()));
    }
    if let Some(error) = ended(view) {
        return Some(Err(error));
    }
    let pod = view.pod.as_ref()?;
    let status = status_of(pod, name)?;
    if let Some(end) = &status.state.terminated {
        let init = pod.spec.init_containers.iter().any(|init| init.name == name);
        let spec = logs::container(pod, name).ok()?;
        if plan::is_restarted(pod, spec, init, end.exit_code) {
            return None;
        }
        let message =
            format!("container {name:?} has ended, and the pod's restart policy does not run it again");
        return Some(Err(ApiError::new(Reason::Conflict, message)));
    }
    let waiting = status.state.waiting.as_ref()?;
    let under_way = matches!(waiting.reason.as_str(), "" | "ContainerCreating" | "PodInitializing");
    (!under_way).then(|| {
        let message = format!("container {name:?} does not run: {}: {}", waiting.reason, waiting.message);
        Err(ApiError::new(Reason::Conflict, message))
    })
}

/// A pod that has ended gets no containers.
fn ended(view: &View) -> Option<ApiError> {
    let pod = view.pod.as_ref()?;
    let over = crate::status::is_terminal(&pod.status.phase);
    over.then(|| {
        let message = format!("pod {:?} has ended: its phase is {:?}", pod.metadata.name, pod.status.phase);
        ApiError::new(Reason::Conflict, message)
    })
}

fn gone(name: &str) -> ApiError {
    ApiError::not_found(Pod::KIND, name)
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::{ContainerState as State, ContainerStateRunning, ContainerStateWaiting};

    use super::*;

    #[test]
    fn health_table() {
        let running = || State { running: Some(ContainerStateRunning::default()), ..State::default() };
        let waiting = || State { waiting: Some(ContainerStateWaiting::default()), ..State::default() };
        let table = [
            ("ready", running(), true, Some(true), Health::Healthy),
            ("ready, startup unknown", running(), true, None, Health::Healthy),
            ("not ready", running(), false, Some(true), Health::Unhealthy),
            ("not started", running(), true, Some(false), Health::Unhealthy),
            ("waiting", waiting(), false, None, Health::Unhealthy),
            ("nothing known", State::default(), false, None, Health::Unknown),
        ];
        for (name, state, ready, started, wanted) in table {
            let status = ContainerStatus { state, ready, started, ..ContainerStatus::default() };
            assert_eq!(health(&status), wanted, "{name}");
        }
    }
}
