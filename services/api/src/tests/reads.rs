use keelson_base_client::ListParams;
use keelson_proto::core::{Node, Pod};
use keelson_proto::meta::ObjectMeta;
use keelson_proto::v1::ListRequest;

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
    assert_eq!(names(ListParams { label_selector: "app=x".into(), ..ListParams::default() }).await, ["b", "c"]);
    assert_eq!(names(ListParams { label_selector: "app!=x".into(), ..ListParams::default() }).await, ["a"]);
    for (field_selector, expected) in [
        ("spec.nodeName=n1", vec!["c"]),
        ("spec.nodeName=", vec!["a", "b"]),
        ("metadata.name=b", vec!["b"]),
        ("metadata.namespace=other", vec![]),
        ("status.phase!=Pending", vec![]),
    ] {
        assert_eq!(names(ListParams { field_selector: field_selector.into(), ..ListParams::default() }).await, expected, "{field_selector}");
    }
    let bad = ListParams { field_selector: "spec.colour=red".into(), ..ListParams::default() };
    let error = pods.list(&bad).await.unwrap_err();
    assert!(error.code() == 400 && error.message().contains("field label not supported: spec.colour"), "{error}");
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
