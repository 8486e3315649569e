//! Replication controllers: their pods, and how many.

use keelson_tests::{Session, assert_eventually};

use super::{controller, with_every_kubectl};

#[test]
fn a_controller_keeps_its_number_of_pods() {
    with_every_kubectl(|kubectl| {
        let created = kubectl.ok_with("create -f -", &controller("web", 2).to_string());
        assert_eq!(created, "replicationcontroller/web created\n");
        ready(kubectl, "2");
        let table = kubectl.table("get rc");
        assert_eq!(table.columns(), ["NAME", "DESIRED", "CURRENT", "READY", "AGE"]);
        assert_eq!((table.cell("web", "DESIRED"), table.cell("web", "CURRENT")), ("2", "2"));
        let wide = kubectl.table("get rc -o wide");
        assert_eq!(wide.cell("web", "SELECTOR"), "app=web");

        assert_eq!(kubectl.ok("scale rc web --replicas=4"), "replicationcontroller/web scaled\n");
        ready(kubectl, "4");
        let refused = kubectl.fails("scale rc web --current-replicas=2 --replicas=5");
        assert!(refused.contains("xpected replicas to be 2, was 4"), "{refused}");
        kubectl.ok("scale rc web --current-replicas=4 --replicas=1");
        ready(kubectl, "1");
        assert_eventually!(pods(kubectl).len() == 1, "more than one pod stays");

        let before = pods(kubectl);
        kubectl.ok(&format!("delete {}", before[0]));
        ready(kubectl, "1");
        assert_eventually!(pods(kubectl).len() == 1, "not one pod");
        assert_ne!(pods(kubectl), before, "a pod that is deleted is replaced by another");
    });
}

#[test]
fn pods_belong_to_their_controller() {
    with_every_kubectl(|kubectl| {
        kubectl.ok_with("create -f -", &controller("web", 2).to_string());
        ready(kubectl, "2");
        let owner = kubectl.ok("get pods -o jsonpath={.items[0].metadata.ownerReferences[0].kind}/{.items[0].metadata.ownerReferences[0].name}");
        assert_eq!(owner, "ReplicationController/web");
        // One that is labelled away is let go and replaced.
        let freed = pods(kubectl).remove(0);
        kubectl.ok(&format!("label {freed} app=free --overwrite"));
        assert_eventually!(pods(kubectl).len() == 3, "the pod that left was not replaced");
        assert_eventually!(
            kubectl.json(&format!("get {freed}"))["metadata"].get("ownerReferences").is_none(),
            "it still has an owner"
        );
        let deleted = kubectl.ok("delete rc web");
        assert!(deleted.starts_with("replicationcontroller \"web\" deleted"), "{deleted}");
        assert_eventually!(pods(kubectl) == [freed.clone()], "pods of the deleted controller stay");
    });
}

#[test]
fn orphans_stay() {
    with_every_kubectl(|kubectl| {
        kubectl.ok_with("create -f -", &controller("web", 2).to_string());
        ready(kubectl, "2");
        let before = pods(kubectl);
        kubectl.ok("delete rc web --cascade=orphan");
        assert!(kubectl.fails("get rc web").contains("NotFound"));
        assert_eq!(pods(kubectl), before);
        // The next controller with this selector adopts them.
        kubectl.ok_with("create -f -", &controller("web", 2).to_string());
        ready(kubectl, "2");
        assert_eq!(pods(kubectl), before);
    });
}

#[test]
fn what_stands_behind_a_service() {
    with_every_kubectl(|kubectl| {
        kubectl.ok_with("create -f -", &controller("web", 2).to_string());
        assert_eq!(kubectl.ok("expose rc web --port=80 --target-port=9376"), "service/web exposed\n");
        ready(kubectl, "2");
        let addresses = "get endpoints web -o jsonpath={.subsets[*].addresses[*].ip}";
        assert_eventually!(kubectl.ok(addresses).split_whitespace().count() == 2, "not two addresses");
        let described = kubectl.ok("describe rc web");
        assert!(described.contains("2 Running / 0 Waiting / 0 Succeeded / 0 Failed"), "{described}");
        assert!(described.contains("SuccessfulCreate"), "{described}");
    });
}

/// Waits until the controller `web` says that so many are ready.
fn ready(kubectl: &Session, number: &str) {
    assert_eventually!(
        kubectl.table("get rc web").cell("web", "READY") == number,
        "{}",
        kubectl.ok("get rc,pods")
    );
}

/// The pods that are not going away, as `pod/name`.
fn pods(kubectl: &Session) -> Vec<String> {
    let pods = kubectl.json("get pods");
    let stays = |pod: &&serde_json::Value| pod["metadata"].get("deletionTimestamp").is_none();
    let name = |pod: &serde_json::Value| format!("pod/{}", pod["metadata"]["name"].as_str().unwrap());
    pods["items"].as_array().unwrap().iter().filter(stays).map(name).collect()
}
