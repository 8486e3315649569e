//! What the writer shows to everybody else: the newest view, and the batches on their way to watches.

use super::blocking;
use super::view::View;
use crate::fanout::{Fanout, History};
use crate::{Batch, Error, Revision, WatchStream};
use arc_swap::ArcSwapOption;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;

/// The writer's window.
pub(super) struct Shared {
    /// `None` once the store is closed.
    view: ArcSwapOption<View>,
    pub(super) fanout: Arc<Fanout>,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(view: View, fanout: Fanout) -> Self {
        Self { view: ArcSwapOption::from_pointee(view), fanout: Arc::new(fanout) }
    }

    /// Replaces what readers see; `None` closes the store.
    pub(super) fn show(&self, view: Option<View>) {
        self.view.store(view.map(Arc::new));
    }

    /// What there is to see now.
    pub(super) fn view(&self) -> Result<Arc<View>, Error> {
        self.view.load_full().ok_or(Error::Closed)
    }

    pub(super) fn watch(shared: &Arc<Self>, from: Revision) -> Result<WatchStream, Error> {
        let from = from.max(1);
        let history: Arc<dyn History> = Arc::clone(shared) as _;
        // First subscribed, then checked: a compaction that comes in between keeps what we need.
        let stream = shared.fanout.subscribe(from, history);
        shared.view()?.check(from)?;
        Ok(stream)
    }
}

impl History for Shared {
    fn after(&self, after: Revision) -> BoxFuture<'_, Result<Vec<Batch>, Error>> {
        async move {
            let view = self.view()?;
            blocking(move || view.after(after)).await
        }
        .boxed()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let revision = self.view.load().as_ref().map(|view| view.revision());
        f.debug_struct("Shared").field("revision", &revision).finish_non_exhaustive()
    }
}
