//! Pods that refer to config maps, secrets and to what others say of the node.

use keelson_proto::core::{
    ConfigMap, ConfigMapKeySelector, ConfigMapVolumeSource, EnvVar, EnvVarSource, Node, Secret,
    SecretVolumeSource, Taint, Toleration, Volume,
};

use super::*;

fn mk_map(color: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.namespace = "default".to_owned();
    map.metadata.name = "m".to_owned();
    map.data.insert("color".to_owned(), color.to_owned());
    map
}

/// A pod that reads a config map.
fn mk_reader() -> Pod {
    let mut pod = mk_pod("web", "web:1");
    let mut volume = Volume { name: "v".to_owned(), ..Volume::default() };
    let mut source = ConfigMapVolumeSource::default();
    source.local_object_reference.name = "m".to_owned();
    volume.volume_source.config_map = Some(source);
    pod.spec.volumes = vec![volume];
    pod
}

fn color(node: &TestNode) -> String {
    let dir = node.root.path().join("pods/uid-of-web/volumes/kubernetes.io~configmap/v");
    std::fs::read_to_string(dir.join("color")).unwrap_or_default()
}

fn seconds_since(node: &TestNode, begin: Timestamp) -> i64 {
    node.clock.now().as_second() - begin.as_second()
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_for_what_it_refers_to_and_goes_on_at_once() {
    let node = TestNode::new().await;
    node.bind(&mk_reader());
    eventually("it is told", || node.events().contains_key("FailedMount")).await;
    assert_eq!(node.waiting("web"), "ContainerCreating");
    let message = node.status("web").unwrap().state.waiting.unwrap().message;
    assert_eq!(message, "MountVolume.SetUp failed for volume \"v\" : configmap \"m\" not found");
    pass(100).await;
    let begin = node.clock.now();
    node.api.put(&mk_map("blue"));
    eventually("it runs", || node.is_ready("web")).await;
    assert!(seconds_since(&node, begin) < 1, "no back-off is waited for");
    assert_eq!(color(&node), "blue");
}

#[tokio::test(start_paused = true)]
async fn a_change_reaches_the_volumes_of_running_pods() {
    let node = TestNode::new().await;
    node.api.put(&mk_map("blue"));
    node.run(&mk_reader()).await;
    let begin = node.clock.now();
    node.api.put(&mk_map("red"));
    eventually("it is there", || color(&node) == "red").await;
    assert!(seconds_since(&node, begin) < 1);
    node.api.remove(&mk_map("red"));
    eventually("it is told", || node.events().contains_key("FailedMount")).await;
    assert_eq!(
        (node.phase("web").as_str(), color(&node).as_str()),
        ("Running", "red"),
        "what is there stays"
    );
    node.api.put(&mk_map("green"));
    eventually("it comes back", || color(&node) == "green").await;
    node.delete_pod("web", 1);
    eventually("nothing is left", || node.pod_dirs() == 0).await;
    let followed = || node.tasks.running().iter().any(|name| name.contains("referenced"));
    eventually("nobody follows it", || !followed()).await;
}

#[tokio::test(start_paused = true)]
async fn a_variable_waits_for_its_entry() {
    let node = TestNode::new().await;
    node.api.put(&mk_map("blue"));
    let mut pod = mk_pod("web", "web:1");
    let mut selector = ConfigMapKeySelector { key: "taste".to_owned(), ..Default::default() };
    selector.local_object_reference.name = "m".to_owned();
    let value_from = Some(EnvVarSource { config_map_key_ref: Some(selector), ..EnvVarSource::default() });
    pod.spec.containers[0].env = vec![EnvVar { name: "TASTE".into(), value: String::new(), value_from }];
    node.bind(&pod);
    eventually("it waits", || node.waiting("web") == "CreateContainerConfigError").await;
    let message = node.status("web").unwrap().state.waiting.unwrap().message;
    assert_eq!(message, "couldn't find key taste in ConfigMap default/m");
    let mut map = mk_map("blue");
    map.data.insert("taste".to_owned(), "sour".to_owned());
    let begin = node.clock.now();
    node.api.put(&map);
    eventually("it runs", || node.is_ready("web")).await;
    assert!(seconds_since(&node, begin) < 1);
}

#[tokio::test(start_paused = true)]
async fn an_optional_secret_that_never_comes_is_an_empty_directory() {
    let node = TestNode::new().await;
    let mut pod = mk_pod("web", "web:1");
    let mut volume = Volume { name: "v".to_owned(), ..Volume::default() };
    let source =
        SecretVolumeSource { secret_name: "s".into(), optional: Some(true), ..SecretVolumeSource::default() };
    volume.volume_source.secret = Some(source);
    pod.spec.volumes = vec![volume];
    node.run(&pod).await;
    let mut secret = Secret::default();
    (secret.metadata.namespace, secret.metadata.name) = ("default".to_owned(), "s".to_owned());
    secret.data.insert("key".to_owned(), b"late".to_vec());
    node.api.put(&secret);
    let file = node.root.path().join("pods/uid-of-web/volumes/kubernetes.io~secret/v/key");
    eventually("it came after all", || std::fs::read_to_string(&file).is_ok_and(|text| text == "late")).await;
    node.delete_pod("web", 1);
    eventually("nothing is left", || node.pod_dirs() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_label_that_somebody_gave_the_node_counts() {
    let node = TestNode::new().await;
    let mut labelled: Node = node.api.get("", "n1").unwrap();
    labelled.metadata.labels.insert("disk".to_owned(), "fast".to_owned());
    let picky = |name: &str, disk: &str| {
        let mut pod = mk_pod(name, "web:1");
        pod.spec.node_selector.insert("disk".to_owned(), disk.to_owned());
        pod
    };
    node.api.put(&labelled);
    // In the same moment: the kubelet may hear of the pod first.
    node.bind(&picky("web", "fast"));
    eventually("it runs", || node.is_ready("web")).await;
    node.bind(&picky("slow", "slow"));
    eventually("it is rejected", || node.phase("slow") == "Failed").await;
    assert_eq!(node.pod("slow").unwrap().status.reason, "NodeAffinity");
}

#[tokio::test(start_paused = true)]
async fn a_taint_that_drives_pods_away_lets_none_in() {
    let node = TestNode::new().await;
    let mut tainted: Node = node.api.get("", "n1").unwrap();
    let taint = Taint { key: "broken".into(), effect: "NoExecute".into(), ..Taint::default() };
    tainted.spec.taints = vec![taint];
    node.api.put(&tainted);
    node.bind(&mk_pod("web", "web:1"));
    eventually("it is rejected", || node.phase("web") == "Failed").await;
    assert_eq!(node.pod("web").unwrap().status.reason, "TaintToleration");
    let mut tough = mk_pod("tough", "web:1");
    tough.spec.tolerations = vec![Toleration { operator: "Exists".into(), ..Toleration::default() }];
    node.run(&tough).await;
}
