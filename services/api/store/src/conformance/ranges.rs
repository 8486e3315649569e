//! Lists: their bounds, their pages, their past.

use super::{Backend, put, write};
use crate::{Error, Op, RangeRequest, RangeResponse, Store};

fn keys(list: &RangeResponse) -> Vec<&str> {
    list.items.iter().map(|kv| &*kv.key).collect()
}

async fn range(store: &dyn Store, request: RangeRequest) -> RangeResponse {
    store.range(request).await.expect("range answers")
}

/// Neighbours of a prefix are not in its list.
pub async fn lists_are_ordered_and_bounded_by_their_prefix(backend: &dyn Backend) {
    let store = backend.open().await;
    for key in ["pods/b", "pods/a", "pods", "podsx/c", "pods0", "pods/a/deep", "pod/z", "pods/ä", "pods/~"] {
        put(&*store, &format!("/registry/{key}"), "x").await;
    }
    let list = range(&*store, RangeRequest::all("/registry/pods/")).await;
    let expected = ["a", "a/deep", "b", "~", "ä"].map(|name| format!("/registry/pods/{name}"));
    assert_eq!(keys(&list), expected);
    assert_eq!(range(&*store, RangeRequest::all("/registry/")).await.items.len(), 9);
    assert_eq!(range(&*store, RangeRequest::all("")).await.items.len(), 9);
    assert_eq!(range(&*store, RangeRequest::all("/registry/none/")).await.items.len(), 0);
    assert_eq!(range(&*store, RangeRequest::all("/elsewhere/")).await.items.len(), 0);
    store.close().await.expect("the store closes");
}

/// A list in pages is the list, whatever is written between the pages.
pub async fn pages_stay_at_one_revision(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = |n: usize| format!("/registry/pods/{n:02}");
    for n in 0..10 {
        put(&*store, &name(n), "first").await;
    }
    let head = store.head().await.expect("head answers");
    let mut request = Some(RangeRequest { limit: 3, ..RangeRequest::all("/registry/pods/") });
    let mut seen = Vec::new();
    while let Some(current) = request {
        let page = range(&*store, current.clone()).await;
        assert_eq!(page.revision, head);
        seen.extend(page.items.iter().map(|kv| (kv.key.to_string(), kv.value.clone())));
        assert_eq!((page.remaining, page.more), ((10 - seen.len()) as u64, seen.len() < 10));
        let writes =
            [Op::put(name(seen.len() % 9), "later"), Op::delete(name(9)), Op::put(name(11), "later")];
        write(&*store, writes).await;
        request = current.after(&page);
    }
    let expected: Vec<_> = (0..10).map(|n| (name(n), "first".into())).collect();
    assert_eq!(seen, expected);
    let exact = range(
        &*store,
        RangeRequest { limit: 10, revision: Some(head), ..RangeRequest::all("/registry/pods/") },
    );
    assert!(!exact.await.more, "a page that holds all has none after it");
    store.close().await.expect("the store closes");
}

/// Every revision shows what was then.
pub async fn the_past_stays_readable(backend: &dyn Backend) {
    let store = backend.open().await;
    let (a, b) = ("/registry/a", "/registry/b");
    put(&*store, a, "1").await;
    put(&*store, b, "1").await;
    write(&*store, [Op::delete(a)]).await;
    put(&*store, a, "2").await;
    let expected: [&[(&str, &str)]; 5] =
        [&[], &[(a, "1")], &[(a, "1"), (b, "1")], &[(b, "1")], &[(a, "2"), (b, "1")]];
    for (revision, expected) in (1..).zip(expected) {
        let list =
            range(&*store, RangeRequest { revision: Some(revision), ..RangeRequest::all("/registry/") })
                .await;
        let found: Vec<_> = list.items.iter().map(|kv| (&*kv.key, &kv.value[..])).collect();
        let expected: Vec<_> = expected.iter().map(|(key, value)| (*key, value.as_bytes())).collect();
        assert_eq!((found, list.revision), (expected, revision));
    }
    let future = store.range(RangeRequest { revision: Some(6), ..RangeRequest::all("/registry/") }).await;
    assert_eq!(future, Err(Error::FutureRevision { requested: 6, head: 5 }));
    let elsewhere = store.range(RangeRequest { revision: Some(6), ..RangeRequest::all("/elsewhere/") }).await;
    assert_eq!(elsewhere, Err(Error::FutureRevision { requested: 6, head: 5 }));
    store.close().await.expect("the store closes");
}

/// More items than a backend moves at once.
pub async fn long_lists_are_complete(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = |n: usize| format!("/registry/pods/{n:05}");
    for chunk in (0..2500).collect::<Vec<_>>().chunks(100) {
        write(&*store, chunk.iter().map(|n| Op::put(name(*n), vec![b'x'; 1000])).collect::<Vec<_>>()).await;
    }
    let expected: Vec<String> = (0..2500).map(name).collect();
    let list = range(&*store, RangeRequest::all("/registry/pods/")).await;
    assert_eq!((keys(&list).len(), list.more, list.remaining), (2500, false, 0));
    assert_eq!(keys(&list), expected);
    let page = range(&*store, RangeRequest { limit: 2200, ..RangeRequest::all("/registry/pods/") }).await;
    assert_eq!(keys(&page), expected[..2200]);
    assert_eq!((page.more, page.remaining), (true, 300));
    store.close().await.expect("the store closes");
}
