//! What goes wrong around services of their own: each says what is wrong and what to do, or goes on with less; none
//! harms what is stored.

mod certificates;
mod clocks;
mod store;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use keelson_tests::{Output, Session, assert_eventually, keelson};

/// Creates a pod on a hollow node and waits until it runs.
#[track_caller]
fn run_pod(kubectl: &Session, name: &str) {
    let pod = format!(
        r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":{name:?}}},
            "spec":{{"containers":[{{"name":"main","image":"i:1"}}]}}}}"#
    );
    kubectl.ok_with("create -f -", &pod);
    let phase = || kubectl.json(&format!("get pod {name}"))["status"]["phase"].clone();
    assert_eventually!(phase() == "Running", "pod {name} is {}", phase());
}

/// Makes certificates in a directory.
#[track_caller]
fn pki(dir: &Path, words: &[&str]) {
    Output::of(Command::new(keelson()).arg("pki").arg("--pki-dir").arg(dir).args(words), "").ok();
}

/// The one sentence in which a program says why it ended.
#[track_caller]
fn sentence(text: &str) -> &str {
    let mut sentences = text.lines().filter(|line| line.starts_with("keelson: "));
    let found = sentences.next().unwrap_or_else(|| panic!("no sentence in {text}"));
    assert_eq!(sentences.next(), None, "one sentence: {text}");
    assert_eq!(text.lines().last(), Some(found), "the last word: {text}");
    found
}

#[test]
fn a_port_that_is_taken_is_told_with_its_flag() {
    let dir = tempfile::tempdir().unwrap();
    let (certificates, data) = (dir.path().join("pki"), dir.path().join("data").display().to_string());
    pki(&certificates, &["--node=node-1"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let services: [(&str, &[&str]); 6] = [
        ("api", &["--data-dir", &data]),
        ("gateway", &[]),
        ("scheduler", &[]),
        ("replication", &[]),
        ("kubelet", &["--runtime", "hollow", "--node-name", "node-1", "--root-dir", &data]),
        ("service-proxy", &[]),
    ];
    for (service, flags) in services {
        let free = "127.0.0.1:0";
        for (flag, listen, admin) in [("--listen", &*address, free), ("--admin-address", free, &*address)] {
            let mut command = Command::new(keelson());
            command.arg(service).arg("--pki-dir").arg(&certificates).args(flags);
            let output = Output::of(command.args(["--listen", listen, "--admin-address", admin]), "");
            assert_eq!(output.code, Some(1), "{output}");
            let said = sentence(&output.stderr);
            let port = format!("port {} is taken", taken.local_addr().unwrap().port());
            assert!(said.contains(&port) && said.ends_with(flag), "{output}");
        }
    }
}
