//! Doing what the plan says. Every action is a future of its own that knows all it needs.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use keelson_base_client::reference;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::quantity::Quantity;
use keelson_proto::core::{Container, ObjectReference, Pod};
use keelson_proto::meta::{DeleteOptions, Preconditions};

use super::outcome::{Failure, Outcome};
use super::{Context, Worker};
use crate::clock::until;
use crate::container::{self, Surroundings};
use crate::env;
use crate::images;
use crate::plan::{Action, INFRA, SetbackKind, StopReason};
use crate::runtime::{ContainerSpec, ImageStatus, ObservedContainer, Role};
use crate::volume::VolumeError;

/// How long a failed action stays under way, so that it is not tried again at once.
const RETRY: Duration = Duration::from_secs(5);

/// Where the service of api is that every pod hears of.
const MASTER: (&str, &str) = ("default", "kubernetes");

/// Everything about one start of a container.
struct Start {
    context: Arc<Context>,
    pod: Arc<Pod>,
    container: Container,
    role: Role,
    attempt: u32,
    infra: String,
    pod_ips: Vec<IpAddr>,
    image: ImageStatus,
}

/// The name of an action's span.
pub(super) fn span_name(action: &Action) -> &'static str {
    match action {
        Action::MountVolumes => "mount volumes",
        Action::StartInfra { .. } => "start infra",
        Action::GetImage { .. } => "get image",
        Action::Start { .. } => "start container",
        Action::Stop { .. } => "stop container",
        Action::Remove { .. } => "remove container",
        Action::Teardown => "remove volumes",
        Action::ConfirmDeletion => "confirm deletion",
    }
}

/// The container of the pod's definition that an action is about.
pub(super) fn container_of(action: &Action) -> Option<&str> {
    match action {
        Action::GetImage { container } | Action::Start { container, .. } | Action::Stop { container, .. } => {
            Some(container)
        }
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
        Action::Stop { id, container, deadline, reason } => {
            let about = pod.map(|pod| about(&pod, container)).filter(|_| container != INFRA);
            stop(context, about, id.clone(), container.clone(), *deadline, *reason).boxed()
        }
        Action::Remove { id } => remove(context, id.clone()).boxed(),
        Action::Teardown => teardown(context, uid).boxed(),
        Action::ConfirmDeletion => confirm(context, pod?).boxed(),
    })
}

fn pod_ips(worker: &Worker, infra: &str) -> Vec<IpAddr> {
    if worker.pod.as_ref().is_some_and(|pod| pod.spec.host_network) {
        return worker.context.host_ips.clone();
    }
    let infra = worker.observed.iter().find(|container| container.id == infra);
    infra.map(|infra| infra.addresses.clone()).unwrap_or_default()
}

/// A container of the pod's definition, and its role.
fn find<'a>(pod: &'a Pod, name: &str) -> Option<(&'a Container, Role)> {
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
    let (volumes, of) = (context.volumes.clone(), pod.clone());
    let mounted = blocking(move || volumes.mount(&of)).await;
    if let Err(error) = &mounted {
        context.recorder.warning(&reference(&*pod), "FailedMount", error.to_string());
    }
    Outcome::Mounted(mounted)
}

async fn start_infra(context: Arc<Context>, pod: Arc<Pod>, attempt: u32) -> Outcome {
    let spec = container::infra(&pod, attempt, &context.infra_image, &context.dns);
    let started = context.runtime.start(spec).await;
    if let Err(error) = &started {
        let message = format!("Failed to create pod sandbox: {error}");
        context.recorder.warning(&reference(&*pod), "FailedCreatePodSandBox", message);
    }
    Outcome::InfraStarted(started)
}

async fn get_image(context: Arc<Context>, pod: Arc<Pod>, spec: Container) -> Outcome {
    let (recorder, about) = (&context.recorder, about(&pod, &spec.name));
    let image = &spec.image;
    let pulling = || recorder.normal(&about, "Pulling", format!("Pulling image \"{image}\""));
    let got = match images::get(&*context.runtime, &spec, pulling).await {
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

async fn stop(
    context: Arc<Context>,
    about: Option<ObjectReference>,
    id: String,
    container: String,
    deadline: Timestamp,
    reason: StopReason,
) -> Outcome {
    if let Some(about) = about {
        let message = match reason {
            StopReason::PodEnds => format!("Stopping container {container}"),
            StopReason::SpecChanged => {
                format!("Container {container} definition changed, will be restarted")
            }
            StopReason::InfraLost => {
                format!("Stopping container {container}: the pod's infra container is gone")
            }
        };
        context.recorder.normal(&about, "Killing", message);
    }
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
    let volumes = context.volumes.clone();
    let torn_down = blocking(move || volumes.teardown(&uid)).await;
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
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VolumeError> + Send + 'static,
) -> Result<T, VolumeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(VolumeError::Interrupted(error.to_string())),
    }
}

// === impl Start ===

impl Start {
    async fn run(self) -> Outcome {
        let name = self.container.name.clone();
        let (context, about) = (self.context.clone(), about(&self.pod, &name));
        let started = match self.spec().await {
            Ok(spec) => context
                .runtime
                .start(spec)
                .await
                .map_err(|error| Failure { kind: SetbackKind::Create, message: error.to_string() }),
            Err(failure) => Err(failure),
        };
        match &started {
            Ok(ObservedContainer { .. }) => {
                context.recorder.normal(&about, "Created", format!("Created container: {name}"));
                context.recorder.normal(&about, "Started", format!("Started container {name}"));
            }
            Err(failure) => {
                context.recorder.warning(&about, "Failed", format!("Error: {}", failure.message));
            }
        }
        Outcome::Started(name, started)
    }

    /// What the runtime is asked to make.
    async fn spec(self) -> Result<ContainerSpec, Failure> {
        let config = |message: String| Failure { kind: SetbackKind::Config, message };
        let env = self.env().await.map_err(|error| config(error.to_string()))?;
        let Self { context, pod, container, role, attempt, infra, image, .. } = self;
        let (volumes, of, spec, known) =
            (context.volumes.clone(), pod.clone(), container.clone(), env.clone());
        let mounts = blocking(move || volumes.mounts(&of, &spec, attempt, &known)).await;
        let surroundings = Surroundings {
            attempt,
            infra,
            env,
            mounts: mounts.map_err(|error| config(error.to_string()))?,
            image_user: image.user,
            node_memory: Quantity::of(&context.allocatable, "memory").value(),
        };
        container::app(&pod, &container, role, surroundings).map_err(|refused| config(refused.to_string()))
    }

    async fn env(&self) -> Result<Vec<(String, String)>, env::EnvError> {
        // A container that started before the services are known would miss them for good.
        self.context.services.synced().await;
        let namespace = self.pod.metadata.namespace.as_str();
        let mut services = self.context.services.namespace(namespace);
        let (master_namespace, master) = MASTER;
        if namespace != master_namespace {
            services.extend(self.context.services.get(&ObjectKey::new(master_namespace, master)));
        }
        let context = env::Context {
            pod: &self.pod,
            services: &services,
            pod_ips: &self.pod_ips,
            host_ips: &self.context.host_ips,
            allocatable: &self.context.allocatable,
        };
        env::build(&self.container, &context)
    }
}
