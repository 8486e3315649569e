//! `keelson pki` and what services do with its certificates: renewed under way, expired, somebody else's.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keelson_tests::{Kubectl, Output, Session, Stack, StackConfig, assert_eventually, keelson};

/// What tells of a certificate's end.
const METRIC: &str = "keelson_certificate_expiration_timestamp_seconds";

fn pki(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(keelson());
    Output::of(command.arg("pki").arg("--pki-dir").arg(dir).args(words), "")
}

/// The columns of `keelson pki --list`, without its head.
fn list(dir: &Path) -> Vec<Vec<String>> {
    let table = pki(dir, &["--list"]).ok();
    let cells = |line: &str| {
        line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    table.lines().skip(1).map(cells).collect()
}

fn run_pod(kubectl: &Session, name: &str) {
    let pod = format!(
        r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":{name:?}}},
            "spec":{{"containers":[{{"name":"main","image":"i:1"}}]}}}}"#
    );
    kubectl.ok_with("create -f -", &pod);
    let phase = || kubectl.json(&format!("get pod {name}"))["status"]["phase"].clone();
    assert_eventually!(phase() == "Running", "pod {name} is {}", phase());
}

/// When a part's own certificate ends, as it tells.
fn expiry(stack: &mut Stack, part: &str, name: &str) -> Option<i64> {
    let (_, metrics) = stack.part(part).get("/metrics")?;
    let line = format!("{METRIC}{{name=\"{name}\"}} ");
    metrics.lines().find_map(|text| text.strip_prefix(&line)?.trim().parse().ok())
}

#[test]
fn certificates_are_made_listed_and_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("pki");
    let missing = pki(dir, &["--list"]).fails();
    assert!(missing.contains("make certificates first: keelson pki"), "{missing}");

    let made =
        pki(dir, &["--node=node-1", "--node=node-2", "--san=keelson.example", "--gateway-url=https://gw:1"]);
    assert!(made.success && made.stderr.contains("made 10 certificates"), "{made}");
    let again = pki(dir, &["--node=node-1,node-2", "--san=keelson.example", "--gateway-url=https://gw:1"]);
    assert!(again.success && again.stderr.contains("all certificates are good"), "{again}");
    let listed = list(dir);
    let names: Vec<&str> = listed.iter().map(|line| line[0].as_str()).collect();
    let expected = [
        "ca",
        "admin",
        "api",
        "gateway",
        "kubelet-node-1",
        "kubelet-node-2",
        "replication",
        "scheduler",
        "service-proxy",
        "etcd/ca",
        "etcd/api",
        "etcd/server",
    ];
    assert_eq!(names, expected);
    assert!(listed.iter().all(|line| line[4] == "valid"), "{listed:?}");
    assert_eq!(listed[4][1], "system:node:node-1 (system:nodes)");
    let kubeconfig = fs::read_to_string(dir.join("kubeconfig")).unwrap();
    assert!(kubeconfig.contains("https://gw:1"), "{kubeconfig}");

    let api = fs::read(dir.join("api.crt")).unwrap();
    let ca = fs::read(dir.join("ca.crt")).unwrap();
    let renewed = pki(dir, &["--renew", "--validity=3s"]);
    assert!(renewed.stderr.contains("made 10 certificates"), "kubelets that are not named stay: {renewed}");
    assert_ne!(fs::read(dir.join("api.crt")).unwrap(), api);
    assert_eq!(fs::read(dir.join("ca.crt")).unwrap(), ca);
    std::thread::sleep(Duration::from_secs(5));
    let expired = pki(dir, &["--list"]);
    assert!(
        expired.stdout.contains("EXPIRED") && expired.stderr.contains("to renew admin, api"),
        "{expired}"
    );
    // Whoever starts with an expired certificate says so, and ends.
    let mut start = Command::new(keelson());
    start.args(["scheduler", "--listen=127.0.0.1:0", "--pki-dir"]).arg(dir);
    let refused = Output::of(&mut start, "");
    let one_sentence = refused.stderr.trim_end();
    assert!(!refused.success && one_sentence.lines().count() == 1, "{refused}");
    assert!(one_sentence.contains("expired at") && one_sentence.contains("keelson pki"), "{refused}");
    assert!(pki(dir, &[]).stderr.contains("made 10 certificates"));
    assert!(list(dir).iter().all(|line| line[4] == "valid"));
}

#[test]
fn renewed_certificates_are_used_without_a_restart_and_watches_go_on() {
    let mut stack = Stack::start(StackConfig { etcd: 1, etcd_tls: true, ..StackConfig::default() });
    let kubectl = Kubectl::newest().session(stack.target());
    run_pod(&kubectl, "first");
    let mut watch = kubectl.stream("get pods --watch --output=name");
    watch.until_contains("pod/first");
    let parts = [
        ("api-1", "api"),
        ("api-1", "etcd/api"),
        ("gateway-1", "gateway"),
        ("scheduler-1", "scheduler"),
        ("replication-1", "replication"),
        ("kubelet-1", "kubelet-node-1"),
    ];
    let before: Vec<Option<i64>> = parts.iter().map(|(part, name)| expiry(&mut stack, part, name)).collect();
    assert!(before.iter().all(Option::is_some), "{before:?}");
    std::thread::sleep(Duration::from_millis(1100));
    let dir = stack.dir().join("pki");
    assert!(pki(&dir, &["--renew"]).success);
    for ((part, name), before) in parts.iter().zip(&before) {
        let after = |stack: &mut Stack| expiry(stack, part, name);
        assert_eventually!(after(&mut stack) > *before, "{part} still shows the certificate of {before:?}");
    }
    let shown = |stack: &mut Stack| stack.part("api-1").log().contains("etcd is shown a renewed certificate");
    assert_eventually!(shown(&mut stack), "api does not renew what it shows to etcd");
    // The watch that was there before goes on; new connections are made with new certificates.
    run_pod(&kubectl, "second");
    watch.until_contains("pod/second");
    for name in ["scheduler-1", "kubelet-1", "gateway-1", "api-1"] {
        stack.part(name).restart();
    }
    let kubectl = Kubectl::newest().session(stack.target());
    run_pod(&kubectl, "third");
    // What cannot be used is told, and changes nothing.
    let key = fs::read(dir.join("gateway.key")).unwrap();
    fs::write(dir.join("gateway.key"), "junk").unwrap();
    let told = |stack: &mut Stack| stack.part("gateway-1").log().contains("gateway.key is not usable");
    assert_eventually!(told(&mut stack), "the gateway says nothing of a bad key");
    run_pod(&kubectl, "fourth");
    fs::write(dir.join("gateway.key"), key).unwrap();
}

#[test]
fn strangers_are_refused_and_both_sides_say_why() {
    let mut stack = Stack::prepare(StackConfig { nodes: 2, ..StackConfig::default() });
    let (ours, theirs) = (stack.dir().join("pki"), stack.dir().join("other-pki"));
    assert!(pki(&theirs, &[]).success);
    for file in ["scheduler.crt", "scheduler.key"] {
        fs::copy(theirs.join(file), ours.join(file)).unwrap();
    }
    // The second node's kubelet shows the certificate of the first's.
    let [cert, key] =
        ["crt", "key"].map(|end| ours.join(format!("kubelet-node-1.{end}")).display().to_string());
    stack.part("kubelet-2").add_args(&["--tls-cert-file", &cert, "--tls-private-key-file", &key]);
    for name in ["api-1", "gateway-1", "scheduler-1", "kubelet-1", "kubelet-2"] {
        stack.part(name).start();
    }
    for name in ["api-1", "gateway-1", "kubelet-1"] {
        stack.part(name).wait_ready();
    }
    let says = |stack: &mut Stack, name: &str, text: &str| stack.part(name).log().contains(text);
    let table = [
        ("api-1", "refused a client: the peer's certificate is of an unknown authority"),
        ("scheduler-1", "of an authority unknown to it"),
        ("kubelet-2", "node \"node-1\" may only write what is its own"),
    ];
    for (name, text) in table {
        assert_eventually!(
            says(&mut stack, name, text),
            "{name} does not say {text:?}: {}",
            stack.part(name).log()
        );
    }
    let nodes = Kubectl::newest().session(stack.target()).ok("get nodes --output=name");
    assert_eq!(nodes.trim(), "node/node-1");
    assert!(!stack.part("kubelet-2").is_ready() && !stack.part("scheduler-1").is_ready());
}
