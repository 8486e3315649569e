//! Ending one container: its preStop hook first, as far as there is time for it, then the stop itself.

use std::time::Duration;

use jiff::Timestamp;
use keelson_proto::core::{Container, Pod};

use super::{Action, Input, Key, Plan, StopReason};
use crate::clock::later;
use crate::runtime::ObservedContainer;

/// What a container has after its preStop hook in any case (Kubernetes' value).
const AFTER_HOOK: Duration = Duration::from_secs(2);

// === impl Plan ===

impl Plan {
    /// Ends `container` by `deadline`, unless something is under way that will not take longer. The first deadline that
    /// was given is never extended.
    pub(super) fn stop(
        &mut self,
        input: &Input<'_>,
        container: &ObservedContainer,
        deadline: Timestamp,
        reason: StopReason,
    ) {
        let id = &container.id;
        let first = input.memory.stopping.get(id).copied().unwrap_or(deadline);
        let mut deadline = deadline.min(first).max(input.now);
        if has_hook(input, container) {
            let hook = Key::PreStop(id.clone());
            match (input.memory.pre_stops.get(id), input.busy(&hook)) {
                (Some(ended_at), _) => deadline = deadline.max(later(*ended_at, AFTER_HOOK)),
                (None, true) if deadline > input.now => return self.wake(Some(deadline)),
                (None, true) => {
                    self.cancel.push(hook);
                    deadline = later(input.now, AFTER_HOOK);
                }
                (None, false) if deadline > input.now => {
                    return self.actions.push(Action::PreStop {
                        id: id.clone(),
                        container: container.identity.container.clone(),
                        deadline,
                        reason,
                    });
                }
                (None, false) => {}
            }
        }
        match input.in_flight.get(&Key::Instance(id.clone())) {
            Some(Action::Stop { deadline: earlier, .. }) if *earlier <= deadline => {}
            Some(Action::Remove { .. }) => {}
            _ => self.actions.push(Action::Stop {
                id: id.clone(),
                container: container.identity.container.clone(),
                deadline,
                reason,
            }),
        }
    }
}

/// Whether the container is to be told before it is stopped.
fn has_hook(input: &Input<'_>, container: &ObservedContainer) -> bool {
    let spec = input.pod.and_then(|pod| spec_of(pod, container));
    spec.and_then(|spec| spec.lifecycle.as_ref()).is_some_and(|lifecycle| lifecycle.pre_stop.is_some())
}

/// The definition of a container of `pod`.
pub(super) fn spec_of<'a>(pod: &'a Pod, container: &ObservedContainer) -> Option<&'a Container> {
    let all = pod.spec.init_containers.iter().chain(&pod.spec.containers);
    all.into_iter().find(|spec| spec.name == container.identity.container)
}
