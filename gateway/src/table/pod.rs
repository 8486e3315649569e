//! The row of a pod: what state it is in, as one word for people.

use jiff::Timestamp;
use keelson_proto::core::{Container, ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use keelson_proto::meta::Time;

use super::{AGE, Cell, Column, NAME, NONE, Tabled, or_none, since, text, wide};

/// What the containers of a pod come down to.
struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: i32,
    /// When a container last ended and was started again.
    last_restart: Option<Time>,
}

/// What the init containers come down to.
#[derive(Default)]
struct Initialization {
    /// The word for the state of initialization, while it lasts.
    reason: Option<String>,
    ready_sidecars: usize,
    restarts: Restarts,
    sidecar_restarts: Restarts,
}

#[derive(Clone, Copy, Default)]
struct Restarts {
    count: i32,
    last: Option<Time>,
}

impl Tabled for Pod {
    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Ready", "How many of the pod's containers are ready."),
        text("Status", "State of the pod and its containers in one word."),
        text("Restarts", "How often containers were restarted, and when the last time."),
        AGE,
        wide(text("IP", "Address of the pod.")),
        wide(text("Node", "Node that the pod is on.")),
        wide(text("Nominated Node", "Node that room is being made on for the pod.")),
        wide(text("Readiness Gates", "How many of the pod's readiness gates are met.")),
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let Summary { ready, total, reason, restarts, last_restart } = summary(self);
        let restarts = match (restarts, last_restart) {
            (1.., Some(last)) => format!("{restarts} ({} ago)", since(Some(last), now)),
            _ => restarts.to_string(),
        };
        let ip = self.status.pod_ips.first().map_or(self.status.pod_ip.as_str(), |first| first.ip.as_str());
        vec![
            self.metadata.name.as_str().into(),
            format!("{ready}/{total}").into(),
            reason.into(),
            restarts.into(),
            since(self.metadata.creation_timestamp, now).into(),
            or_none(ip).into(),
            or_none(&self.spec.node_name).into(),
            or_none(&self.status.nominated_node_name).into(),
            readiness_gates(self).into(),
        ]
    }
}

fn summary(pod: &Pod) -> Summary {
    let sidecars = pod.spec.init_containers.iter().filter(|container| is_sidecar(container)).count();
    let initialization = initialization(pod);
    let initialized = initialization.reason.is_none() || has_condition(pod, "Initialized");
    let mut summary = Summary {
        ready: initialization.ready_sidecars,
        total: pod.spec.containers.len() + sidecars,
        reason: initialization.reason.unwrap_or_else(|| pod_reason(pod)),
        restarts: initialization.restarts.count,
        last_restart: initialization.restarts.last,
    };
    if initialized {
        containers(pod, initialization.sidecar_restarts, &mut summary);
    }
    if pod.metadata.deletion_timestamp.is_some() {
        if pod.status.reason == "NodeLost" {
            summary.reason = "Unknown".to_owned();
        } else if !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
            summary.reason = "Terminating".to_owned();
        }
    }
    summary
}

/// The word of the pod as a whole.
fn pod_reason(pod: &Pod) -> String {
    let gated = |pod: &Pod| {
        pod.status
            .conditions
            .iter()
            .any(|known| known.r#type == "PodScheduled" && known.reason == "SchedulingGated")
    };
    if gated(pod) {
        return "SchedulingGated".to_owned();
    }
    let reason = if pod.status.reason.is_empty() { &pod.status.phase } else { &pod.status.reason };
    reason.clone()
}

/// Looks at the init containers up to the first that has not done its part.
fn initialization(pod: &Pod) -> Initialization {
    let mut seen = Initialization::default();
    for (index, status) in pod.status.init_container_statuses.iter().enumerate() {
        seen.restarts.add(status);
        let sidecar =
            pod.spec.init_containers.iter().any(|known| known.name == status.name && is_sidecar(known));
        if sidecar {
            seen.sidecar_restarts.add(status);
        }
        match &status.state {
            ContainerState { terminated: Some(ended), .. } if ended.exit_code == 0 => continue,
            _ if sidecar && status.started == Some(true) => {
                seen.ready_sidecars += usize::from(status.ready);
                continue;
            }
            state => seen.reason = Some(format!("Init:{}", init_word(state, index, pod))),
        }
        break;
    }
    seen
}

/// What an init container that has not done its part is about.
fn init_word(state: &ContainerState, index: usize, pod: &Pod) -> String {
    match state {
        ContainerState { terminated: Some(ended), .. } => ended_word(ended),
        ContainerState { waiting: Some(waiting), .. }
            if !waiting.reason.is_empty() && waiting.reason != "PodInitializing" =>
        {
            waiting.reason.clone()
        }
        _ => format!("{index}/{}", pod.spec.init_containers.len()),
    }
}

/// How a container ended.
fn ended_word(ended: &ContainerStateTerminated) -> String {
    match (ended.reason.as_str(), ended.signal) {
        ("", 0) => format!("ExitCode:{}", ended.exit_code),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// Looks at the main containers; the first one that is not simply running gives the word.
fn containers(pod: &Pod, sidecar_restarts: Restarts, summary: &mut Summary) {
    let mut restarts = sidecar_restarts;
    let mut running = false;
    for status in pod.status.container_statuses.iter().rev() {
        restarts.add(status);
        match &status.state {
            ContainerState { waiting: Some(waiting), .. } if !waiting.reason.is_empty() => {
                summary.reason.clone_from(&waiting.reason);
            }
            ContainerState { terminated: Some(ended), .. } => summary.reason = ended_word(ended),
            ContainerState { running: Some(_), .. } if status.ready => {
                running = true;
                summary.ready += 1;
            }
            _ => {}
        }
    }
    summary.restarts = restarts.count;
    summary.last_restart = restarts.last;
    // Some are done, others are not: the pod as a whole still runs.
    if summary.reason == "Completed" && running {
        summary.reason = if has_condition(pod, "Ready") { "Running" } else { "NotReady" }.to_owned();
    }
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn has_condition(pod: &Pod, kind: &str) -> bool {
    pod.status.conditions.iter().any(|known| known.r#type == kind && known.status == "True")
}

fn readiness_gates(pod: &Pod) -> String {
    let gates = &pod.spec.readiness_gates;
    if gates.is_empty() {
        return NONE.to_owned();
    }
    let met = gates.iter().filter(|gate| has_condition(pod, &gate.condition_type)).count();
    format!("{met}/{}", gates.len())
}

// === impl Restarts ===

impl Restarts {
    fn add(&mut self, status: &ContainerStatus) {
        self.count = self.count.saturating_add(status.restart_count);
        let ended = status.last_state.terminated.as_ref().and_then(|ended| ended.finished_at);
        self.last = match (self.last, ended) {
            (Some(one), Some(other)) if one.seconds >= other.seconds => Some(one),
            (one, other) => other.or(one),
        };
    }
}
