//! Gives up old history: what is older than some minutes, so that a watcher or a paged list that was away
//! for a moment still finds its revision.

use std::sync::Arc;
use std::time::Duration;

use keelson_api_store::Store;
use keelson_base_daemon::tasks::Drain;

use crate::cache::Progress;

/// Compacts the store every `interval` to where it was an interval before. A store in which nothing
/// happens is left alone.
pub(crate) async fn run(store: Arc<dyn Store>, progress: Progress, interval: Duration, drain: Drain) {
    let mut before = progress.revision();
    loop {
        tokio::select! {
            () = drain.signaled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        let now = progress.revision();
        if now > before
            && let Err(error) = store.compact(before).await
        {
            tracing::warn!(%error, revision = before, "cannot compact the store");
        }
        before = now;
    }
}
