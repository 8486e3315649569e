//! Which node a pod goes to: pure functions over a pod and a snapshot.
//!
//! An [`Algorithm`] first asks its [`Filter`] which nodes could run the pod and then chooses one of them. Whatever is
//! left to chance, or to whose turn it is, is in the [`Chance`] that the caller holds: same chance, same choice.

mod best;
mod filter;
mod policy;
mod predicate;
mod priority;
mod random;
mod round_robin;
mod unschedulable;

pub use self::best::Best;
pub use self::filter::Filter;
pub use self::policy::{Policy, PolicyError};
pub use self::predicate::{Amounts, Predicate, Refusal, Rule};
pub use self::priority::{Measure, Priority};
pub use self::random::Random;
pub use self::round_robin::RoundRobin;
pub use self::unschedulable::Unschedulable;

use std::borrow::Cow;

use crate::pod::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};

/// The name of a predicate or priority: a built-in one's, or one from a policy.
pub type Name = Cow<'static, str>;

/// A way to choose nodes.
pub trait Algorithm: Send + Sync {
    /// What nodes must meet.
    fn filter(&self) -> &Filter;

    /// The nodes' scores, one list for each of `fitting`; empty lists if the algorithm keeps no scores.
    fn scores(&self, _pod: &PodInfo, fitting: &[&NodeInfo], _snapshot: &Snapshot) -> Vec<Vec<Score>> {
        vec![Vec::new(); fitting.len()]
    }

    /// The index of one of `fitting`, which are in the order of names; `None` only if there are none.
    fn choose(
        &self,
        pod: &PodInfo,
        fitting: &[&NodeInfo],
        snapshot: &Snapshot,
        chance: &mut Chance,
    ) -> Option<usize>;

    /// The node that the pod goes to.
    ///
    /// # Errors
    /// Why each node refuses the pod.
    fn schedule(
        &self,
        pod: &PodInfo,
        snapshot: &Snapshot,
        chance: &mut Chance,
    ) -> Result<String, Unschedulable> {
        let fitting = self.filter().fitting(pod, snapshot)?;
        let chosen = self.choose(pod, &fitting, snapshot, chance).and_then(|index| fitting.get(index));
        let name = chosen.map(|node| node.name().to_owned()).ok_or_else(Unschedulable::default)?;
        chance.last.clone_from(&name);
        Ok(name)
    }

    /// What is found for each node, and the choice that [`Algorithm::schedule`] would make now. Uses nothing up.
    fn explain(&self, pod: &PodInfo, snapshot: &Snapshot, chance: &Chance) -> Explanation {
        let mut fitting = Vec::new();
        let mut verdicts = Vec::new();
        for node in snapshot.nodes() {
            let refusals = self.filter().refusals(pod, node, snapshot);
            if refusals.is_empty() {
                fitting.push(node);
            }
            verdicts.push(Verdict { node: node.name().to_owned(), refusals, scores: Vec::new() });
        }
        let scores = self.scores(pod, &fitting, snapshot);
        let fits = verdicts.iter_mut().filter(|verdict| verdict.refusals.is_empty());
        for (verdict, scores) in fits.zip(scores) {
            verdict.scores = scores;
        }
        Explanation { choice: self.schedule(pod, snapshot, &mut chance.clone()), verdicts }
    }
}

/// What choices depend on besides the cluster.
#[derive(Clone, Debug)]
pub struct Chance {
    /// Decides between equals.
    pub rng: fastrand::Rng,
    /// The node chosen last; "" before the first.
    pub last: String,
}

/// Why a pod goes where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The node, or why there is none.
    pub choice: Result<String, Unschedulable>,
    /// What was found for each node, by name.
    pub verdicts: Vec<Verdict>,
}

/// What was found for one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The node's name.
    pub node: String,
    /// What refuses the pod; empty if the node fits.
    pub refusals: Vec<Refusal>,
    /// How each priority scores the node, if it fits.
    pub scores: Vec<Score>,
}

/// One priority's opinion of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// The priority.
    pub priority: Name,
    /// How much it counts.
    pub weight: i64,
    /// 0 to 10.
    pub score: i64,
}

// === impl Chance ===

impl Chance {
    /// A repeatable chance.
    pub fn seeded(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), last: String::new() }
    }

    /// A new chance.
    pub fn new() -> Self {
        Self { rng: fastrand::Rng::new(), last: String::new() }
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Verdict ===

impl Verdict {
    /// The weighted sum of the scores.
    pub fn total(&self) -> i64 {
        self.scores.iter().fold(0, |sum: i64, one| sum.saturating_add(one.weight.saturating_mul(one.score)))
    }
}

#[cfg(test)]
mod tests;
