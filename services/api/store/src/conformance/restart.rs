//! Closing and opening again.

use super::{Backend, next_batch, put, watch, write};
use crate::{Commit, Error, Op, RangeRequest};

/// Same keys, same revisions, same history; and it goes on from there.
pub async fn a_restart_changes_nothing(backend: &dyn Backend) {
    let store = backend.open().await;
    for n in 0..50 {
        write(
            &*store,
            [Op::put(format!("/registry/{}", n % 5), n.to_string()), Op::put(format!("/registry/x{n}"), "x")],
        )
        .await;
    }
    let head = write(&*store, [Op::delete("/registry/3")]).await;
    let now = store.range(RangeRequest::all("/registry/")).await;
    let past = RangeRequest { revision: Some(head / 2), ..RangeRequest::all("/registry/") };
    let then = store.range(past.clone()).await;
    store.close().await.expect("the store closes");
    drop(store);

    let store = backend.open().await;
    assert_eq!(store.head().await, Ok(head));
    assert_eq!(store.range(RangeRequest::all("/registry/")).await, now);
    assert_eq!(store.range(past).await, then);
    let mut watch = watch(&*store, 1).await;
    assert_eq!(put(&*store, "/registry/new", "new").await, head + 1);
    for expected in 2..=head + 1 {
        assert_eq!(next_batch(&mut watch).await.revision, expected);
    }
    store.close().await.expect("the store closes");
}

/// Every call says that it is closed; closing again is no harm.
pub async fn a_closed_store_says_so(backend: &dyn Backend) {
    let store = backend.open().await;
    put(&*store, "/registry/a", "1").await;
    store.close().await.expect("the store closes");
    assert_eq!(store.get("/registry/a").await, Err(Error::Closed));
    assert_eq!(store.range(RangeRequest::default()).await, Err(Error::Closed));
    assert_eq!(store.commit(Commit::default()).await, Err(Error::Closed));
    assert_eq!(store.watch(1).await.err(), Some(Error::Closed));
    assert_eq!(store.head().await, Err(Error::Closed));
    assert_eq!(store.compact(1).await, Err(Error::Closed));
    assert!(matches!(store.close().await, Ok(()) | Err(Error::Closed)));
}
