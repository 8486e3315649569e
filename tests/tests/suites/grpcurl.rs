//! gRPC as its users find it: by reflection, with grpcurl.

mod processes;

use keelson_service_proxy::Mode;
use keelson_tests::{Grpcurl, InProcess, assert_eventually};
use serde_json::{Value, json};

const REGISTRIES: [&str; 8] =
    ["Pods", "Services", "ReplicationControllers", "Endpoints", "Nodes", "Namespaces", "Events", "Leases"];

#[test]
fn every_service_is_listed_and_described() {
    let cluster = InProcess::start();
    let grpcurl = Grpcurl::new(cluster.target());
    let listed = grpcurl.list();
    let others = ["Bindings", "Scheduler", "Replication"];
    for name in REGISTRIES.iter().chain(&others) {
        assert!(listed.contains(&format!("keelson.v1.{name}")), "{name} is not in {listed:?}");
    }
    assert!(listed.iter().any(|name| name == "grpc.health.v1.Health"), "{listed:?}");
    for name in &listed {
        let described = grpcurl.describe(name);
        assert!(described.contains("is a service:") && described.contains("rpc "), "{described}");
    }
    for name in REGISTRIES {
        let described = grpcurl.describe(&format!("keelson.v1.{name}"));
        for verb in
            ["List", "ListStream", "Watch", "Get", "Create", "Update", "Patch", "Delete", "DeleteCollection"]
        {
            assert!(described.contains(&format!("rpc {verb} (")), "{name} has no {verb}: {described}");
        }
    }
    let message = grpcurl.describe("k8s.io.api.core.v1.PodSpec");
    assert!(message.contains("repeated .k8s.io.api.core.v1.Container containers = 2"), "{message}");
    let health = grpcurl.ask("grpc.health.v1.Health/Check", &json!({}));
    assert_eq!(health["status"], "SERVING");
}

#[test]
fn every_registry_has_its_verbs() {
    let cluster = InProcess::start();
    let grpcurl = Grpcurl::new(cluster.target());
    for (registry, spec) in [
        ("Pods", Some(json!({"containers": [{"name": "main", "image": "x"}]}))),
        ("Services", Some(json!({"ports": [{"port": 80}]}))),
        ("ReplicationControllers", Some(controller())),
        ("Endpoints", None),
        ("Nodes", None),
        ("Namespaces", None),
        ("Leases", Some(json!({"holderIdentity": "me"}))),
    ] {
        eprintln!("registry {registry}");
        let namespace = if matches!(registry, "Nodes" | "Namespaces") { "" } else { "default" };
        let verbs = Verbs { grpcurl: &grpcurl, registry, namespace };
        let mut object =
            json!({"metadata": {"name": "mine", "namespace": namespace, "labels": {"mine": "yes"}}});
        if let Some(spec) = spec {
            object["spec"] = spec;
        }
        verbs.all(&object);
    }
}

#[test]
fn events_have_their_verbs() {
    let cluster = InProcess::start();
    let grpcurl = Grpcurl::new(cluster.target());
    let event = json!({
        "metadata": {"name": "mine", "namespace": "default", "labels": {"mine": "yes"}},
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"},
        "reason": "Tested", "message": "by hand", "type": "Normal",
    });
    Verbs { grpcurl: &grpcurl, registry: "Events", namespace: "default" }.all(&event);
}

/// The verbs of one registry.
struct Verbs<'a> {
    grpcurl: &'a Grpcurl<'a>,
    registry: &'a str,
    namespace: &'a str,
}

impl Verbs<'_> {
    fn method(&self, verb: &str) -> String {
        format!("keelson.v1.{}/{verb}", self.registry)
    }

    fn ask(&self, verb: &str, mut request: Value) -> Value {
        request["namespace"] = json!(self.namespace);
        self.grpcurl.ask(&self.method(verb), &request)
    }

    /// The life of an object, by all verbs.
    fn all(&self, object: &Value) {
        let created = self.ask("Create", json!({"object": object}));
        assert_eq!(created["metadata"]["name"], "mine");
        assert!(
            created["metadata"]["uid"].is_string() && created["metadata"]["resourceVersion"].is_string(),
            "{created}"
        );
        let again = self
            .grpcurl
            .refused(&self.method("Create"), &json!({"namespace": self.namespace, "object": object}));
        assert!(again.contains("Code: AlreadyExists"), "{again}");

        let mine = json!({"labelSelector": "mine=yes"});
        assert_eq!(names(&self.ask("List", mine.clone())), ["mine"]);
        assert_eq!(names(&self.ask("ListStream", mine)), ["mine"]);
        let one = json!({"name": "mine"});
        let patched = self.ask(
            "Patch",
            json!({
                "name": "mine", "contentType": "application/merge-patch+json",
                "patch": "eyJtZXRhZGF0YSI6eyJhbm5vdGF0aW9ucyI6eyJhIjoiYiJ9fX0=", // {"metadata":{"annotations":{"a":"b"}}}
            }),
        );
        assert_eq!(patched["metadata"]["annotations"]["a"], "b");
        let mut changed = self.ask("Get", one.clone());
        changed["metadata"]["annotations"]["a"] = json!("c");
        changed["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"].clone();
        let update = json!({"namespace": self.namespace, "name": "mine", "object": changed});
        let stale = self.grpcurl.refused(&self.method("Update"), &update);
        assert!(stale.contains("Code: Aborted") || stale.contains("the object has been modified"), "{stale}");
        changed["metadata"]["resourceVersion"] = patched["metadata"]["resourceVersion"].clone();
        let updated = self.ask("Update", json!({"name": "mine", "object": changed}));
        assert_eq!(updated["metadata"]["annotations"]["a"], "c");

        let deleted = self.ask("Delete", one);
        assert_eq!(deleted["object"]["metadata"]["name"], "mine");
        let list = json!({"namespace": self.namespace, "labelSelector": "mine=never"});
        let none = self.grpcurl.ask(&self.method("DeleteCollection"), &json!({"list": list}));
        assert!(names(&none).is_empty(), "{none}");
        let get = json!({"namespace": self.namespace, "name": "absent"});
        let absent = self.grpcurl.refused(&self.method("Get"), &get);
        assert!(absent.contains("Code: NotFound") && absent.contains("\"absent\" not found"), "{absent}");
    }
}

#[test]
fn the_node_registry_contains_its_nodes() {
    let cluster = InProcess::start();
    let grpcurl = Grpcurl::new(cluster.target());
    let contains = |name: &str| grpcurl.ask("keelson.v1.Nodes/Contains", &json!({"name": name}));
    assert_eq!(contains("node-1"), json!({"contains": true}));
    assert_eq!(contains("node-2"), json!({}));
}

#[test]
fn pods_are_watched_as_a_stream() {
    let cluster = InProcess::start();
    let grpcurl = Grpcurl::new(cluster.target());
    // Once the one that is there was shown, the watch stands.
    create_pod(&grpcurl, "first", json!({}));
    let mut watch = grpcurl.stream("keelson.v1.Pods/Watch", &json!({"namespace": "default"}));
    watch.until_contains("\"name\": \"first\"");
    create_pod(&grpcurl, "web", json!({}));
    watch.until_contains("\"type\": \"ADDED\"");
    watch.until_contains("\"name\": \"web\"");
    watch.until_contains("\"type\": \"MODIFIED\"");
    watch.until_contains("\"phase\": \"Running\"");
    grpcurl.ask(
        "keelson.v1.Pods/Delete",
        &json!({"namespace": "default", "name": "web", "options": {"gracePeriodSeconds": 0}}),
    );
    watch.until_contains("\"type\": \"DELETED\"");
}

#[test]
fn the_scheduler_schedules_and_explains() {
    let cluster =
        InProcess::start_with(|config| config.node_names = vec!["node-1".to_owned(), "node-2".to_owned()]);
    let grpcurl = Grpcurl::new(cluster.target());
    let nodes = grpcurl.ask("keelson.v1.Nodes/List", &json!({}))["items"].clone();
    let pod = |spec: Value| json!({"metadata": {"name": "web", "namespace": "default"}, "spec": spec});
    let anywhere = json!({"containers": [{"name": "main", "image": "x"}]});
    let answer =
        grpcurl.ask("keelson.v1.Scheduler/Schedule", &json!({"pod": pod(anywhere.clone()), "nodes": nodes}));
    assert!(["node-1", "node-2"].contains(&answer["node"].as_str().unwrap()), "{answer}");
    let mut second = anywhere.clone();
    second["nodeSelector"] = json!({"kubernetes.io/hostname": "node-2"});
    let answer = grpcurl.ask("keelson.v1.Scheduler/Schedule", &json!({"pod": pod(second), "nodes": nodes}));
    assert_eq!(answer, json!({"node": "node-2"}));

    let scores = grpcurl.ask("keelson.v1.Scheduler/Explain", &json!({"pod": pod(anywhere)}));
    let verdicts = scores["nodes"].as_array().unwrap();
    assert_eq!(verdicts.len(), 2, "{scores}");
    assert!(verdicts.iter().all(|verdict| verdict["scores"].is_array()), "{scores}");
    let mut huge = json!({"containers": [{"name": "main", "image": "x"}]});
    huge["containers"][0]["resources"] = json!({"requests": {"cpu": {"string": "9999"}}});
    let refusals = grpcurl.ask("keelson.v1.Scheduler/Explain", &json!({"pod": pod(huge.clone())}));
    let refusal = &refusals["nodes"][0]["refusals"][0];
    assert_eq!(
        (&refusal["predicate"], &refusal["resource"]),
        (&json!("PodFitsResources"), &json!("cpu")),
        "{refusals}"
    );
    assert_eq!(refusal["requested"], "9999000", "{refusals}");
    let nowhere =
        grpcurl.refused("keelson.v1.Scheduler/Schedule", &json!({"pod": pod(huge), "nodes": nodes}));
    assert!(nowhere.contains("Insufficient cpu"), "{nowhere}");
}

#[test]
fn kubelets_and_loops_tell_what_they_do() {
    let cluster = InProcess::start();
    let target = cluster.target();
    let grpcurl = Grpcurl::new(target);
    create_pod(&grpcurl, "web", json!({}));
    let kubelet = Grpcurl::at(target, &target.kubelets()[0]);
    let pods = || kubelet.ask("keelson.v1.Kubelet/Pods", &json!({}));
    assert_eventually!(names(&pods()) == ["web"], "{}", pods());
    assert_eventually!(pods()["items"][0]["status"]["phase"] == "Running", "{}", pods());
    assert!(kubelet.list().contains(&"keelson.v1.Kubelet".to_owned()));

    let loops = grpcurl.ask("keelson.v1.Replication/Loops", &json!({}))["loops"].clone();
    let loops = loops.as_array().unwrap();
    assert!(loops.len() >= 4, "{loops:?}");
    for one in loops {
        assert_eq!(one["synced"], true, "{one}");
        assert!(one["lastError"].is_null(), "{one}");
    }
}

#[test]
fn the_proxy_tells_its_table() {
    let cluster = InProcess::start_with(|config| {
        config.proxy = Some(Mode::Userspace);
        // Ports that no other cluster of this machine has for its services.
        config.api.service_node_port_range = (29_500, 29_999);
    });
    let grpcurl = Grpcurl::new(cluster.target());
    create_pod(&grpcurl, "web", json!({"app": "web"}));
    let service = json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": {"type": 0, "intVal": 9376}}]},
    });
    grpcurl.ask("keelson.v1.Services/Create", &json!({"namespace": "default", "object": service}));
    let table =
        || grpcurl.ask("keelson.v1.ServiceProxy/Table", &json!({"namespace": "default", "name": "web"}));
    assert_eventually!(table()["ports"][0]["backends"][0]["port"] == 9376, "{}", table());
    let table = table();
    assert_eq!(table["mode"], "userspace", "{table}");
    assert_eq!(
        (&table["ports"][0]["port"], &table["ports"][0]["protocol"]),
        (&json!(80), &json!("TCP")),
        "{table}"
    );
}

#[test]
fn nobody_gets_in_without_a_certificate() {
    let cluster = InProcess::start();
    let grpcurl = Grpcurl::new(cluster.target());
    for words in [&["list"][..], &["keelson.v1.Pods/List"], &["grpc.health.v1.Health/Check"]] {
        let refused = grpcurl.anonymous(words);
        assert!(!refused.success, "{refused}");
        assert_eq!(refused.stdout, "", "{refused}");
    }
    let kubelet = Grpcurl::at(cluster.target(), &cluster.target().kubelets()[0]);
    assert!(!kubelet.anonymous(&["keelson.v1.Kubelet/Pods"]).success);
}

#[test]
fn requests_that_are_wrong_name_the_field() {
    let cluster = InProcess::start();
    let grpcurl = Grpcurl::new(cluster.target());
    let object = json!({"metadata": {"name": "A"}, "spec": {"containers": [{"name": "main", "image": "x"}]}});
    let refused =
        grpcurl.refused("keelson.v1.Pods/Create", &json!({"namespace": "default", "object": object}));
    assert!(refused.contains("Code: InvalidArgument") && refused.contains("metadata.name"), "{refused}");
    let listed = grpcurl.refused("keelson.v1.Pods/List", &json!({"labelSelector": "=="}));
    assert!(listed.contains("Code: InvalidArgument"), "{listed}");
}

fn create_pod(grpcurl: &Grpcurl<'_>, name: &str, labels: Value) {
    let object = json!({
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "x"}]},
    });
    grpcurl.ask("keelson.v1.Pods/Create", &json!({"namespace": "default", "object": object}));
}

fn controller() -> Value {
    json!({
        "replicas": 0,
        "selector": {"app": "web"},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "x"}]}},
    })
}

/// The names of a list's items.
fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item["metadata"]["name"].as_str()).collect()
}
