//! Writes into parked pods why they wait: the condition PodScheduled.

use keelson_base_client::{Api, ApiError, Patch, WorkQueue};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::trace::{self, Cause, Span, TraceContext};
use keelson_base_model::conditions;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::pod::condition_type;
use keelson_proto::core::Pod;
use keelson_proto::meta::Time;

use super::Shared;

/// Why a pod that no node takes has no node, as users know it.
const UNSCHEDULABLE: &str = "Unschedulable";

/// How many conditions may be written at once.
const WORKERS: usize = 4;

/// Writes conditions. What it writes is read from the state when its turn comes, so that only the last reason counts.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    parked: WorkQueue<ObjectKey>,
}

// === impl Reporter ===

impl Reporter {
    pub(super) fn spawn(tasks: &Tasks, pods: Api<Pod>, shared: Shared) -> Self {
        let parked = WorkQueue::new();
        for _ in 0..WORKERS {
            let (queue, pods, shared) = (parked.clone(), pods.clone(), shared.clone());
            let draining = tasks.draining();
            tasks.spawn("conditions", async move {
                tokio::select! {
                    () = work(queue, pods, shared) => {}
                    () = draining => {}
                }
            });
        }
        Self { parked }
    }

    /// A pod was parked, which `decision` is the span of: what is written belongs to that.
    pub(super) fn report(&self, pod: ObjectKey, decision: Option<TraceContext>) {
        self.parked.add_caused(pod, decision.map(Cause::from));
    }
}

async fn work(queue: WorkQueue<ObjectKey>, pods: Api<Pod>, shared: Shared) {
    while let Some(item) = queue.next().await {
        let parked = shared.state().parked(item.key());
        let patch = match parked {
            Some((pod, why)) if !says(&pod.pod, &why) => patch(&pod.pod, &why),
            _ => {
                item.forget();
                continue;
            }
        };
        let write = async { pods.namespaced(&item.namespace).patch_status(&item.name, &patch?).await };
        let span = match item.cause() {
            Some(decision) => trace::tracer().child_of("write condition", decision.context()),
            None => Span::none(),
        };
        match span.instrument_result(write).await {
            // The pod has changed meanwhile: the watch shows how, and then this is tried again.
            Err(error) if error.is_conflict() => item.retry(),
            Err(error) if !error.is_not_found() => {
                tracing::warn!(pod = %item.key(), %error, "the condition PodScheduled cannot be written");
                item.retry();
            }
            _ => item.forget(),
        }
    }
}

/// Whether the pod says already why it waits.
fn says(pod: &Pod, why: &str) -> bool {
    let condition = conditions::find(&pod.status.conditions, condition_type::SCHEDULED);
    condition.is_some_and(|condition| {
        condition.status == conditions::FALSE && condition.reason == UNSCHEDULABLE && condition.message == why
    })
}

/// A merge into the one condition of a pod that has not changed since.
fn patch(pod: &Pod, why: &str) -> Result<Patch, ApiError> {
    let old = conditions::find(&pod.status.conditions, condition_type::SCHEDULED);
    let since = old.filter(|old| old.status == conditions::FALSE).and_then(|old| old.last_transition_time);
    let metadata = &pod.metadata;
    Patch::strategic(&serde_json::json!({
        "metadata": { "uid": metadata.uid, "resourceVersion": metadata.resource_version },
        "status": { "conditions": [{
            "type": condition_type::SCHEDULED,
            "status": conditions::FALSE,
            "reason": UNSCHEDULABLE,
            "message": why,
            "lastTransitionTime": since.unwrap_or_else(Time::now).to_string(),
        }]},
    }))
}
