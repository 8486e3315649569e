//! The word that it is time to finish.

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture, WaitForCancellationFutureOwned};

/// Tells its holders to finish what they do and begin nothing new. Cheap to clone; never taken back.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    token: CancellationToken,
}

// === impl Drain ===

impl Drain {
    /// A drain of its own, begun by [`Drain::begin`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends when draining has begun; at once if it already has.
    pub fn signaled(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }

    /// Like [`Drain::signaled`], borrowing nothing.
    pub fn signaled_owned(&self) -> WaitForCancellationFutureOwned {
        self.token.clone().cancelled_owned()
    }

    /// Whether draining has begun.
    pub fn is_signaled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Begins draining for all clones.
    pub fn begin(&self) {
        self.token.cancel();
    }
}

impl From<CancellationToken> for Drain {
    fn from(token: CancellationToken) -> Self {
        Self { token }
    }
}
