//! The Helm chart: what Helm says of it, what our own API says of what it renders, and whether its parts fit together.
//!
//! Kinds that Keelson does not have (Deployments and the like) are judged by the pods and claims that they would make.

mod containers;
mod fits;
mod valid;
mod workload;

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keelson_tests::{Helm, InProcess, Kubectl, Output, helm, keelson};

use self::workload::named;

/// Values of every kind of installation: a name for messages, and the values as YAML.
const SETS: [(&str, &str); 5] = [
    ("defaults", ""),
    ("embedded", "store: {kind: embedded, embedded: {storageClassName: fast}}\napi: {replicas: 1}"),
    (
        "one of each",
        "store: {etcd: {members: 1}}\napi: {replicas: 1}\nscheduler: {replicas: 1}\nreplication: {replicas: 1}\n\
        gateway: {replicas: 1, service: {type: NodePort, port: 443}}\ntracing: {sink: {enabled: false}}",
    ),
    (
        "nodes",
        "nodes: {enabled: true, nodeSelector: {docker: 'yes'}, tolerations: [{operator: Exists}]}\n\
        gateway: {advertiseAddresses: ['10.0.0.1:6443'], names: [keelson.example, 192.0.2.1]}\nnameOverride: hull",
    ),
    (
        "from elsewhere",
        "tls: {existingSecret: mine, validity: 30d}\nimage: {repository: example.org/k, tag: '7'}\n\
        imagePullSecrets: [{name: pull}]\nstore: {etcd: {members: 5, storageClassName: fast}}\nserviceClusterIPRange: 10.9.0.0/20\n\
        tracing: {endpoint: 'http://collector:4317'}\nnodeSelector: {a: b}\ntolerations: [{key: c, operator: Exists}]",
    ),
];

#[test]
fn helm_finds_nothing_to_complain_about() {
    for (name, values) in SETS {
        let output = Helm::new().lint(values);
        assert!(output.success && !output.stdout.contains("[WARNING]"), "{name}: {output}");
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (values, part) in [
        ("store: {kind: redis}", "store/kind"),
        ("store: {etcd: {members: 2}}", "members"),
        ("store: {kind: embedded}\napi: {replicas: 2}", "replicas"),
        ("api: {replicas: 0}", "api/replicas"),
        ("scheduler: {replicas: two}", "scheduler/replicas"),
        ("gateway: {service: {port: 70000}}", "gateway/service/port"),
        ("gateway: {advertiseAddresses: [gateway]}", "advertiseAddresses"),
        ("serviceClusterIPRange: 10.0.0.0", "serviceClusterIPRange"),
        ("nodes: {rootDir: relative}", "nodes/rootDir"),
        ("nodes: {serviceProxy: {mode: ebpf}}", "nodes/serviceProxy/mode"),
        ("tls: {validity: forever}", "tls/validity"),
        ("tracing: {endpoint: 'collector:4317'}", "tracing/endpoint"),
        ("store: {etcd: {size: big}}", "store/etcd/size"),
        ("api: {resources: {requests: {memory: 1GB}}}", "api/resources"),
        ("replcas: 3", "replcas"),
    ] {
        let said = Helm::new().template(values).fails();
        assert!(said.contains("values") && said.contains(part), "{values}: {part:?} is missing in {said}");
    }
}

#[test]
fn an_upgrade_keeps_the_authorities() {
    let cluster = InProcess::start();
    let kubectl = Kubectl::newest().session(cluster.target());
    let authorities = || kubectl.json("get secret test-keelson-authorities -n charted")["data"].clone();
    Helm::new().release(cluster.target(), "");
    let installed = authorities();
    Helm::new().release(cluster.target(), "log: debug");
    assert_eq!(authorities(), installed);
    let rendered = helm::objects(&Helm::new().template("").ok());
    let another = named(&rendered, "Secret", "test-keelson-authorities");
    assert_ne!(another["data"], installed, "another installation has others");
}

/// What Helm prints after an installation is typed as it stands, up to the port-forward, which needs a kubelet.
#[test]
fn the_notes_lead_to_an_administrators_kubeconfig() {
    let cluster = InProcess::start();
    let notes = Helm::new().notes("");
    let commands: Vec<&str> = notes.lines().skip_while(|line| !line.contains("mkdir -p pki")).collect();
    let end = commands.iter().position(|line| line.contains("port-forward")).expect("a port is forwarded");
    Helm::new().release(cluster.target(), "");
    let dir = tempfile::tempdir().unwrap();
    let programs = [keelson(), Kubectl::newest().path];
    for (name, program) in ["keelson", "kubectl"].iter().zip(&programs) {
        std::os::unix::fs::symlink(program, dir.path().join(name)).unwrap();
    }
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-ec", &commands[..end].join("\n")]).current_dir(dir.path());
    shell.env("PATH", path).env("KUBECONFIG", cluster.target().kubeconfig());
    Output::of(&mut shell, "").ok();
    let kubeconfig = std::fs::read_to_string(dir.path().join("pki/kubeconfig")).unwrap();
    assert!(kubeconfig.contains("https://127.0.0.1:6443"), "{kubeconfig}");
    let ca = std::fs::read(dir.path().join("pki/ca.crt")).unwrap();
    let secret =
        Kubectl::newest().session(cluster.target()).json("get secret test-keelson-authorities -n charted");
    assert_eq!(STANDARD.encode(ca), secret["data"]["ca.crt"], "it is signed by the release's own authority");
}
