//! What every store must do. Each function takes a [`Backend`] with nothing in it and panics where the store
//! does not keep a promise; [`conformance_tests!`](crate::conformance_tests) makes tests of all of them.

#![expect(clippy::expect_used, clippy::panic, reason = "a broken promise ends the test that found it")]

pub mod commits;
pub mod compaction;
pub mod concurrency;
pub mod expiry;
pub mod random;
pub mod ranges;
pub mod restart;
pub mod watches;

pub use crate::testing::Backend;
use crate::{Batch, Commit, CommitOutcome, Error, Op, Revision, Store, WatchStream};
use futures::StreamExt;
use std::time::Duration;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tests of all that this module asks, on the backend that the expression makes.
#[macro_export]
macro_rules! conformance_tests {
    ($backend:expr) => {
        $crate::conformance_tests! { $backend =>
            commits::an_empty_store_is_at_revision_one,
            commits::a_key_has_a_history_of_its_own,
            commits::a_commit_is_whole_and_takes_one_revision,
            commits::a_commit_depends_on_its_compares,
            commits::a_commit_that_changes_nothing_takes_no_revision,
            commits::bad_commits_are_refused,
            commits::values_are_any_bytes,
            ranges::lists_are_ordered_and_bounded_by_their_prefix,
            ranges::pages_stay_at_one_revision,
            ranges::the_past_stays_readable,
            ranges::long_lists_are_complete,
            watches::a_watch_begins_after_its_revision,
            watches::a_watch_delivers_commits_whole,
            watches::a_slow_watch_misses_nothing,
            watches::a_watch_cannot_begin_in_the_future,
            watches::closing_ends_watches,
            compaction::compacted_history_is_gone,
            compaction::what_lives_survives_compaction,
            compaction::a_running_watch_holds_compaction_back,
            expiry::a_key_expires_as_a_delete,
            expiry::a_later_put_decides_about_expiry,
            expiry::keys_expire_after_a_restart,
            restart::a_restart_changes_nothing,
            restart::a_closed_store_says_so,
            concurrency::concurrent_commits_have_revisions_of_their_own,
            concurrency::concurrent_counters_lose_no_update,
            random::histories_agree_with_the_model,
        }
    };
    ($backend:expr => $($module:ident::$test:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::conformance::$module::$test(&$backend).await;
            }
        )+
    };
}

/// Commits, and returns the revision.
pub(crate) async fn commit(store: &dyn Store, commit: Commit) -> Revision {
    match store.commit(commit).await {
        Ok(CommitOutcome::Committed { revision }) => revision,
        other => panic!("a commit that must succeed: {other:?}"),
    }
}

/// Commits operations without conditions, and returns the revision.
pub(crate) async fn write(store: &dyn Store, ops: impl Into<Vec<Op>>) -> Revision {
    commit(store, Commit { compares: Vec::new(), ops: ops.into() }).await
}

/// Writes one value.
pub(crate) async fn put(store: &dyn Store, key: &str, value: &str) -> Revision {
    write(store, [Op::put(key, value.to_owned())]).await
}

/// The value under a key, if there is one.
pub(crate) async fn value(store: &dyn Store, key: &str) -> Option<String> {
    let found = store.get(key).await.expect("get answers")?;
    Some(String::from_utf8_lossy(&found.value).into_owned())
}

/// A watch that must begin.
pub(crate) async fn watch(store: &dyn Store, from: Revision) -> WatchStream {
    store.watch(from).await.expect("the watch begins")
}

/// The next thing a watch delivers, which must come.
pub(crate) async fn next(watch: &mut WatchStream) -> Result<Batch, Error> {
    let next = tokio::time::timeout(PATIENCE, watch.next()).await.expect("the watch delivers in time");
    next.expect("the watch goes on")
}

/// The next commit a watch delivers.
pub(crate) async fn next_batch(watch: &mut WatchStream) -> Batch {
    next(watch).await.expect("the watch delivers a commit")
}
