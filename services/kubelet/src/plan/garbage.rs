//! Dead containers that nobody needs: of every container the present instance stays, and the one before it, for
//! `logs --previous`.

use super::{Action, Assessment, Input, Key};
use crate::runtime::{ContainerState, ObservedContainer};

/// The removals that can begin now.
pub(super) fn collect(input: &Input<'_>, assessment: &Assessment<'_>) -> Vec<Action> {
    let mut removals: Vec<&ObservedContainer> = Vec::new();
    for assessed in assessment.containers() {
        removals.extend(assessed.history.superseded());
        // Being started just now, it looks the same as one that was forgotten.
        if !input.busy(&Key::Container(assessed.spec.name.clone())) {
            removals.extend(&assessed.history.unstarted);
        }
    }
    if !input.busy(&Key::Infra) {
        removals.extend(&assessment.infra.unstarted);
    }
    removals.extend(assessment.infra.superseded().chain(assessment.infra.previous()));
    let dead = removals.into_iter().filter(|c| !matches!(c.state, ContainerState::Running { .. }));
    dead.filter_map(|container| input.remove(container)).collect()
}
