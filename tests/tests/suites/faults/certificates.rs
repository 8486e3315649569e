//! Who shows the wrong certificate, on every port, and who asks for what is another's.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keelson_tests::{Grpcurl, Kubectl, Output, Stack, StackConfig, assert_eventually};
use serde_json::{Value, json};

use super::pki;

/// How often a refusal may get lost: with TLS 1.3 a client has sent its request by then, and whoever closes a connection
/// on which something is unread resets it.
const TRIES: usize = 20;

/// GET with this identity of this directory; with none, as nobody.
fn get(url: &str, identity: Option<(&Path, &str)>) -> Output {
    let mut curl = Command::new("curl");
    // What is tested is whom the server trusts.
    curl.args(["--silent", "--show-error", "--insecure", "--max-time", "10"]);
    if let Some((dir, name)) = identity {
        curl.arg("--cert").arg(dir.join(format!("{name}.crt")));
        curl.arg("--key").arg(dir.join(format!("{name}.key")));
    }
    Output::of(curl.arg(url), "")
}

#[test]
fn every_port_refuses_certificates_that_are_not_good() {
    let mut stack = Stack::start(StackConfig { proxy: true, ..StackConfig::default() });
    let ours = stack.dir().join("pki");
    let (others, expired) = (stack.dir().join("others"), stack.dir().join("expired"));
    pki(&others, &[]);
    fs::create_dir(&expired).unwrap();
    for file in ["ca.crt", "ca.key"] {
        fs::copy(ours.join(file), expired.join(file)).unwrap();
    }
    pki(&expired, &["--validity=1s"]);
    std::thread::sleep(Duration::from_millis(2100));
    // What the client's TLS library makes of the server's alert.
    let table = [
        (Some(&others), "unknown ca"),
        (Some(&expired), "certificate expired"),
        (None, "certificate required"),
    ];
    for name in stack.services() {
        let part = stack.part(&name);
        let url = format!("https://{}/healthz", part.address());
        assert_eq!(get(&url, Some((&ours, "admin"))).ok(), "ok", "{name} answers whom it knows");
        for (dir, alert) in table {
            // Who shows no certificate may have a token; without one, to the gateway he is nobody in particular.
            if dir.is_none() && ["api-1", "gateway-1"].contains(&name.as_str()) {
                let told = get(&url, None).ok();
                assert_eq!(told == "ok", name == "gateway-1", "{name}: {told}");
                continue;
            }
            let identity = dir.map(|dir| (dir.as_path(), "admin"));
            let told = (0..TRIES).any(|_| {
                let refused = get(&url, identity);
                assert!(!refused.success, "{name}, {alert}: {refused}");
                refused.stderr.contains(alert)
            });
            assert!(told, "{name} never says {alert:?}");
        }
        assert!(part.log().contains("refused a client: the peer"), "{name} says why: {}", part.log());
    }
    let nobody = get(&format!("{}/api/v1/pods", stack.target().server()), None);
    let status: Value = serde_json::from_str(&nobody.stdout).unwrap();
    assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(403)), "{nobody}");
}

#[test]
fn a_kubelet_reads_the_secrets_of_its_own_pods_only() {
    let mut stack = Stack::start(StackConfig { nodes: 2, ..StackConfig::default() });
    let kubectl = Kubectl::newest().session(stack.target());
    for name in ["used", "unused"] {
        kubectl.ok(&format!("create secret generic {name} --from-literal=word=xyzzy"));
    }
    let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "reader"}, "spec": {"containers": [
        {"name": "main", "image": "i:1", "env": [
            {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "used", "key": "word"}}}]},
    ]}});
    kubectl.ok_with("create -f -", &pod.to_string());
    // Being bound is what gives the right.
    let node = || kubectl.ok("get pod reader -o jsonpath={.spec.nodeName}");
    assert_eventually!(!node().is_empty(), "the pod is not bound");
    let node = node();
    let other = if node == "node-1" { "node-2" } else { "node-1" };
    let dir = stack.dir().join("pki");
    let api = stack.part("api-1").address().to_string();
    let of = |node: &str| {
        let file = |end: &str| dir.join(format!("kubelet-{node}.{end}"));
        Grpcurl::at(stack.target(), &api).with_identity(file("crt"), file("key"))
    };
    let (own, foreign) = (of(&node), of(other));
    let named = |name: &str| json!({"namespace": "default", "name": name});
    let used = own.ask("keelson.v1.Secrets/Get", &named("used"));
    assert_eq!(used["metadata"]["name"], "used", "{used}");
    let refusals = [
        ("another node's", &foreign, "keelson.v1.Secrets/Get", named("used")),
        ("one that no pod uses", &own, "keelson.v1.Secrets/Get", named("unused")),
        ("one that is not there", &own, "keelson.v1.Secrets/Get", named("absent")),
        ("all of a namespace", &own, "keelson.v1.Secrets/List", json!({"namespace": "default"})),
        ("all", &own, "keelson.v1.Secrets/List", json!({})),
        ("a change", &own, "keelson.v1.Secrets/Update", json!({"object": used})),
        ("another node's pod", &foreign, "keelson.v1.Pods/Get", named("reader")),
    ];
    for (what, who, method, request) in refusals {
        let said = who.refused(method, &request);
        assert!(said.contains("PermissionDenied") && !said.contains("xyzzy"), "{what}: {said}");
    }
    // The same through the gateway, where the refusal is a Status.
    let url = format!("{}/api/v1/namespaces/default/secrets/used", stack.target().server());
    for (node, code) in [(&*node, Value::Null), (other, json!(403))] {
        let answer = get(&url, Some((&dir, &format!("kubelet-{node}"))));
        let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
        assert_eq!(answer["code"], code, "{node}: {answer}");
    }
    // Once the pod is gone, the secret is nobody's.
    kubectl.ok("delete pod reader --now");
    let said = own.refused("keelson.v1.Secrets/Get", &named("used"));
    assert!(said.contains("no relationship found between node"), "{said}");
}
