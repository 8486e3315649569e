//! Times to live. Real time passes: the clock that decides may be another process's.

use super::{Backend, next_batch, value, watch, write};
use crate::{Change, ChangeKind, Op};
use std::time::{Duration, Instant};

const A: &str = "/registry/events/a";
const B: &str = "/registry/events/b";
const TTL: Duration = Duration::from_millis(300);

fn put_for(key: &str, value: &'static str, ttl: Duration) -> Op {
    Op::Put { key: key.to_owned(), value: value.into(), ttl: Some(ttl) }
}

/// At its time or a little later, with a revision, and watches see it.
pub async fn a_key_expires_as_a_delete(backend: &dyn Backend) {
    let store = backend.open().await;
    let began = Instant::now();
    let revision = write(&*store, [put_for(A, "short", TTL), Op::put(B, "for ever")]).await;
    assert!(value(&*store, A).await.is_some());
    let mut watch = watch(&*store, revision).await;
    let batch = next_batch(&mut watch).await;
    let after = began.elapsed();
    assert!(after >= TTL && after < TTL + backend.ttl_slack(), "expired after {after:?}");
    assert_eq!(batch.revision, revision + 1);
    assert_eq!(*batch.changes, [Change { key: A.into(), kind: ChangeKind::Delete }]);
    assert_eq!((value(&*store, A).await, store.head().await), (None, Ok(revision + 1)));
    assert_eq!(value(&*store, B).await.as_deref(), Some("for ever"));
    store.close().await.expect("the store closes");
}

/// A put without a time to live makes the key stay, one with a longer time makes it stay longer, and a new key
/// knows nothing of the old one's time.
pub async fn a_later_put_decides_about_expiry(backend: &dyn Backend) {
    let store = backend.open().await;
    let (stays, longer, renewed) =
        ("/registry/events/stays", "/registry/events/longer", "/registry/events/new");
    write(&*store, [stays, longer, renewed, A].map(|key| put_for(key, "1", TTL))).await;
    let long = Duration::from_secs(3600);
    write(&*store, [Op::put(stays, "2"), put_for(longer, "2", long), Op::delete(renewed)]).await;
    let written = write(&*store, [Op::put(renewed, "2")]).await;
    let mut watch = watch(&*store, written).await;
    let batch = next_batch(&mut watch).await;
    let expired: Vec<&str> = batch.changes.iter().map(|change| &*change.key).collect();
    assert_eq!(expired, [A]);
    // The others had the same time: had it still counted, it would be up within the slack.
    tokio::time::sleep(backend.ttl_slack()).await;
    for key in [stays, longer, renewed] {
        assert_eq!(value(&*store, key).await.as_deref(), Some("2"), "{key}");
    }
    store.close().await.expect("the store closes");
}

/// Also when the time is up while nobody runs the store.
pub async fn keys_expire_after_a_restart(backend: &dyn Backend) {
    let store = backend.open().await;
    let later = TTL * 4;
    let written = write(&*store, [put_for(A, "1", TTL), put_for(B, "1", later)]).await;
    store.close().await.expect("the store closes");
    tokio::time::sleep(TTL).await;

    let store = backend.open().await;
    let mut watch = watch(&*store, written).await;
    let mut expired = Vec::new();
    while expired.len() < 2 {
        let batch = next_batch(&mut watch).await;
        expired.extend(batch.changes.iter().map(|change| change.key.to_string()));
    }
    expired.sort();
    assert_eq!(expired, [A, B]);
    store.close().await.expect("the store closes");
}
