//! Many callers at once.

use super::{Backend, next_batch, put, value, watch};
use crate::{Commit, CommitOutcome, Expect, Revision, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;

const CALLERS: usize = 64;
const COMMITS: usize = 10;

/// One caller's commits: revision and key of each.
async fn create_keys(store: Arc<dyn Store>, caller: usize) -> Vec<(Revision, String)> {
    let mut created = Vec::new();
    for n in 0..COMMITS {
        let key = format!("/registry/pods/{caller}/{n}");
        let outcome = store.commit(Commit::put_if(&key, key.clone(), Expect::Absent)).await;
        let Ok(CommitOutcome::Committed { revision }) = outcome else { panic!("{outcome:?}") };
        let head = store.head().await.expect("head answers");
        assert!(head >= revision, "{head} is older than the acknowledged {revision}");
        let read = store.get(&key).await.expect("get answers").expect("it is there");
        assert_eq!(read.mod_revision, revision, "one reads what one has written");
        created.push((revision, key));
    }
    created
}

/// Every commit has a revision that no other has, and watches see each once, in order.
pub async fn concurrent_commits_have_revisions_of_their_own(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut live = watch(&*store, 1).await;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(create_keys(Arc::clone(&store), caller));
    }
    let all = callers.join_all().await.into_iter().flatten();
    let by_revision: BTreeMap<Revision, String> = all.collect();
    assert_eq!(by_revision.len(), CALLERS * COMMITS);
    let mut past = watch(&*store, 1).await;
    for (expected, (revision, key)) in (2..).zip(&by_revision) {
        assert_eq!(*revision, expected, "without gaps");
        for watch in [&mut live, &mut past] {
            let batch = next_batch(watch).await;
            let keys: Vec<_> = batch.changes.iter().map(|change| change.key.to_string()).collect();
            assert_eq!((batch.revision, keys), (*revision, vec![key.clone()]));
        }
    }
    store.close().await.expect("the store closes");
}

/// Adds one to the counter, as often as it takes.
async fn count_up(store: Arc<dyn Store>, key: &'static str) {
    for _ in 0..COMMITS {
        let mut current = store.get(key).await.expect("get answers");
        loop {
            let kv = current.as_ref().expect("the counter is there");
            let count: u64 = String::from_utf8_lossy(&kv.value).parse().expect("a number");
            let next = Commit::put_if(key, (count + 1).to_string(), Expect::ModRevision(kv.mod_revision));
            match store.commit(next).await.expect("commit answers") {
                CommitOutcome::Committed { .. } => break,
                CommitOutcome::Conflict { current: newer, .. } => current = newer,
            }
        }
    }
}

/// Compare and set, under contention.
pub async fn concurrent_counters_lose_no_update(backend: &dyn Backend) {
    const KEYS: [&str; 2] = ["/registry/counter/a", "/registry/counter/b"];
    let store = backend.open().await;
    for key in KEYS {
        put(&*store, key, "0").await;
    }
    let mut callers = JoinSet::new();
    for caller in 0..16 {
        callers.spawn(count_up(Arc::clone(&store), KEYS[caller % 2]));
    }
    callers.join_all().await;
    for key in KEYS {
        assert_eq!(value(&*store, key).await, Some((8 * COMMITS).to_string()));
    }
    store.close().await.expect("the store closes");
}
