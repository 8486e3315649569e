//! The default algorithm: the best score wins, and chance decides between equals.

use super::{Algorithm, Chance, Filter, Priority, Score};
use crate::pod::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};

/// The node with the highest weighted sum of scores.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Best {
    /// What nodes must meet.
    pub filter: Filter,
    /// What makes a node good. Without any, all are equal.
    pub priorities: Vec<Priority>,
}

// === impl Best ===

impl Algorithm for Best {
    fn filter(&self) -> &Filter {
        &self.filter
    }

    fn scores(&self, pod: &PodInfo, fitting: &[&NodeInfo], snapshot: &Snapshot) -> Vec<Vec<Score>> {
        let mut all = vec![Vec::with_capacity(self.priorities.len()); fitting.len()];
        for priority in &self.priorities {
            let scores = priority.scores(pod, fitting, snapshot);
            for (of_node, score) in all.iter_mut().zip(scores) {
                let (priority, weight) = (priority.name.clone(), priority.weight);
                of_node.push(Score { priority, weight, score });
            }
        }
        all
    }

    fn choose(
        &self,
        pod: &PodInfo,
        fitting: &[&NodeInfo],
        snapshot: &Snapshot,
        chance: &mut Chance,
    ) -> Option<usize> {
        if fitting.len() < 2 {
            return fitting.len().checked_sub(1);
        }
        let mut totals = vec![0_i64; fitting.len()];
        for priority in &self.priorities {
            for (total, score) in totals.iter_mut().zip(priority.scores(pod, fitting, snapshot)) {
                *total = total.saturating_add(priority.weight.saturating_mul(score));
            }
        }
        let best = totals.iter().copied().max()?;
        let winners: Vec<usize> = (0..totals.len()).filter(|&index| totals[index] == best).collect();
        chance.rng.choice(winners)
    }
}
