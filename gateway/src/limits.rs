//! How many requests are served at a time.

use std::sync::Arc;
use std::time::Duration;

use keelson_base_model::status::ApiError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a client that is refused should wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Room for requests of one sort.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
}

// === impl Room ===

impl Room {
    /// Room for this many requests.
    pub(crate) fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))) }
    }

    /// A place for one request; 429 if there is none.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let place = self.free.clone().try_acquire_owned();
        place.map_err(|_| {
            ApiError::too_many_requests("too many requests, please try again later", RETRY_AFTER)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_given_back() {
        let room = Room::new(1);
        let place = room.enter().unwrap();
        let refused = room.enter().unwrap_err();
        assert_eq!((refused.code(), refused.retry_after()), (429, Some(RETRY_AFTER)));
        drop(place);
        assert!(room.enter().is_ok());
    }
}
