//! What a container said last: the end of its log, where its definition allows that.

use std::sync::Arc;

use futures::StreamExt as _;
use keelson_proto::core::Pod;

use super::act;
use crate::runtime::{ContainerState, LogOptions, ObservedContainer, Runtime};

/// How much of a log is kept (Kubernetes' values).
const LINES: u64 = 80;
const BYTES: usize = 2048;

/// The policy that allows it.
const FALL_BACK: &str = "FallbackToLogsOnError";

/// Fills in what containers have not written themselves; `messages` are by id.
pub(super) async fn fall_back(
    runtime: Arc<dyn Runtime>,
    silent: Vec<String>,
    messages: &mut [(String, String)],
) {
    for (id, message) in messages.iter_mut().filter(|(id, _)| silent.contains(id)) {
        *message = end_of_log(&*runtime, id).await;
    }
}

/// Those of the containers without a message whose definition sends readers to their log.
pub(super) fn silent(
    pod: Option<&Pod>,
    observed: &[ObservedContainer],
    messages: &[(String, String)],
) -> Vec<String> {
    let Some(pod) = pod else { return Vec::new() };
    let ids = messages.iter().filter(|(_, message)| message.is_empty()).map(|(id, _)| id);
    let containers = ids.filter_map(|id| observed.iter().find(|container| container.id == *id));
    containers
        .filter(|container| may_fall_back(pod, container))
        .map(|container| container.id.clone())
        .collect()
}

/// What there is of it: a log that cannot be read has no end.
async fn end_of_log(runtime: &dyn Runtime, id: &str) -> String {
    let options = LogOptions { tail: Some(LINES), ..LogOptions::default() };
    let mut log = runtime.logs(id, options);
    let mut end: Vec<u8> = Vec::new();
    while let Some(Ok(chunk)) = log.next().await {
        end.extend_from_slice(&chunk);
        end.drain(..end.len().saturating_sub(BYTES));
    }
    String::from_utf8_lossy(&end).into_owned()
}

/// Whether the container failed, and its definition sends readers to its log then.
fn may_fall_back(pod: &Pod, container: &ObservedContainer) -> bool {
    let failed = matches!(&container.state, ContainerState::Exited(exit) if exit.code != 0);
    let definition = act::find(pod, &container.identity.container);
    failed && definition.is_some_and(|(definition, _)| definition.termination_message_policy == FALL_BACK)
}
