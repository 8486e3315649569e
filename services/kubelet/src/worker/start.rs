//! Starting a container whose image is there.

use std::net::IpAddr;
use std::sync::Arc;

use keelson_base_client::reference;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::quantity::Quantity;
use keelson_proto::core::{Container, Pod};

use super::Context;
use super::act::{about, blocking};
use super::outcome::{Failure, Outcome};
use crate::container::{self, SeccompWish, Surroundings};
use crate::env::{self, EnvError, Environment, Skipped};
use crate::objects::Objects;
use crate::plan::SetbackKind;
use crate::runtime::{ContainerSpec, ImageStatus, Role, Seccomp};
use crate::volume;

/// Where the service of api is that every pod hears of.
const MASTER: (&str, &str) = ("default", "kubernetes");

/// Everything about one start of a container.
pub(super) struct Start {
    pub(super) context: Arc<Context>,
    pub(super) pod: Arc<Pod>,
    pub(super) container: Container,
    pub(super) role: Role,
    pub(super) attempt: u32,
    pub(super) infra: String,
    pub(super) pod_ips: Vec<IpAddr>,
    pub(super) image: ImageStatus,
}

// === impl Start ===

impl Start {
    pub(super) async fn run(self) -> Outcome {
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
            Ok(_) => {
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
        let objects = self.context.referenced.objects(&self.pod.metadata.uid);
        let Environment { variables, skipped } =
            self.env(&objects).await.map_err(|error| config(error.to_string()))?;
        skipped.iter().for_each(|skipped| self.tell(skipped));
        let Self { context, pod, container, role, attempt, infra, pod_ips, image } = self;
        let names = container::names(&pod, &context.dns).map_err(|error| config(error.to_string()))?;
        let start = volume::Start { attempt, env: variables.clone(), pod_ips, names };
        let (volumes, of, spec) = (context.volumes.clone(), pod.clone(), container.clone());
        let mounts = blocking(move || {
            let mounts = volumes.mounts(&of, &spec, &start, &objects)?;
            let seccomp = match container::seccomp(&of, &spec) {
                SeccompWish::RuntimeDefault => Seccomp::RuntimeDefault,
                SeccompWish::Unconfined => Seccomp::Unconfined,
                SeccompWish::Localhost(path) => Seccomp::Profile(volumes.seccomp_profile(path)?),
            };
            Ok((mounts, seccomp))
        });
        let (mounts, seccomp) = mounts.await.map_err(|error| config(error.to_string()))?;
        let surroundings = Surroundings {
            attempt,
            infra,
            env: variables,
            mounts,
            seccomp,
            image_user: image.user,
            node_memory: Quantity::of(&context.node.view().allocatable, "memory").value(),
            pids: context.pids,
        };
        container::app(&pod, &container, role, surroundings).map_err(|refused| config(refused.to_string()))
    }

    async fn env(&self, objects: &Objects) -> Result<Environment, EnvError> {
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
            objects,
            pod_ips: &self.pod_ips,
            host_ips: &self.context.host_ips,
            allocatable: &self.context.node.view().allocatable,
        };
        env::build(&self.container, &context)
    }

    /// Tells users of entries that cannot be variables.
    fn tell(&self, skipped: &Skipped) {
        let Skipped { kind, name, keys } = skipped;
        let (namespace, keys) = (&self.pod.metadata.namespace, keys.join(", "));
        let message = format!(
            "Keys [{keys}] from the EnvFrom {kind} {namespace}/{name} were skipped since they are considered invalid environment variable names."
        );
        let recorder = &self.context.recorder;
        recorder.warning(&reference(&*self.pod), "InvalidEnvironmentVariableNames", message);
    }
}
