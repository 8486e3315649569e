//! What has to be done to get from one table to another.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::ordmap::DiffItem;

use super::{Answer, Frontend, ServicePort, Table};

/// What has to be done to get from one table to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// The ports that are new, gone or different.
    pub ports: Vec<PortChange>,
    /// The frontends where something else happens.
    pub frontends: Vec<FrontendChange>,
}

/// A port that is new, gone or different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortChange {
    /// What it was.
    pub old: Option<Arc<ServicePort>>,
    /// What it is.
    pub new: Option<Arc<ServicePort>>,
}

/// A frontend where something else happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontendChange {
    /// Which.
    pub frontend: Frontend,
    /// What happened there.
    pub old: Option<Answer>,
    /// What happens there.
    pub new: Option<Answer>,
}

/// What has to be done to get from `old` to `new`. Takes time by what changed, if one table was made from the other.
pub fn diff(old: &Table, new: &Table) -> Diff {
    let ports: Vec<_> = old.ports.diff(&new.ports).map(PortChange::from).collect();
    let sides = ports.iter().flat_map(|change| [&change.old, &change.new]);
    let touched: BTreeSet<_> = sides.flatten().flat_map(|port| port.frontends()).collect();
    let change = |frontend| FrontendChange { frontend, old: old.answer(frontend), new: new.answer(frontend) };
    let frontends = touched.into_iter().map(change).filter(|change| change.old != change.new).collect();
    Diff { ports, frontends }
}

// === impl Diff ===

impl Diff {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.frontends.is_empty()
    }
}

// === impl PortChange ===

impl<K> From<DiffItem<'_, '_, K, Arc<ServicePort>>> for PortChange {
    fn from(item: DiffItem<'_, '_, K, Arc<ServicePort>>) -> Self {
        match item {
            DiffItem::Add(_, new) => Self { old: None, new: Some(new.clone()) },
            DiffItem::Update { old: (_, old), new: (_, new) } => {
                Self { old: Some(old.clone()), new: Some(new.clone()) }
            }
            DiffItem::Remove(_, old) => Self { old: Some(old.clone()), new: None },
        }
    }
}
