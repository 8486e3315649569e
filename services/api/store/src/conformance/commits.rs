//! Commits, one after the other.

use super::{Backend, commit, put, value, watch, write};
use crate::{
    Commit, CommitOutcome, Compare, Error, Expect, MAX_COMMIT_BYTES, MAX_COMMIT_OPS, Op, RangeRequest,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};

const A: &str = "/registry/pods/default/a";
const B: &str = "/registry/pods/default/b";
const C: &str = "/registry/services/specs/default/c";

/// Nothing in it, and a revision that no client takes for "any".
pub async fn an_empty_store_is_at_revision_one(backend: &dyn Backend) {
    let store = backend.open().await;
    assert_eq!(store.head().await, Ok(1));
    assert_eq!(store.get(A).await, Ok(None));
    let list = store.range(RangeRequest::all("/registry/")).await.expect("range answers");
    assert_eq!((list.items.len(), list.revision, list.more, list.remaining), (0, 1, false, 0));
    store.close().await.expect("the store closes");
}

/// Created, overwritten, deleted, created again.
pub async fn a_key_has_a_history_of_its_own(backend: &dyn Backend) {
    let store = backend.open().await;
    let created = put(&*store, A, "1").await;
    let other = put(&*store, B, "x").await;
    let updated = put(&*store, A, "2").await;
    assert_eq!((created, other, updated), (2, 3, 4));
    let kv = store.get(A).await.expect("get answers").expect("the key is there");
    assert_eq!((&*kv.key, &kv.value[..]), (A, &b"2"[..]));
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (created, updated, 2));

    assert_eq!(write(&*store, [Op::delete(A)]).await, 5);
    assert_eq!(value(&*store, A).await, None);
    let again = put(&*store, A, "3").await;
    let kv = store.get(A).await.expect("get answers").expect("the key is there");
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (again, again, 1));
    assert_eq!(store.head().await, Ok(again));
    store.close().await.expect("the store closes");
}

/// Several keys, one revision.
pub async fn a_commit_is_whole_and_takes_one_revision(backend: &dyn Backend) {
    let store = backend.open().await;
    put(&*store, A, "old a").await;
    let before = put(&*store, B, "old b").await;
    let ops = vec![Op::put(A, "new a"), Op::delete(B), Op::put(C, "c"), Op::delete("/registry/none")];
    let revision = commit(&*store, Commit { compares: Vec::new(), ops }).await;
    assert_eq!(revision, before + 1);
    let list = store.range(RangeRequest::all("/registry/")).await.expect("range answers");
    let found: Vec<_> = list.items.iter().map(|kv| (&*kv.key, kv.mod_revision)).collect();
    assert_eq!(found, [(A, revision), (C, revision)]);
    store.close().await.expect("the store closes");
}

/// Every expectation against a key that is there and one that is not; the first that fails is reported.
pub async fn a_commit_depends_on_its_compares(backend: &dyn Backend) {
    let store = backend.open().await;
    let there = put(&*store, A, "there").await;
    let cases = [
        (A, Expect::Absent, false),
        (A, Expect::Exists, true),
        (A, Expect::ModRevision(there), true),
        (A, Expect::ModRevision(there + 1), false),
        (A, Expect::ModRevision(0), false),
        (B, Expect::Absent, true),
        (B, Expect::Exists, false),
        (B, Expect::ModRevision(there), false),
        (B, Expect::ModRevision(0), true),
    ];
    for (key, expect, holds) in cases {
        let head = store.head().await.expect("head answers");
        let sure = Compare { key: A.to_owned(), expect: Expect::Exists };
        let compares = vec![sure, Compare { key: key.to_owned(), expect }];
        let tried = Commit { compares, ops: vec![Op::put(C, format!("{key} {expect:?}"))] };
        let outcome = store.commit(tried).await.expect("commit answers");
        if holds {
            assert!(matches!(outcome, CommitOutcome::Committed { .. }), "{key} {expect:?}: {outcome:?}");
        } else {
            let current = store.get(key).await.expect("get answers");
            assert_eq!(outcome, CommitOutcome::Conflict { index: 1, current, revision: head });
            assert_eq!(store.head().await, Ok(head), "a conflict changes nothing");
            assert_ne!(value(&*store, C).await, Some(format!("{key} {expect:?}")));
        }
    }
    store.close().await.expect("the store closes");
}

/// No operations, or deletes of nothing: no revision, no batch.
pub async fn a_commit_that_changes_nothing_takes_no_revision(backend: &dyn Backend) {
    let store = backend.open().await;
    let head = put(&*store, A, "1").await;
    let mut watch = watch(&*store, head).await;
    assert_eq!(commit(&*store, Commit::default()).await, head);
    let check = Commit { compares: vec![Compare { key: A.to_owned(), expect: Expect::Exists }], ops: vec![] };
    assert_eq!(commit(&*store, check).await, head);
    assert_eq!(commit(&*store, Commit::delete_if(B, Expect::Absent)).await, head);
    assert_eq!(store.head().await, Ok(head));
    assert!(watch.next().now_or_never().is_none());
    assert_eq!(put(&*store, B, "2").await, head + 1);
    store.close().await.expect("the store closes");
}

/// Both backends refuse the same.
pub async fn bad_commits_are_refused(backend: &dyn Backend) {
    let store = backend.open().await;
    let ops = |ops| Commit { compares: Vec::new(), ops };
    let twice = ops(vec![Op::put(A, "1"), Op::put(A, "2")]);
    assert!(matches!(store.commit(twice).await, Err(Error::Invalid(_))));
    assert!(matches!(store.commit(ops(vec![Op::put("", "1")])).await, Err(Error::Invalid(_))));
    let large = ops(vec![Op::put(A, vec![0; MAX_COMMIT_BYTES])]);
    assert!(matches!(store.commit(large).await, Err(Error::TooLarge { .. })));
    assert_eq!(store.head().await, Ok(1), "nothing happened");

    let largest = vec![Op::put(A, vec![7; MAX_COMMIT_BYTES - A.len()])];
    write(&*store, largest).await;
    let most: Vec<Op> = (0..MAX_COMMIT_OPS).map(|n| Op::put(format!("{B}{n}"), "x")).collect();
    let compares =
        most.iter().map(|op| Compare { key: op.key().to_owned(), expect: Expect::Absent }).collect();
    commit(&*store, Commit { compares, ops: most }).await;
    store.close().await.expect("the store closes");
}

/// Zeros, no bytes at all, keys beyond ASCII.
pub async fn values_are_any_bytes(backend: &dyn Backend) {
    let store = backend.open().await;
    let key = "/registry/pods/default/ä €";
    for value in
        [Bytes::new(), Bytes::from_static(b"k8s\0\n\0\xff\xfe"), Bytes::from((0..=255).collect::<Vec<u8>>())]
    {
        write(&*store, [Op::put(key, value.clone())]).await;
        let kv = store.get(key).await.expect("get answers").expect("the key is there");
        assert_eq!((&*kv.key, kv.value), (key, value));
    }
    store.close().await.expect("the store closes");
}
