//! The crate against a real Docker. Every test has a cluster of its own, whose containers are gone when it
//! ends.

mod images;
mod lifecycle;
mod logs;
mod program;
mod streams;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use keelson_kubelet::runtime::{
    ContainerSpec, ContainerState, Dns, Exit, Identity, Infra, LogLimits, ObservedContainer, PodNetwork,
    PodRef, Process, Resources, Role, Runtime as _, RuntimeError, RuntimeEvent, Security,
};

use crate::{Docker, DockerRuntime, ImageConfig, ImageFile};

pub(crate) const BUSYBOX: &str = "keelson/test-busybox:1";
/// Longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node to test on, and what is needed around it.
struct Node {
    docker: Docker,
    cluster: String,
    runtime: DockerRuntime,
}

/// Runs a test on a node of its own cluster, and removes its containers whatever happens.
async fn on_node(test: impl AsyncFnOnce(&Node)) {
    let docker = Docker::connect(None).await.expect("these tests need a running Docker");
    docker.ensure_builtin_images().await.unwrap();
    let cluster = format!("test-{}-{:016x}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
    let runtime = docker.runtime(&cluster, "node");
    let node = Node { docker, cluster, runtime };
    let outcome = AssertUnwindSafe(tokio::time::timeout(PATIENCE, test(&node))).catch_unwind().await;
    let removed = node.docker.remove_cluster(&node.cluster).await;
    match outcome {
        Err(panic) => resume_unwind(panic),
        Ok(finished) => finished.expect("the test takes too long"),
    }
    removed.unwrap();
}

/// Loads busybox as an image.
async fn load_busybox(docker: &Docker) {
    let busybox = std::fs::read("/bin/busybox").expect("these tests need busybox-static");
    let files = [
        ImageFile::Regular { path: "/bin/busybox", mode: 0o755, content: &busybox },
        ImageFile::Link { path: "/bin/sh", target: "busybox" },
    ];
    let config = ImageConfig { entrypoint: vec!["/bin/sh".into(), "-c".into()], ..ImageConfig::default() };
    docker.load_image(BUSYBOX, &files, &config).await.unwrap();
}

/// A pod's uid. Names of containers are made of it and shared by all that use this Docker: pods of one name
/// in several tests would be one.
fn uid(pod: &str) -> String {
    format!("uid-{pod}-{}", std::process::id())
}

fn identity(pod: &str, container: &str, role: Role) -> Identity {
    Identity {
        pod: PodRef { uid: uid(pod), namespace: "default".into(), name: pod.into() },
        container: container.into(),
        role,
        attempt: 0,
        hash: "hash".into(),
        grace: Duration::from_secs(30),
    }
}

fn container(identity: Identity, image: &str, args: &[&str], process: Process) -> ContainerSpec {
    ContainerSpec {
        identity,
        image: image.into(),
        command: vec![],
        args: args.iter().map(|argument| (*argument).to_owned()).collect(),
        env: vec![],
        working_dir: String::new(),
        mounts: vec![],
        resources: Resources::default(),
        security: Security::default(),
        stdin: false,
        stdin_once: false,
        tty: false,
        log: LogLimits::default(),
        process,
    }
}

/// The infra container of a pod.
pub(crate) fn infra(pod: &str) -> ContainerSpec {
    let process = Process::Infra(Infra {
        hostname: pod.into(),
        network: Some(PodNetwork::default()),
        host_ipc: false,
        dns: Dns::default(),
        sysctls: Default::default(),
    });
    container(identity(pod, "POD", Role::Infra), "", &[], process)
}

/// A container that joins it.
pub(crate) fn app(pod: &str, infra: &str, image: &str, args: &[&str]) -> ContainerSpec {
    let process = Process::Join { infra: infra.into(), host_pid: false, share_pid: false, host_ipc: false };
    container(identity(pod, "app", Role::App), image, args, process)
}

// === impl Node ===

impl Node {
    /// Starts a pod of one container; returns infra and container.
    async fn start_pod(
        &self,
        pod: &str,
        image: &str,
        args: &[&str],
    ) -> (ObservedContainer, ObservedContainer) {
        let infra = self.runtime.start(infra(pod)).await.unwrap();
        let app = self.runtime.start(app(pod, &infra.id, image, args)).await.unwrap();
        (infra, app)
    }

    /// A busybox pod that runs a script, by the name of its container.
    async fn run_script(&self, pod: &str, script: &str) -> ObservedContainer {
        load_busybox(&self.docker).await;
        self.start_pod(pod, BUSYBOX, &[script]).await.1
    }

    async fn events(&self) -> BoxStream<'static, Result<RuntimeEvent, RuntimeError>> {
        let mut events = self.runtime.events();
        assert_eq!(events.next().await.unwrap().unwrap(), RuntimeEvent::Connected);
        events
    }

    async fn look(&self, id: &str) -> Option<ObservedContainer> {
        self.runtime.list(None).await.unwrap().into_iter().find(|container| container.id == id)
    }

    /// How a container ended, which it must have.
    async fn exit(&self, id: &str) -> Exit {
        match self.look(id).await.unwrap().state {
            ContainerState::Exited(exit) => exit,
            other => panic!("has not ended: {other:?}"),
        }
    }

    /// Waits for the container's end.
    async fn wait(
        &self,
        events: &mut BoxStream<'static, Result<RuntimeEvent, RuntimeError>>,
        id: &str,
    ) -> Exit {
        loop {
            match events.next().await.unwrap().unwrap() {
                RuntimeEvent::Died { id: died, .. } if died == id => return self.exit(id).await,
                _ => {}
            }
        }
    }
}

fn program_file(directory: &std::path::Path, name: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = directory.join(name);
    std::fs::write(&path, crate::image::PROGRAM).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
