//! Creating and deleting a controller's pods, many at a time.

use std::sync::Arc;

use keelson_base_client::{ApiError, reference};
use keelson_base_daemon::trace;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::{rc, status};
use keelson_proto::core::{Pod, ReplicationController};
use tokio::task::JoinSet;

use super::{ReplicationLoop, plan};
use crate::delete;

/// What a controller could not do.
#[derive(Debug)]
pub(super) struct Failure {
    /// In one word, as in the condition and the event.
    pub(super) reason: &'static str,
    /// What api said.
    pub(super) error: ApiError,
}

// === impl ReplicationLoop ===

impl ReplicationLoop {
    /// Creates pods from the controller's template; stops after the first batch in which one is refused.
    pub(super) async fn create(
        &self,
        key: &ObjectKey,
        rc: &ReplicationController,
        count: usize,
    ) -> Result<(), Failure> {
        let Some(template) = rc::pod_from_template(rc).map(Arc::new) else {
            return Ok(());
        };
        self.expectations.expect_creations(key, count);
        let proven = self.memory().get_mut(key).and_then(|memory| memory.burst.take());
        let mut left = count;
        for size in plan::batches(count, proven.unwrap_or(1)) {
            left -= size;
            if let Err(error) = self.create_batch(key, rc, &template, size).await {
                (0..left).for_each(|_| self.expectations.creation_observed(key));
                return Err(Failure { reason: "FailedCreate", error });
            }
        }
        self.memory().entry(key.clone()).or_default().burst = Some(count);
        Ok(())
    }

    /// Creates `size` pods at once; the error is the last one.
    async fn create_batch(
        &self,
        key: &ObjectKey,
        rc: &ReplicationController,
        template: &Arc<Pod>,
        size: usize,
    ) -> Result<(), ApiError> {
        let create = |_| {
            let (pods, template) = (self.pods.clone(), template.clone());
            async move { pods.create(&template).await }
        };
        let mut outcome = Ok(());
        for created in at_once((0..size).map(create)).await {
            match created {
                Ok(pod) => {
                    let message = format!("Created pod: {}", pod.metadata.name);
                    self.recorder.normal(&reference(rc), "SuccessfulCreate", message);
                }
                Err(error) => {
                    // After a timeout the pod may exist: then it will be seen, else it is given up in time.
                    if error.reason() != status::Reason::Timeout {
                        self.expectations.creation_observed(key);
                    }
                    let message = format!("Error creating: {error}");
                    self.recorder.warning(&reference(rc), "FailedCreate", message);
                    outcome = Err(error);
                }
            }
        }
        outcome
    }

    /// Deletes pods of the controller; one that is gone already is fine.
    pub(super) async fn delete(
        &self,
        key: &ObjectKey,
        rc: &ReplicationController,
        victims: Vec<Arc<Pod>>,
    ) -> Result<(), Failure> {
        let uids = victims.iter().map(|pod| pod.metadata.uid.clone());
        self.expectations.expect_deletions(key, uids);
        let pods = self.pods.namespaced(&key.namespace);
        let delete = |pod: Arc<Pod>| {
            let pods = pods.clone();
            async move {
                let deleted = pods.delete(&pod.metadata.name, delete::seen(&pod.metadata)).await;
                (pod, deleted)
            }
        };
        let mut outcome = Ok(());
        for (pod, deleted) in at_once(victims.into_iter().map(delete)).await {
            let name = &pod.metadata.name;
            match deleted {
                Ok(_) => {
                    let message = format!("Deleted pod: {name}");
                    self.recorder.normal(&reference(rc), "SuccessfulDelete", message);
                }
                Err(error) => {
                    self.expectations.deletion_observed(key, &pod.metadata.uid);
                    if error.is_not_found() || error.is_conflict() {
                        continue;
                    }
                    let message = format!("Error deleting: {error}");
                    self.recorder.warning(&reference(rc), "FailedDelete", message);
                    outcome = Err(Failure { reason: "FailedDelete", error });
                }
            }
        }
        outcome
    }
}

/// Runs all of these calls at once, each in a task of its own and on behalf of the same trace, and waits for all.
async fn at_once<F>(calls: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let context = trace::current();
    let mut tasks: JoinSet<_> = calls.map(|call| trace::scope(context, call)).collect();
    let mut outputs = Vec::with_capacity(tasks.len());
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(output) => outputs.push(output),
            // A call that panicked is the worker's panic; one that was cancelled ends with the runtime.
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
    outputs
}
