//! Whether the store answers, for readiness.
//!
//! Calls tell in passing. Nothing is asked as long as they succeed; once one was not answered, the store is asked until
//! it answers, for a service that is not ready gets no calls that could tell.

use std::sync::Arc;
use std::time::Duration;

use keelson_api_store::{Error, Store};
use keelson_base_daemon::backoff::Backoff;
use keelson_base_daemon::tasks::Drain;
use tokio::sync::watch;

/// How soon a store that did not answer is asked again, at first and at last.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// What is known of the store's answering. Clones know the same.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    lost: watch::Sender<bool>,
}

// === impl Reach ===

impl Reach {
    /// A store that has answered so far.
    pub(crate) fn new() -> Self {
        Self { lost: watch::Sender::new(false) }
    }

    /// Takes note of an answer, or of none.
    pub(crate) fn note<T>(&self, answer: &Result<T, Error>) {
        let lost = match answer {
            Err(Error::Unavailable(_) | Error::Unknown(_)) => true,
            // Whoever refuses is there.
            Ok(_) | Err(_) => false,
        };
        if *self.lost.borrow() != lost {
            self.lost.send_replace(lost);
        }
    }

    /// What a probe is told. Not why: everybody may read it.
    pub(crate) fn check(&self) -> Result<(), String> {
        if *self.lost.borrow() { Err("the store does not answer".to_owned()) } else { Ok(()) }
    }

    /// Asks a store that did not answer until it does; it must note its answers here. Ends with the process.
    pub(crate) async fn regain(self, store: Arc<dyn Store>, drain: Drain) {
        let mut lost = self.lost.subscribe();
        loop {
            tokio::select! {
                () = drain.signaled() => return,
                changed = lost.wait_for(|lost| *lost) => if changed.is_err() { return },
            }
            let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
            while self.check().is_err() {
                tokio::select! {
                    () = drain.signaled() => return,
                    () = tokio::time::sleep(backoff.next_delay()) => {}
                }
                // Its answer is noted on the way.
                let _ = store.head().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_silence_counts_as_lost() {
        let reach = Reach::new();
        assert_eq!(reach.check(), Ok(()));
        for (answer, answers) in [
            (Err(Error::Unavailable("gone".into())), false),
            (Ok(()), true),
            (Err(Error::Unknown("no answer".into())), false),
            (Err(Error::NoSpace("full".into())), true),
            (Err(Error::Unavailable("gone".into())), false),
            (Err(Error::Invalid("twice the same key".into())), true),
        ] {
            reach.note(&answer);
            assert_eq!(reach.check().is_ok(), answers, "{answer:?}");
        }
    }
}
