//! Watches: where they begin, what they deliver, how they end.

use super::{Backend, next, next_batch, put, watch, write};
use crate::{Change, ChangeKind, Error, Op, Revision};
use futures::{FutureExt, StreamExt};

const A: &str = "/registry/pods/default/a";
const B: &str = "/registry/pods/default/b";

/// From now, and from every revision of the past.
pub async fn a_watch_begins_after_its_revision(backend: &dyn Backend) {
    let store = backend.open().await;
    for n in 0..100 {
        put(&*store, A, &n.to_string()).await;
    }
    let mut head = store.head().await.expect("head answers");
    for back in [0, 1, 2, 50, head - 1, head] {
        let from = head.saturating_sub(back);
        let mut watch = watch(&*store, from).await;
        for expected in from.max(1) + 1..=head {
            assert_eq!(next_batch(&mut watch).await.revision, expected, "from {from}");
        }
        assert!(watch.next().now_or_never().is_none(), "nothing after the newest commit");
        head = put(&*store, B, "new").await;
        assert_eq!(next_batch(&mut watch).await.revision, head);
    }
    store.close().await.expect("the store closes");
}

/// All keys of a commit at once, from memory and from history.
pub async fn a_watch_delivers_commits_whole(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut live = watch(&*store, 1).await;
    put(&*store, A, "1").await;
    let old = store.get(A).await.expect("get answers");
    let second = write(&*store, [Op::put(A, "2"), Op::put(B, "2"), Op::delete("/registry/none")]).await;
    let [new_a, new_b] = [store.get(A).await, store.get(B).await].map(|kv| kv.expect("get answers"));
    let third = write(&*store, [Op::delete(B)]).await;
    let put_of = |kv: &Option<crate::KeyValue>| ChangeKind::Put(kv.clone().expect("the key is there"));
    let expected: [(Revision, Vec<Change>); 3] = [
        (second - 1, vec![Change { key: A.into(), kind: put_of(&old) }]),
        (
            second,
            vec![
                Change { key: A.into(), kind: put_of(&new_a) },
                Change { key: B.into(), kind: put_of(&new_b) },
            ],
        ),
        (third, vec![Change { key: B.into(), kind: ChangeKind::Delete }]),
    ];
    for n in 0..100 {
        put(&*store, "/registry/other", &n.to_string()).await;
    }
    let mut past = watch(&*store, 1).await;
    for (revision, changes) in expected {
        for watch in [&mut live, &mut past] {
            let batch = next_batch(watch).await;
            assert_eq!((batch.revision, &*batch.changes), (revision, &*changes));
        }
    }
    store.close().await.expect("the store closes");
}

/// It reads nothing while a thousand commits go by, and then gets all of them.
pub async fn a_slow_watch_misses_nothing(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut slow = watch(&*store, 1).await;
    put(&*store, A, "first").await;
    assert_eq!(next_batch(&mut slow).await.revision, 2);
    for n in 0..1000 {
        put(&*store, if n % 2 == 0 { A } else { B }, &n.to_string()).await;
    }
    for expected in 3..=1002 {
        let batch = next_batch(&mut slow).await;
        assert_eq!((batch.revision, batch.changes.len()), (expected, 1));
        let value = batch.changes[0].current().map(|kv| kv.value.clone());
        assert_eq!(value, Some((expected - 3).to_string().into()));
    }
    assert!(slow.next().now_or_never().is_none());
    store.close().await.expect("the store closes");
}

/// It would have to wait for revisions that another history may take.
pub async fn a_watch_cannot_begin_in_the_future(backend: &dyn Backend) {
    let store = backend.open().await;
    let head = put(&*store, A, "1").await;
    let error = store.watch(head + 1).await.err();
    assert_eq!(error, Some(Error::FutureRevision { requested: head + 1, head }));
    store.close().await.expect("the store closes");
}

/// With an error, so that nobody takes silence for news.
pub async fn closing_ends_watches(backend: &dyn Backend) {
    let store = backend.open().await;
    let head = store.head().await.expect("head answers");
    let mut watch = watch(&*store, head).await;
    store.close().await.expect("the store closes");
    assert_eq!(next(&mut watch).await, Err(Error::Closed));
    assert_eq!(watch.next().await, None);
}
