use futures::StreamExt;
use keelson_base_client::{ListParams, WatchParams};
use keelson_proto::core::{Node, Pod};
use keelson_proto::meta::ObjectMeta;
use keelson_proto::v1::ListRequest;

use super::store::{Replaceable, mk_store};
use super::{Fixture, mk_labelled_pod, mk_pod};

#[tokio::test]
async fn lists_are_in_order_and_select() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    for (name, app) in [("b", "x"), ("a", "y"), ("c", "x")] {
        pods.create(&mk_labelled_pod(name, app)).await.unwrap();
    }
    let bound = pods.get("c").await.unwrap();
    pods.bind(&bound, "n1").await.unwrap();
    let names = |params: ListParams| {
        let pods = pods.clone();
        async move {
            let list = pods.list(&params).await.unwrap();
            list.items.into_iter().map(|pod| pod.metadata.name).collect::<Vec<_>>()
        }
    };
    assert_eq!(names(ListParams::default()).await, ["a", "b", "c"]);
    assert_eq!(
        names(ListParams { label_selector: "app=x".into(), ..ListParams::default() }).await,
        ["b", "c"]
    );
    assert_eq!(names(ListParams { label_selector: "app!=x".into(), ..ListParams::default() }).await, ["a"]);
    for (field_selector, expected) in [
        ("spec.nodeName=n1", vec!["c"]),
        ("spec.nodeName=", vec!["a", "b"]),
        ("metadata.name=b", vec!["b"]),
        ("metadata.namespace=other", vec![]),
        ("status.phase!=Pending", vec![]),
    ] {
        assert_eq!(
            names(ListParams { field_selector: field_selector.into(), ..ListParams::default() }).await,
            expected,
            "{field_selector}"
        );
    }
    let bad = ListParams { field_selector: "spec.colour=red".into(), ..ListParams::default() };
    let error = pods.list(&bad).await.unwrap_err();
    assert!(
        error.code() == 400 && error.message().contains("field label not supported: spec.colour"),
        "{error}"
    );
}

#[tokio::test]
async fn pages_show_one_state_whatever_happens_meanwhile() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    for n in 0..10 {
        pods.create(&mk_pod(&format!("p{n}"))).await.unwrap();
    }
    let first = ListRequest { namespace: "default".into(), limit: 4, ..ListRequest::default() };
    let page = pods.raw().list(first.clone()).await.unwrap();
    let metadata = page.metadata.unwrap();
    assert_eq!((page.items.len(), metadata.remaining_item_count), (4, Some(6)));
    pods.create(&mk_pod("p45")).await.unwrap();
    pods.delete("p9", Default::default()).await.unwrap();
    let mut token = metadata.r#continue;
    let mut rest = 0;
    while !token.is_empty() {
        let page = pods.raw().list(ListRequest { r#continue: token, ..first.clone() }).await.unwrap();
        rest += page.items.len();
        let next = page.metadata.unwrap();
        assert_eq!(next.resource_version, metadata.resource_version);
        token = next.r#continue;
    }
    assert_eq!(rest, 6);
    let bad = ListRequest { r#continue: "nonsense".into(), ..first };
    assert_eq!(pods.raw().list(bad).await.unwrap_err().code(), 400);
}

#[tokio::test]
async fn a_page_of_a_state_that_is_gone_is_expired() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    for n in 0..6 {
        pods.create(&mk_pod(&format!("p{n}"))).await.unwrap();
    }
    let first = ListRequest { namespace: "default".into(), limit: 4, ..ListRequest::default() };
    let token = pods.raw().list(first.clone()).await.unwrap().metadata.unwrap().r#continue;
    pods.create(&mk_pod("later")).await.unwrap();
    let head = fixture.store.head().await.unwrap();
    // The feed's own watch must have passed what is to be compacted.
    pods.get("later").await.unwrap();
    for _ in 0..100 {
        if fixture.store.compact(head).await.unwrap() >= head {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let error = pods.raw().list(ListRequest { r#continue: token, ..first }).await.unwrap_err();
    assert!(error.is_expired(), "{error}");
}

#[tokio::test]
async fn nodes_tell_whether_they_contain() {
    let fixture = Fixture::new().await;
    let nodes = fixture.client().api::<Node>();
    assert!(!nodes.contains("n1").await.unwrap());
    let metadata = ObjectMeta { name: "n1".into(), ..ObjectMeta::default() };
    nodes.create(&Node { metadata, ..Node::default() }).await.unwrap();
    assert!(nodes.contains("n1").await.unwrap());
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let created = pods.create(&mk_pod("web")).await.unwrap();
    drop(pods);
    let fixture = fixture.restart().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    assert_eq!(pods.get("web").await.unwrap(), created);
}

#[tokio::test]
async fn what_is_asked_of_a_revision_must_make_sense() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    for n in 0..3 {
        pods.create(&mk_pod(&format!("p{n}"))).await.unwrap();
    }
    let first = ListRequest { namespace: "default".into(), limit: 1, ..ListRequest::default() };
    let metadata = pods.raw().list(first.clone()).await.unwrap().metadata.unwrap();
    let (token, revision) = (metadata.r#continue.as_str(), metadata.resource_version.as_str());
    for (version, wanted, token, code) in [
        ("", "Exact", "", 422),
        ("", "NotOlderThan", "", 422),
        ("0", "Exact", "", 422),
        (revision, "Sometimes", "", 422),
        (revision, "Exact", token, 422),
        (revision, "", token, 400),
        ("abc", "", "", 400),
        ("0", "", token, 200),
        (revision, "Exact", "", 200),
        ("0", "NotOlderThan", "", 200),
    ] {
        let request = ListRequest {
            resource_version: version.into(),
            resource_version_match: wanted.into(),
            r#continue: token.into(),
            ..first.clone()
        };
        let answered = pods.raw().list(request).await.map_or_else(|error| error.code(), |_| 200);
        assert_eq!(answered, code, "{version:?} {wanted:?} {token:?}");
    }
}

#[tokio::test]
async fn a_page_of_a_revision_is_of_exactly_that() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let first = pods.create(&mk_pod("p0")).await.unwrap().metadata.resource_version;
    pods.create(&mk_pod("p1")).await.unwrap();
    let count = |limit: i64, wanted: &str| {
        let request = ListRequest {
            namespace: "default".into(),
            resource_version: first.clone(),
            resource_version_match: wanted.into(),
            limit,
            ..ListRequest::default()
        };
        let pods = pods.clone();
        async move { pods.raw().list(request).await.unwrap().items.len() }
    };
    // The cache holds both.
    pods.get("p1").await.unwrap();
    assert_eq!((count(10, "").await, count(0, "Exact").await), (1, 1));
    assert_eq!((count(0, "").await, count(10, "NotOlderThan").await), (2, 2));
}

#[tokio::test]
async fn a_revision_that_never_comes_is_told_with_its_cause() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let request = ListRequest { resource_version: "1000000".into(), ..ListRequest::default() };
    tokio::time::pause();
    let error = pods.raw().list(request).await.unwrap_err();
    let causes = &error.status().details.as_ref().unwrap().causes;
    assert_eq!((error.code(), causes[0].reason.as_str()), (504, "ResourceVersionTooLarge"), "{error}");
}

#[tokio::test]
async fn when_the_store_has_gone_back_reads_do_too() {
    let (before, after) = (mk_store("before").await, mk_store("after").await);
    let store = Replaceable::new(before.0.clone());
    let fixture = Fixture::over(store.clone(), before.1).await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    for n in 0..20 {
        pods.create(&mk_pod(&format!("p{n}"))).await.unwrap();
    }
    let old = Fixture::over(after.0.clone(), after.1).await;
    old.client().api::<Pod>().namespaced("default").create(&mk_pod("survivor")).await.unwrap();
    let mut watch = pods.watch(&WatchParams { resource_version: "1".into(), ..WatchParams::default() }).await;
    store.replace(after.0);
    // Until the feed has noticed, the caches still show the store that is no more; then its watchers end.
    if let Ok(watch) = &mut watch {
        while let Some(Ok(_)) = watch.next().await {}
    }
    let names: Vec<_> = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|pod| pod.metadata.name)
        .collect();
    assert_eq!(names, ["survivor"]);
}
