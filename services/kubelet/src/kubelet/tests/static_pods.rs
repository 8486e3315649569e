use std::path::Path;

use super::*;

const MANIFEST: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - {name: main, image: 'IMAGE'}
";

fn write(dir: &Path, file: &str, image: &str) {
    // As editors do: complete, under another name, and then renamed.
    let hidden = dir.join(format!(".{file}"));
    std::fs::write(&hidden, MANIFEST.replace("IMAGE", image)).unwrap();
    std::fs::rename(hidden, dir.join(file)).unwrap();
}

fn mirror_uid(node: &TestNode) -> String {
    node.pod("web-n1").map(|pod| pod.metadata.uid).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_manifest_becomes_a_pod_and_its_mirror() {
    let dir = TempDir::new().unwrap();
    let mut node = TestNode::without_kubelet();
    node.manifests = Some(dir.path().to_owned());
    write(dir.path(), "web.yaml", "web:1");
    node.start().await;
    eventually("it is ready", || node.is_ready("web-n1")).await;
    let mirror = node.pod("web-n1").unwrap();
    let hash = mirror.metadata.annotations["kubernetes.io/config.mirror"].clone();
    assert_eq!(mirror.metadata.annotations["kubernetes.io/config.hash"], hash);
    assert_eq!(mirror.metadata.annotations["kubernetes.io/config.source"], "file");
    assert!(mirror.metadata.annotations.contains_key("kubernetes.io/config.seen"));
    assert_ne!(mirror.metadata.uid, hash);
    assert_eq!(mirror.spec.node_name, "n1");
    assert_eq!((mirror.status.phase.as_str(), node.running().len()), ("Running", 2));
    assert_eq!(node.app("main").unwrap().identity.pod.uid, hash);
}

#[tokio::test(start_paused = true)]
async fn a_mirror_that_is_deleted_comes_back_and_the_pod_runs_on() {
    let dir = TempDir::new().unwrap();
    let mut node = TestNode::without_kubelet();
    node.manifests = Some(dir.path().to_owned());
    write(dir.path(), "web.yaml", "web:1");
    node.start().await;
    eventually("it is ready", || node.is_ready("web-n1")).await;
    let (app, first) = (node.app("main").unwrap(), mirror_uid(&node));
    node.delete_pod("web-n1", 30);
    eventually("another one is there", || node.is_ready("web-n1") && mirror_uid(&node) != first).await;
    let second = mirror_uid(&node);
    node.api.remove(&node.pod("web-n1").unwrap());
    eventually("and again", || node.is_ready("web-n1") && mirror_uid(&node) != second).await;
    assert_eq!(node.app("main").unwrap(), app);
}

#[tokio::test(start_paused = true)]
async fn a_changed_manifest_is_another_pod_and_a_removed_one_is_none() {
    let dir = TempDir::new().unwrap();
    let mut node = TestNode::without_kubelet();
    node.manifests = Some(dir.path().to_owned());
    node.start().await;
    write(dir.path(), "web.yaml", "web:1");
    eventually("it is ready", || node.is_ready("web-n1")).await;
    write(dir.path(), "web.yaml", "web:2");
    let new = || node.app("main").is_some_and(|app| app.image == "web:2") && node.is_ready("web-n1");
    eventually("the new one is ready", new).await;
    eventually("the old one is gone", || node.hollow.containers().len() == 2).await;
    assert_eq!(node.pod("web-n1").unwrap().spec.containers[0].image, "web:2");
    std::fs::write(dir.path().join("web.yaml"), "kind: Nonsense").unwrap();
    pass(60).await;
    assert!(new(), "what cannot be read changes nothing");
    std::fs::remove_file(dir.path().join("web.yaml")).unwrap();
    eventually("nothing is left", || node.hollow.containers().is_empty() && node.pod("web-n1").is_none())
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_restarted_kubelet_keeps_its_static_pods_and_drops_mirrors_of_none() {
    let dir = TempDir::new().unwrap();
    let mut node = TestNode::without_kubelet();
    node.manifests = Some(dir.path().to_owned());
    write(dir.path(), "web.yaml", "web:1");
    node.start().await;
    eventually("it is ready", || node.is_ready("web-n1")).await;
    let (app, uid) = (node.app("main").unwrap(), mirror_uid(&node));
    node.stop().await;
    node.start().await;
    pass(60).await;
    assert_eq!((node.app("main").unwrap(), mirror_uid(&node)), (app, uid));
    node.stop().await;
    std::fs::remove_file(dir.path().join("web.yaml")).unwrap();
    node.start().await;
    eventually("nothing is left", || node.hollow.containers().is_empty() && node.pod("web-n1").is_none())
        .await;
}
