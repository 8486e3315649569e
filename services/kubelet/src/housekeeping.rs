//! Housekeeping: of dead containers so many stay on a node in all, for their logs. Which go is a pure decision. (What stays
//! of each container is decided with its pod, in [`crate::plan`].)

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::pods::Pods;
use crate::runtime::{ContainerState, ObservedContainer, Role, Runtime};
use crate::status;
use crate::worker::View;

/// How often (1.0's value). Nothing is asked of the runtime unless there is something to remove.
const PERIOD: Duration = Duration::from_secs(60);

/// Dead containers of a node that are kept in all (1.0's value).
const MAX_DEAD: usize = 100;

/// Keeps the house of one node.
pub(crate) struct Housekeeper {
    pub(crate) pods: Pods,
    pub(crate) runtime: Arc<dyn Runtime>,
}

// === impl Housekeeper ===

impl Housekeeper {
    /// Runs until dropped.
    pub(crate) async fn run(self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for id in dead(&self.pods.views(), MAX_DEAD) {
                if let Err(error) = self.runtime.remove(&id).await {
                    tracing::warn!(container = %id, %error, "cannot remove a dead container");
                }
            }
        }
    }
}

/// The dead containers beyond `most` in all, the oldest first. Those whose end still counts for their pod stay.
fn dead(views: &[Arc<View>], most: usize) -> Vec<String> {
    let mut ended: Vec<(Timestamp, &str)> = views.iter().flat_map(|view| dispensable(view)).collect();
    ended.sort();
    let kept = ended.len().min(most);
    let gone = ended.len() - kept;
    ended.into_iter().take(gone).map(|(_, id)| id.to_owned()).collect()
}

/// Dead containers of a pod that another one has followed, or whose pod has ended.
fn dispensable(view: &View) -> impl Iterator<Item = (Timestamp, &str)> {
    let over = status::is_terminal(&view.phase());
    view.containers.iter().filter_map(move |container| {
        let ContainerState::Exited(exit) = &container.state else { return None };
        let followed = |other: &ObservedContainer| {
            let (a, b) = (&container.identity, &other.identity);
            a.container == b.container && a.role == b.role && a.attempt < b.attempt
        };
        let free = over || view.containers.iter().any(followed);
        (free && container.identity.role != Role::Infra).then_some((exit.finished_at, container.id.as_str()))
    })
}

#[cfg(test)]
mod tests;
