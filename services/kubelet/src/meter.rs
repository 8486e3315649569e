//! What the kubelet counts, under Kubernetes' names.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use keelson_base_daemon::admin::{
    CALL_SECONDS, Counter, Family, Gauge, Histogram, HistogramFamily, Metrics, Tags, WORK_SECONDS,
};
use std::sync::Arc;
use tokio::time::Instant;

use crate::pods::Pods;
use crate::runtime::{
    Connection, ContainerSpec, ContainerState, Credentials, Holdings, Image, ImageError, ImageStatus,
    LogOptions, Measurement, ObservedContainer, Runtime, RuntimeError, RuntimeEvent, RuntimeInfo, Session,
    Streams, Wanted,
};
use crate::status;

/// A runtime whose calls are counted.
pub(crate) struct Metered {
    runtime: Arc<dyn Runtime>,
    calls: Family<Tags<1>, Counter>,
    errors: Family<Tags<1>, Counter>,
    seconds: HistogramFamily<Tags<1>>,
}

/// How long pods take from when the kubelet hears of them to when all their containers run.
pub(crate) fn pod_starts(metrics: &Metrics) -> Histogram {
    metrics.histogram(
        "kubelet_pod_start_duration_seconds",
        "Time from when the kubelet first sees a pod to when the pod runs",
        &WORK_SECONDS,
    )
}

/// Tells of a node's pods when asked. The label `node` tells kubelets apart that share a process.
pub(crate) fn tell_pods(metrics: &Metrics, node: &str, pods: &Pods) {
    let name: Family<Vec<(&'static str, String)>, Gauge> =
        metrics.gauge_family("kubelet_node_name", "The name of the node; always 1");
    name.get_or_create(&vec![("node", node.to_owned())]).set(1);
    let of = pods.clone();
    metrics
        .readings("kubelet_running_pods", "Pods with a running container")
        .set(vec![("node", node.to_owned())], move || running_pods(&of) as f64);
    let containers =
        metrics.readings("kubelet_running_containers", "Containers by state, infra containers left out");
    for state in ["created", "running", "exited"] {
        let of = pods.clone();
        let labels = vec![("container_state", state.to_owned()), ("node", node.to_owned())];
        containers.set(labels, move || containers_in(&of, state) as f64);
    }
}

fn running_pods(pods: &Pods) -> usize {
    let runs = |container: &ObservedContainer| state_of(container) == "running";
    pods.views().iter().filter(|view| view.containers.iter().any(runs)).count()
}

fn containers_in(pods: &Pods, state: &str) -> usize {
    let views = pods.views();
    let containers = views.iter().flat_map(|view| &view.containers);
    let counts =
        |c: &&ObservedContainer| c.identity.role != crate::runtime::Role::Infra && state_of(c) == state;
    containers.filter(counts).count()
}

fn state_of(container: &ObservedContainer) -> &'static str {
    match container.state {
        ContainerState::Created => "created",
        ContainerState::Running { .. } => "running",
        ContainerState::Exited(_) => "exited",
    }
}

/// Whether a pod that the kubelet sees for the first time has yet to be started.
pub(crate) fn is_new(pod: &keelson_proto::core::Pod) -> bool {
    pod.status.start_time.is_none() && !status::is_terminal(&pod.status.phase)
}

// === impl Metered ===

impl Metered {
    /// Counts what is asked of a runtime.
    pub(crate) fn new(runtime: Arc<dyn Runtime>, metrics: &Metrics) -> Self {
        Self {
            runtime,
            calls: metrics.counter_family("kubelet_runtime_operations", "Calls to the container runtime"),
            errors: metrics.counter_family(
                "kubelet_runtime_operations_errors",
                "Calls to the container runtime that failed",
            ),
            seconds: metrics.histogram_family(
                "kubelet_runtime_operations_duration_seconds",
                "Time that calls to the container runtime took",
                &CALL_SECONDS,
            ),
        }
    }

    fn counted<'a, T, E>(
        &'a self,
        operation: &'static str,
        call: impl Future<Output = Result<T, E>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, E>> {
        let tags: Tags<1> = [("operation_type", operation.into())];
        self.calls.get_or_create(&tags).inc();
        let begun = Instant::now();
        async move {
            let answer = call.await;
            if answer.is_err() {
                self.errors.get_or_create(&tags).inc();
            }
            self.seconds.get_or_create(&tags).observe(begun.elapsed().as_secs_f64());
            answer
        }
        .boxed()
    }
}

impl Runtime for Metered {
    fn info(&self) -> BoxFuture<'_, Result<RuntimeInfo, RuntimeError>> {
        self.counted("version", self.runtime.info())
    }

    fn list<'a>(
        &'a self,
        pod_uid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<ObservedContainer>, RuntimeError>> {
        self.counted("list_containers", self.runtime.list(pod_uid))
    }

    fn events(&self) -> BoxStream<'static, Result<RuntimeEvent, RuntimeError>> {
        self.runtime.events()
    }

    fn image<'a>(
        &'a self,
        image: &'a str,
        pull: Option<&'a [Credentials]>,
    ) -> BoxFuture<'a, Result<ImageStatus, ImageError>> {
        self.counted(
            if pull.is_some() { "pull_image" } else { "image_status" },
            self.runtime.image(image, pull),
        )
    }

    fn start(&self, spec: ContainerSpec) -> BoxFuture<'_, Result<ObservedContainer, RuntimeError>> {
        self.counted("start_container", self.runtime.start(spec))
    }

    fn stop<'a>(&'a self, id: &'a str, grace: Duration) -> BoxFuture<'a, Result<(), RuntimeError>> {
        self.counted("stop_container", self.runtime.stop(id, grace))
    }

    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        self.counted("remove_container", self.runtime.remove(id))
    }

    fn logs(&self, id: &str, options: LogOptions) -> BoxStream<'static, Result<Bytes, RuntimeError>> {
        self.runtime.logs(id, options)
    }
}

impl Streams for Metered {
    fn exec<'a>(
        &'a self,
        id: &'a str,
        command: &'a [String],
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<Session, RuntimeError>> {
        self.counted("exec", self.runtime.exec(id, command, wanted))
    }

    fn attach<'a>(&'a self, id: &'a str, wanted: Wanted) -> BoxFuture<'a, Result<Session, RuntimeError>> {
        self.counted("attach", self.runtime.attach(id, wanted))
    }

    fn connect<'a>(
        &'a self,
        id: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, RuntimeError>> {
        self.counted("port_forward", self.runtime.connect(id, port))
    }
}

impl Holdings for Metered {
    fn measure<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Measurement, RuntimeError>> {
        self.counted("container_stats", self.runtime.measure(id))
    }

    fn images(&self) -> BoxFuture<'_, Result<Vec<Image>, RuntimeError>> {
        self.counted("list_images", self.runtime.images())
    }

    fn remove_image<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        self.counted("remove_image", self.runtime.remove_image(id))
    }
}
