//! The slides' "random" scheduler: any node that fits, with equal chances.

use super::{Algorithm, Chance, Filter};
use crate::pod::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};

/// Any node that fits, with equal chances.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Random {
    /// What nodes must meet.
    pub filter: Filter,
}

// === impl Random ===

impl Algorithm for Random {
    fn filter(&self) -> &Filter {
        &self.filter
    }

    fn choose(
        &self,
        _pod: &PodInfo,
        fitting: &[&NodeInfo],
        _snapshot: &Snapshot,
        chance: &mut Chance,
    ) -> Option<usize> {
        chance.rng.choice(0..fitting.len())
    }
}
