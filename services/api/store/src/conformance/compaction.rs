//! Compaction: what it takes and what it leaves.

use super::{Backend, next_batch, put, value, watch, write};
use crate::{Error, Op, RangeRequest, Revision, Store};

fn at(revision: Revision) -> RangeRequest {
    RangeRequest { revision: Some(revision), ..RangeRequest::all("/registry/") }
}

fn is_compacted<T>(result: Result<T, Error>, requested: Revision) -> bool {
    matches!(result, Err(Error::Compacted { requested: asked, compacted }) if asked == requested && compacted > asked)
}

/// A hundred commits, of which it returns the last one's revision.
async fn write_history(store: &dyn Store) -> Revision {
    for n in 0..100 {
        put(store, &format!("/registry/{}", n % 7), &n.to_string()).await;
    }
    store.head().await.expect("head answers")
}

/// Older lists and watches fail; the compacted revision itself can be listed and watched from.
pub async fn compacted_history_is_gone(backend: &dyn Backend) {
    let store = backend.open().await;
    let head = write_history(&*store).await;
    let future = store.compact(head + 1).await;
    assert_eq!(future, Err(Error::FutureRevision { requested: head + 1, head }));
    let before = store.range(at(head - 10)).await;
    assert_eq!(store.compact(head - 10).await, Ok(head - 10));
    assert_eq!(store.compact(5).await, Ok(head - 10), "compaction never goes back");
    for gone in [1, 2, head - 11] {
        assert!(is_compacted(store.range(at(gone)).await, gone), "list at {gone}");
        assert!(is_compacted(store.watch(gone).await, gone), "watch from {gone}");
    }
    assert_eq!(store.range(at(head - 10)).await, before);
    let mut watch = watch(&*store, head - 10).await;
    for expected in head - 9..=head {
        let batch = next_batch(&mut watch).await;
        assert_eq!((batch.revision, batch.changes.len()), (expected, 1));
    }
    store.close().await.expect("the store closes");
}

/// Values written long ago, keys deleted and created again; also after a restart.
pub async fn what_lives_survives_compaction(backend: &dyn Backend) {
    let store = backend.open().await;
    put(&*store, "/registry/old", "old").await;
    put(&*store, "/registry/gone", "1").await;
    write(&*store, [Op::delete("/registry/gone")]).await;
    put(&*store, "/registry/back", "1").await;
    write(&*store, [Op::delete("/registry/back"), Op::put("/registry/pair", "1")]).await;
    put(&*store, "/registry/back", "2").await;
    let last = write(&*store, [Op::delete("/registry/pair")]).await;
    let before = store.range(RangeRequest::all("/registry/")).await.expect("range answers");
    assert_eq!(store.compact(last).await, Ok(last));
    assert_eq!(store.range(RangeRequest::all("/registry/")).await.as_ref(), Ok(&before));
    store.close().await.expect("the store closes");

    let store = backend.open().await;
    assert_eq!(store.head().await, Ok(last), "though the last commit was a delete that is compacted");
    assert_eq!(store.range(RangeRequest::all("/registry/")).await, Ok(before));
    assert!(is_compacted(store.range(at(last - 1)).await, last - 1), "compaction outlives a restart");
    assert_eq!(value(&*store, "/registry/gone").await, None);
    assert_eq!(put(&*store, "/registry/gone", "2").await, last + 1);
    store.close().await.expect("the store closes");
}

/// As far as it has still to read.
pub async fn a_running_watch_holds_compaction_back(backend: &dyn Backend) {
    let store = backend.open().await;
    let head = write_history(&*store).await;
    let mut slow = watch(&*store, 20).await;
    assert_eq!(next_batch(&mut slow).await.revision, 21);
    assert_eq!(store.compact(head).await, Ok(21));
    for expected in 22..=head {
        assert_eq!(next_batch(&mut slow).await.revision, expected);
    }
    assert_eq!(store.compact(head).await, Ok(head));
    drop(slow);
    store.close().await.expect("the store closes");
}
