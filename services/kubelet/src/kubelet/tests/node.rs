use keelson_base_client::ApiError;
use keelson_proto::coordination::Lease;

use super::*;

fn lease(node: &TestNode) -> Lease {
    node.api.get("kube-node-lease", "n1").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_node_is_registered_and_stays_alive() {
    let node = TestNode::new().await;
    let registered: Node = node.api.get("", "n1").unwrap();
    assert_eq!(registered.metadata.labels["kubernetes.io/hostname"], "n1");
    assert_eq!(registered.status.capacity["pods"].string, "110");
    assert!(registered.status.node_info.container_runtime_version.starts_with("hollow://"));
    eventually("the node is ready", || node.node_ready() == "True").await;
    eventually("there is a lease", || node.api.get::<Lease>("kube-node-lease", "n1").is_some()).await;
    let first = lease(&node);
    assert_eq!(first.metadata.owner_references[0].uid, registered.metadata.uid);
    assert_eq!(first.spec.lease_duration_seconds, Some(40));
    pass(60).await;
    let renewed = lease(&node).spec.renew_time.unwrap().seconds - first.spec.renew_time.unwrap().seconds;
    assert!((50..=60).contains(&renewed), "{renewed}");
    assert!(node.events().contains_key("Starting"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_node_writes_only_its_lease() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    pass(1).await;
    let (pods, lists) = (node.api.count("Pods/UpdateStatus"), node.runtime.count(Call::List));
    let nodes = node.api.count("Nodes/UpdateStatus");
    pass(3600).await;
    assert_eq!(node.api.count("Pods/UpdateStatus"), pods);
    let reports = node.api.count("Nodes/UpdateStatus") - nodes;
    assert!((11..=13).contains(&reports), "every five minutes: {reports}");
    let lists = node.runtime.count(Call::List) - lists;
    assert!(lists <= 24, "a list of all and one of the pod, every five minutes: {lists}");
    let renewals = node.api.count("Leases/Update");
    assert!((355..=365).contains(&renewals), "{renewals}");
}

#[tokio::test(start_paused = true)]
async fn what_others_say_of_the_node_is_put_right() {
    let node = TestNode::new().await;
    eventually("the node is ready", || node.node_ready() == "True").await;
    let mut lost: Node = node.api.get("", "n1").unwrap();
    for condition in &mut lost.status.conditions {
        condition.status = "Unknown".to_owned();
    }
    node.api.put(&lost);
    pass(1).await;
    assert_eq!(node.node_ready(), "True");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_deleted_comes_back() {
    let node = TestNode::new().await;
    pass(30).await;
    let old: Node = node.api.get("", "n1").unwrap();
    node.api.remove(&old);
    eventually("the node is back", || node.api.get::<Node>("", "n1").is_some()).await;
    eventually("the node is ready", || node.node_ready() == "True").await;
    pass(30).await;
    let node_uid = node.api.get::<Node>("", "n1").unwrap().metadata.uid;
    assert_eq!(lease(&node).metadata.owner_references[0].uid, node_uid);
}

#[tokio::test(start_paused = true)]
async fn registration_and_renewal_are_tried_until_they_succeed() {
    let mut node = TestNode::without_kubelet();
    for _ in 0..3 {
        node.api.fail("Nodes/Create", ApiError::service_unavailable("not yet"));
        node.api.fail("Leases/Get", ApiError::not_found("namespaces", "kube-node-lease"));
        node.api.fail("Leases/Create", ApiError::not_found("namespaces", "kube-node-lease"));
    }
    node.start().await;
    eventually("there is a lease", || node.api.get::<Lease>("kube-node-lease", "n1").is_some()).await;
    let mut stolen = lease(&node);
    stolen.spec.holder_identity = Some("somebody".to_owned());
    node.api.put(&stolen);
    eventually("it is ours again", || lease(&node).spec.holder_identity.as_deref() == Some("n1")).await;
}

#[tokio::test(start_paused = true)]
async fn labels_of_users_survive_a_restart() {
    let mut node = TestNode::new().await;
    node.stop().await;
    let mut labelled: Node = node.api.get("", "n1").unwrap();
    labelled.metadata.labels.insert("disk".to_owned(), "ssd".to_owned());
    labelled.metadata.labels.remove("kubernetes.io/os");
    node.api.put(&labelled);
    node.start().await;
    let labels = node.api.get::<Node>("", "n1").unwrap().metadata.labels;
    assert_eq!((labels["disk"].as_str(), labels["kubernetes.io/os"].as_str()), ("ssd", "linux"));
}

#[tokio::test(start_paused = true)]
async fn without_a_runtime_there_is_no_kubelet() {
    let node = TestNode::without_kubelet();
    let down = RuntimeError::Unreachable { operation: "ask its version", message: "no socket".to_owned() };
    node.runtime.fail(Call::Info, down);
    let (tasks, config) = (Tasks::new(), Config::new("n1", node.root.path()));
    let health = Health::new(tasks.drain());
    let runtime = Arc::new(node.runtime.clone());
    let built = Kubelet::build(config, runtime, node.api.client(), &tasks, &health, &Metrics::new()).await;
    let error = built.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the kubelet of node \"n1\" cannot start: cannot reach the container runtime to ask its version: no socket"
    );
}
