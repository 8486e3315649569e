use keelson_base_client::{ListParams, Patch, WatchParams};
use keelson_base_model::status::Reason;
use keelson_proto::core::{Node, Pod};
use keelson_proto::meta::{DeleteOptions, ObjectMeta};
use serde_json::json;

use super::{Fixture, mk_pod};

#[tokio::test]
async fn everyone_needs_a_certificate_and_keeps_to_what_is_theirs() {
    let fixture = Fixture::new().await;
    let admin = fixture.client();
    admin
        .api::<Node>()
        .create(&Node {
            metadata: ObjectMeta { name: "n1".into(), ..ObjectMeta::default() },
            ..Node::default()
        })
        .await
        .unwrap();
    let pods = admin.api::<Pod>().namespaced("default");
    let mine = pods.create(&mk_pod("mine")).await.unwrap();
    pods.bind(&mine, "n1").await.unwrap();
    let other = pods.create(&mk_pod("other")).await.unwrap();
    pods.bind(&other, "n2").await.unwrap();

    let kubelet = fixture.client_of("system:node:n1", "system:nodes").api::<Pod>().namespaced("default");
    let ready = Patch::merge(&json!({"status": {"phase": "Running"}})).unwrap();
    kubelet.patch_status("mine", &ready).await.unwrap();
    assert_eq!(kubelet.patch_status("other", &ready).await.unwrap_err().reason(), Reason::Forbidden);
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    assert_eq!(kubelet.delete("other", now.clone()).await.unwrap_err().reason(), Reason::Forbidden);
    assert!(kubelet.delete("mine", now).await.unwrap().removed);

    let stranger = fixture.client_of("mallory", "").api::<Pod>().namespaced("default");
    assert_eq!(stranger.get("other").await.unwrap_err().reason(), Reason::Forbidden);
    use keelson_base_client::ForwardedUser;
    let as_admin = ForwardedUser::try_new("system:admin", ["system:masters"]).unwrap();
    let impostor =
        fixture.client_of("mallory", "").acting_for(as_admin.clone()).api::<Pod>().namespaced("default");
    assert_eq!(impostor.get("other").await.unwrap_err().reason(), Reason::Forbidden);
    let gateway =
        fixture.client_of(crate::GATEWAY, "").acting_for(as_admin).api::<Pod>().namespaced("default");
    gateway.get("other").await.unwrap();
}

#[tokio::test]
async fn a_kubelet_sees_its_own_pods_and_cannot_choose_what_comes_to_it() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let mine = pods.create(&mk_pod("mine")).await.unwrap();
    pods.bind(&mine, "n1").await.unwrap();
    pods.create(&mk_pod("other")).await.unwrap();

    let kubelet = fixture.client_of("system:node:n1", "system:nodes");
    let own = kubelet.api::<Pod>().namespaced("default");
    own.get("mine").await.unwrap();
    assert_eq!(own.get("other").await.unwrap_err().reason(), Reason::Forbidden);
    for (field_selector, allowed) in
        [("", false), ("spec.nodeName=n2", false), ("spec.nodeName!=n1", false), ("spec.nodeName=n1", true)]
    {
        let params = ListParams { field_selector: field_selector.into(), ..ListParams::default() };
        assert_eq!(own.list(&params).await.is_ok(), allowed, "list {field_selector:?}");
        let params = WatchParams { field_selector: field_selector.into(), ..WatchParams::default() };
        assert_eq!(own.watch(&params).await.is_ok(), allowed, "watch {field_selector:?}");
    }
    let relabel = Patch::merge(&json!({"metadata": {"labels": {"app": "bank"}}})).unwrap();
    assert_eq!(own.patch_status("mine", &relabel).await.unwrap_err().reason(), Reason::Forbidden);
    let mut unmirrored = mk_pod("static");
    unmirrored.spec.node_name = "n1".into();
    assert_eq!(own.create(&unmirrored).await.unwrap_err().reason(), Reason::Forbidden);

    let nodes = kubelet.api::<Node>();
    let mut node =
        Node { metadata: ObjectMeta { name: "n1".into(), ..ObjectMeta::default() }, ..Node::default() };
    let secret = ("node-restriction.kubernetes.io/vault".to_owned(), "yes".to_owned());
    node.metadata.labels.insert(secret.0.clone(), secret.1);
    assert_eq!(nodes.create(&node).await.unwrap_err().reason(), Reason::Forbidden);
    node.metadata.labels.clear();
    nodes.create(&node).await.unwrap();
    let labels = json!({"metadata": {"labels": {secret.0: "yes"}}});
    let taints = json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}});
    for patch in [labels, taints] {
        let patch = Patch::merge(&patch).unwrap();
        assert_eq!(nodes.patch("n1", &patch).await.unwrap_err().reason(), Reason::Forbidden);
    }
}
