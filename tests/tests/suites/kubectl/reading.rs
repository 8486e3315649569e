//! `get` in all its forms.

use keelson_tests::{Session, assert_eventually};
use serde_json::{Value, json};

use super::{pod, with_every_kubectl};

#[test]
fn what_every_cluster_has() {
    with_every_kubectl(|kubectl| {
        let nodes = kubectl.json("get nodes");
        let node = nodes["items"][0]["metadata"]["name"].as_str().unwrap();
        let table = kubectl.table("get nodes");
        assert_eq!(table.columns(), ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]);
        assert_eq!(table.cell(node, "STATUS"), "Ready");
        let wide = kubectl.table("get no -o wide");
        assert_eq!(wide.columns()[5..].first(), Some(&"INTERNAL-IP"));
        assert!(wide.columns().contains(&"CONTAINER-RUNTIME"));

        let namespaces = kubectl.table("get namespaces");
        assert_eq!(namespaces.cell("default", "STATUS"), "Active");
        assert_eq!(namespaces.cell("kube-system", "STATUS"), "Active");

        let services = kubectl.table("get svc kubernetes -n default");
        assert_eq!(services.columns(), ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]);
        assert_eq!(services.cell("kubernetes", "TYPE"), "ClusterIP");
        assert_eq!(services.cell("kubernetes", "PORT(S)"), "443/TCP");

        let leases = kubectl.table("get leases -n kube-node-lease");
        assert_eq!(leases.columns(), ["NAME", "HOLDER", "AGE"]);
        assert_eq!(leases.cell(node, "HOLDER"), node);
    });
}

#[test]
fn a_pod_in_every_form() {
    with_every_kubectl(|kubectl| {
        running_pod(kubectl, "web", json!({"app": "web"}));
        let table = kubectl.table("get pods");
        assert_eq!(table.columns(), ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]);
        assert_eq!(table.cell("web", "READY"), "1/1");
        assert_eq!(table.cell("web", "STATUS"), "Running");
        assert_eq!(table.cell("web", "RESTARTS"), "0");
        let wide = kubectl.table("get po web -o wide");
        let node = kubectl.ok("get pod web -o jsonpath={.spec.nodeName}");
        assert_eq!(wide.cell("web", "NODE"), node);
        let json = kubectl.json("get pod web");
        assert_eq!(wide.cell("web", "IP"), json["status"]["podIP"]);
        assert_eq!((&json["kind"], &json["apiVersion"]), (&json!("Pod"), &json!("v1")));
        assert_eq!(json["status"]["qosClass"], "BestEffort");
        let yaml: Value = yaml_serde::from_str(&kubectl.ok("get pod web -o yaml")).unwrap();
        assert_eq!(yaml, json, "YAML and JSON say the same");
        assert_eq!(kubectl.ok("get pod web -o name"), "pod/web\n");
        let template = kubectl.ok("get pod web -o 'go-template={{.metadata.name}} {{.status.phase}}'");
        assert_eq!(template, "web Running");
        let columns =
            kubectl.table("get pod web -o custom-columns=POD:.metadata.name,IMAGE:.spec.containers[*].image");
        assert_eq!(columns.cell("web", "IMAGE"), super::IMAGE);
        let labels = kubectl.table("get pod web --show-labels -L app");
        assert_eq!((labels.cell("web", "LABELS"), labels.cell("web", "APP")), ("app=web", "web"));
        assert_eq!(kubectl.ok("get pod web --no-headers").lines().count(), 1);
    });
}

#[test]
fn several_kinds_and_none() {
    with_every_kubectl(|kubectl| {
        let nothing = kubectl.run("get pods", "");
        assert_eq!(nothing.stderr, format!("No resources found in {} namespace.\n", kubectl.namespace));
        running_pod(kubectl, "web", json!({"app": "web"}));
        let service = super::service("web", json!({"app": "web"}));
        assert_eq!(kubectl.ok_with("create -f -", &service.to_string()), "service/web created\n");
        assert_eq!(kubectl.ok("get pods,services -o name"), "pod/web\nservice/web\n");
        assert_eq!(kubectl.ok("get pod/web svc/web -o name"), "pod/web\nservice/web\n");
        let everywhere = kubectl.ok("get pods -A");
        assert!(everywhere.starts_with("NAMESPACE "), "{everywhere}");
        let mine = |line: &&str| line.starts_with(&format!("{} ", kubectl.namespace));
        assert_eq!(everywhere.lines().filter(mine).count(), 1, "{everywhere}");
        let sorted =
            kubectl.ok("get services -A --sort-by=.metadata.name -o jsonpath={.items[*].metadata.name}");
        let names: Vec<&str> = sorted.split(' ').collect();
        assert!(names.contains(&"kubernetes") && names.contains(&"web"), "{sorted}");
        let absent = kubectl.fails("get pod absent");
        assert_eq!(absent, "Error from server (NotFound): pods \"absent\" not found\n");
        assert_eq!(kubectl.ok("get pod absent --ignore-not-found"), "");
        let unknown = kubectl.fails("get widgets");
        assert_eq!(unknown, "error: the server doesn't have a resource type \"widgets\"\n");
    });
}

#[test]
fn endpoints_follow_their_pods() {
    with_every_kubectl(|kubectl| {
        let service = super::service("web", json!({"app": "web"}));
        kubectl.ok_with("create -f -", &service.to_string());
        assert_eventually!(
            kubectl.run("get endpoints web", "").stdout.contains("<none>"),
            "a service without pods has endpoints without addresses"
        );
        running_pod(kubectl, "web-1", json!({"app": "web"}));
        let ip = kubectl.ok("get pod web-1 -o jsonpath={.status.podIP}");
        let wanted = format!("{ip}:9376");
        assert_eventually!(kubectl.table("get ep web").cell("web", "ENDPOINTS") == wanted, "no {wanted}");
        kubectl.ok("delete pod web-1");
        assert_eventually!(
            kubectl.table("get ep web").cell("web", "ENDPOINTS") == "<none>",
            "{wanted} stays"
        );
    });
}

#[test]
fn what_happened_is_told_in_events() {
    with_every_kubectl(|kubectl| {
        running_pod(kubectl, "web", json!({}));
        for reason in ["Scheduled", "Created", "Started"] {
            let line = format!("get events --field-selector involvedObject.name=web,reason={reason}");
            assert_eventually!(kubectl.ok(&line).contains("pod/web"), "no event {reason}");
        }
        let table = kubectl.ok("get events");
        let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(header, ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
        let scheduled = table.lines().find(|line| line.contains("Scheduled")).unwrap();
        assert!(scheduled.contains("Successfully assigned"), "{scheduled}");
    });
}

/// Creates a pod, and waits until it runs and is ready.
pub(super) fn running_pod(kubectl: &Session, name: &str, labels: Value) {
    let created = kubectl.ok_with("create -f -", &pod(name, labels).to_string());
    assert_eq!(created, format!("pod/{name} created\n"));
    let waited = kubectl.ok(&format!("wait --for=condition=Ready pod/{name} --timeout=30s"));
    assert_eq!(waited, format!("pod/{name} condition met\n"));
}
