//! How far the caches have come: one revision for all kinds.

use std::time::Duration;

use keelson_base_model::status::ApiError;
use tokio::sync::watch;

use crate::errors::future_revision;

/// How long a read waits for the caches to reach the store's head.
const PATIENCE: Duration = Duration::from_secs(3);

/// How far the caches have come. Cheap to clone; the feed advances it, readers wait for it.
#[derive(Debug, Clone)]
pub(crate) struct Progress(watch::Sender<u64>);

// === impl Progress ===

impl Default for Progress {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Progress {
    /// The last revision that all caches hold.
    pub(crate) fn revision(&self) -> u64 {
        *self.0.borrow()
    }

    /// Tells whenever the caches have come further.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// All caches now hold `revision`.
    pub(crate) fn advance(&self, revision: u64) {
        self.0.send_if_modified(|reached| {
            let further = revision > *reached;
            *reached = revision.max(*reached);
            further
        });
    }

    /// The caches begin anew: nobody may believe them until they have caught up.
    pub(crate) fn restart(&self) {
        self.0.send_replace(0);
    }

    /// Waits until the caches hold `revision`.
    ///
    /// # Errors
    /// A timeout that the client may try again after, if that takes more than a few seconds.
    pub(crate) async fn reach(&self, revision: u64) -> Result<(), ApiError> {
        let mut reached = self.0.subscribe();
        let waited = tokio::time::timeout(PATIENCE, reached.wait_for(|reached| *reached >= revision)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => Err(future_revision(revision, self.revision())),
        }
    }
}
