//! Doing what the plan says. Every action is a future of its own that knows all it needs.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use keelson_base_client::{Recorder, reference};
use keelson_proto::core::{Container, ObjectReference, Pod};
use keelson_proto::meta::{DeleteOptions, Preconditions};

use super::hook::Errand;
use super::outcome::{Failure, Outcome};
use super::start::Start;
use super::{Context, Worker};
use crate::clock::until;
use crate::container;
use crate::credentials;
use crate::images;
use crate::plan::{Action, StopReason};
use crate::runtime::{Credentials, Role, RuntimeError};
use crate::volume::{Facts, VolumeError};

/// How long a failed action stays under way, so that it is not tried again at once.
const RETRY: Duration = Duration::from_secs(5);

/// How long api may take to say what there is of the things that a pod refers to.
const REFERENCES: Duration = Duration::from_secs(5);

/// The name of an action's span.
pub(super) fn span_name(action: &Action) -> &'static str {
    match action {
        Action::MountVolumes => "mount volumes",
        Action::StartInfra { .. } => "start infra",
        Action::GetImage { .. } => "get image",
        Action::Start { .. } => "start container",
        Action::PostStart { .. } => "post-start hook",
        Action::Probe { .. } => "probe",
        Action::PreStop { .. } => "pre-stop hook",
        Action::Stop { .. } => "stop container",
        Action::Remove { .. } => "remove container",
        Action::Teardown => "remove volumes",
        Action::ConfirmDeletion => "confirm deletion",
    }
}

/// The container of the pod's definition that an action is about.
pub(super) fn container_of(action: &Action) -> Option<&str> {
    match action {
        Action::GetImage { container }
        | Action::Start { container, .. }
        | Action::PostStart { container, .. }
        | Action::Probe { container, .. }
        | Action::PreStop { container, .. }
        | Action::Stop { container, .. } => Some(container),
        _ => None,
    }
}

/// The future that does `action`; none if the pod it is for is not known, which no plan asks for.
pub(super) fn work(worker: &mut Worker, action: &Action) -> Option<BoxFuture<'static, Outcome>> {
    let context = worker.context.clone();
    let uid = worker.uid.clone();
    let pod = worker.pod.clone();
    Some(match action {
        Action::MountVolumes => mount(context, pod?).boxed(),
        Action::StartInfra { attempt } => start_infra(context, pod?, *attempt).boxed(),
        Action::GetImage { container } => {
            let pod = pod?;
            let spec = find(&pod, container)?.0.clone();
            get_image(context, pod, spec).boxed()
        }
        Action::Start { container, attempt, infra, .. } => {
            let pod = pod?;
            let image = worker.memory.images.remove(container)?;
            let (spec, role) = find(&pod, container)?;
            let start = Start {
                context,
                container: spec.clone(),
                role,
                attempt: *attempt,
                infra: infra.clone(),
                pod_ips: pod_ips(worker, infra),
                image,
                pod,
            };
            start.run().boxed()
        }
        Action::PostStart { id, container } => Errand::new(worker, id, container)?.post_start().boxed(),
        Action::Probe { id, container, kind } => Errand::new(worker, id, container)?.probe(*kind)?,
        Action::PreStop { id, container, deadline, .. } => {
            Errand::new(worker, id, container)?.pre_stop(*deadline).boxed()
        }
        Action::Stop { id, deadline, .. } => stop(context, id.clone(), *deadline).boxed(),
        Action::Remove { id } => remove(context, id.clone()).boxed(),
        Action::Teardown => teardown(context, uid).boxed(),
        Action::ConfirmDeletion => confirm(context, pod?).boxed(),
    })
}

/// The pod's addresses, as its infra container has them.
pub(super) fn pod_ips(worker: &Worker, infra: &str) -> Vec<IpAddr> {
    if worker.pod.as_ref().is_some_and(|pod| pod.spec.host_network) {
        return worker.context.host_ips.clone();
    }
    let infra = worker.observed.iter().find(|container| container.id == infra);
    infra.map(|infra| infra.addresses.clone()).unwrap_or_default()
}

/// A container of the pod's definition, and its role.
pub(super) fn find<'a>(pod: &'a Pod, name: &str) -> Option<(&'a Container, Role)> {
    let apps = pod.spec.containers.iter().map(|container| (container, Role::App));
    let init = pod.spec.init_containers.iter().map(|container| (container, Role::Init));
    apps.chain(init).find(|(container, _)| container.name == name)
}

/// How events name a container of a pod.
pub(super) fn about(pod: &Pod, container: &str) -> ObjectReference {
    let list = match find(pod, container) {
        Some((_, Role::Init)) => "initContainers",
        _ => "containers",
    };
    ObjectReference { field_path: format!("spec.{list}{{{container}}}"), ..reference(pod) }
}

async fn mount(context: Arc<Context>, pod: Arc<Pod>) -> Outcome {
    let uid = &pod.metadata.uid;
    // Without an answer from api what is missing is named.
    let _ = tokio::time::timeout(REFERENCES, context.referenced.known(uid)).await;
    let facts =
        Facts { objects: context.referenced.objects(uid), allocatable: context.node.view().allocatable };
    let mounted = context.volumes.mount(&pod, &facts).await;
    if let Err(error) = &mounted {
        context.recorder.warning(&reference(&*pod), "FailedMount", error.to_string());
    }
    Outcome::Mounted(mounted)
}

async fn start_infra(context: Arc<Context>, pod: Arc<Pod>, attempt: u32) -> Outcome {
    let spec = container::infra(&pod, attempt, &context.infra_image, &context.dns);
    let started = match spec {
        Ok(spec) => context.runtime.start(spec).await,
        Err(error) => {
            Err(RuntimeError::Refused { operation: "create pod sandbox", message: error.to_string() })
        }
    };
    if let Err(error) = &started {
        let message = format!("Failed to create pod sandbox: {error}");
        context.recorder.warning(&reference(&*pod), "FailedCreatePodSandBox", message);
    }
    Outcome::InfraStarted(started)
}

async fn get_image(context: Arc<Context>, pod: Arc<Pod>, spec: Container) -> Outcome {
    let (recorder, about) = (&context.recorder, about(&pod, &spec.name));
    let image = &spec.image;
    let credentials = credentials(&context, &pod, image).await;
    let pulling = || recorder.normal(&about, "Pulling", format!("Pulling image \"{image}\""));
    let got = match images::get(&*context.runtime, &spec, &credentials, pulling).await {
        Ok(images::Got { image: status, pulled }) => {
            let message = match pulled {
                true => format!("Successfully pulled image \"{image}\""),
                false => format!("Container image \"{image}\" already present on machine"),
            };
            recorder.normal(&about, "Pulled", message);
            Ok(status)
        }
        Err(missing) => {
            recorder.warning(&about, missing.reason(), missing.message.clone());
            Err(Failure { kind: missing.kind, message: missing.message })
        }
    };
    Outcome::GotImage(spec.name, got)
}

/// What the pod has to show to the image's registry.
async fn credentials(context: &Context, pod: &Pod, image: &str) -> Vec<Credentials> {
    if pod.spec.image_pull_secrets.is_empty() {
        return Vec::new();
    }
    let uid = &pod.metadata.uid;
    let _ = tokio::time::timeout(REFERENCES, context.referenced.known(uid)).await;
    credentials::for_image(pod, &context.referenced.objects(uid), image)
}

/// Tells users why a container is about to end.
pub(super) fn tell_killing(recorder: &Recorder, pod: &Pod, container: &str, reason: StopReason) {
    let message = match reason {
        StopReason::PodEnds => format!("Stopping container {container}"),
        StopReason::SpecChanged => format!("Container {container} definition changed, will be restarted"),
        StopReason::Unhealthy(kind) => {
            let again = if pod.spec.restart_policy == "Never" { "" } else { ", will be restarted" };
            format!("Container {container} failed {} probe{again}", kind.word())
        }
        StopReason::PostStartFailed => "FailedPostStartHook".to_owned(),
        StopReason::InfraLost => format!("Stopping container {container}: the pod's infra container is gone"),
    };
    recorder.normal(&about(pod, container), "Killing", message);
}

async fn stop(context: Arc<Context>, id: String, deadline: Timestamp) -> Outcome {
    let grace = until(context.clock.now(), deadline);
    let stopped = context.runtime.stop(&id, grace).await;
    pause_after(stopped.is_err()).await;
    Outcome::Stopped(id, stopped)
}

async fn remove(context: Arc<Context>, id: String) -> Outcome {
    let removed = context.runtime.remove(&id).await;
    pause_after(removed.is_err()).await;
    Outcome::Removed(id, removed)
}

async fn teardown(context: Arc<Context>, uid: String) -> Outcome {
    let torn_down = context.volumes.teardown(&uid).await;
    pause_after(torn_down.is_err()).await;
    Outcome::TornDown(torn_down)
}

/// Removes the pod from api: this very pod, not one that took its name.
async fn confirm(context: Arc<Context>, pod: Arc<Pod>) -> Outcome {
    let metadata = &pod.metadata;
    let preconditions = Preconditions { uid: Some(metadata.uid.clone()), ..Preconditions::default() };
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        preconditions: Some(preconditions),
        ..DeleteOptions::default()
    };
    let deleted = context.pods.namespaced(&metadata.namespace).delete(&metadata.name, options).await;
    let confirmed = match deleted {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
        Err(error) => Err(error),
    };
    pause_after(confirmed.is_err()).await;
    Outcome::Confirmed(confirmed)
}

async fn pause_after(failed: bool) {
    if failed {
        tokio::time::sleep(RETRY).await;
    }
}

/// Runs disk work where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VolumeError> + Send + 'static,
) -> Result<T, VolumeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(VolumeError::Interrupted(error.to_string())),
    }
}
