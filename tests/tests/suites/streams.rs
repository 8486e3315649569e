//! Exec, attach, port-forward and proxies, with every kubectl of this machine: those before 1.30 speak SPDY, the later ones
//! WebSocket.

mod docker;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use keelson_tests::{Curl, Kubectl, Session, Subject, assert_eventually};
use serde_json::json;

/// Tells a chapter with every kubectl, beside a pod `web` that runs.
#[track_caller]
fn with_every_kubectl(chapter: fn(&Session, &Subject)) {
    let subject = Subject::start();
    let run = fastrand::u32(..);
    for kubectl in Kubectl::all() {
        let session = kubectl.in_new_namespace(&subject, &format!("streams-{run:x}-{}", kubectl.minor));
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "main", "image": "keelson/pause:1"}]},
        });
        session.ok_with("create -f -", &pod.to_string());
        assert_eventually!(
            session.json("get pod web")["status"]["phase"] == "Running",
            "the pod does not run"
        );
        chapter(&session, &subject);
        session.ok(&format!("delete namespace {} --wait=false", session.namespace));
    }
}

/// Connects through a `kubectl port-forward`, and tells what comes back.
#[track_caller]
pub(crate) fn forwarded(session: &Session, pod: &str, port: u16, sent: &[u8]) -> Vec<u8> {
    let mut forwarding = session.stream(&format!("port-forward {pod} :{port}"));
    let line = forwarding.until("where it listens", |line| line.starts_with("Forwarding from 127.0.0.1:"));
    let local: u16 = line.split([':', ' ']).nth(3).unwrap().parse().unwrap();
    let mut received = Vec::new();
    // Two at a time: each is a connection of its own.
    let mut idle = TcpStream::connect(("127.0.0.1", local)).unwrap();
    let mut connection = TcpStream::connect(("127.0.0.1", local)).unwrap();
    idle.write_all(&sent[..1]).unwrap();
    connection.write_all(sent).unwrap();
    connection.shutdown(std::net::Shutdown::Write).unwrap();
    connection.read_to_end(&mut received).unwrap();
    received
}

#[test]
fn commands_run_with_their_input_output_and_code() {
    with_every_kubectl(|kubectl, _| {
        let about = kubectl.kubectl.minor;
        assert_eq!(kubectl.ok("exec web -- echo hello world"), "hello world\n", "kubectl 1.{about}");
        let ended = kubectl.run("exec web -- exit:3", "");
        assert_eq!(ended.code, Some(3), "kubectl 1.{about}: {ended}");
        let large = "0123456789abcdef".repeat(64 * 1024);
        let echoed = kubectl.ok_with("exec -i web -- cat", &large);
        assert!(echoed == large, "kubectl 1.{about}: {} of {} bytes", echoed.len(), large.len());
        let refused = kubectl.fails("exec web -c none -- echo");
        assert!(refused.contains("container none is not valid for pod web"), "kubectl 1.{about}: {refused}");
        let refused = kubectl.fails("exec none -- echo");
        assert!(refused.contains("not found"), "kubectl 1.{about}: {refused}");
    });
}

#[test]
fn ports_are_forwarded() {
    with_every_kubectl(|kubectl, _| {
        let about = kubectl.kubectl.minor;
        let large = vec![b'x'; 300_000];
        assert!(forwarded(kubectl, "web", 7, &large) == large, "kubectl 1.{about}");
        assert!(forwarded(kubectl, "web", 8, b"x").is_empty(), "nobody listens; kubectl 1.{about}");
    });
}

#[test]
fn requests_are_passed_on_to_kubelets() {
    let subject = Subject::start();
    let curl = Curl::new(&subject);
    let kubectl = Kubectl::newest().session(&subject);
    let node = kubectl.json("get nodes")["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    for path in ["/api/v1/nodes/{}/proxy/healthz", "/api/v1/proxy/nodes/{}/healthz"] {
        let answer = curl.get(&path.replace("{}", &node));
        assert_eq!((answer.code, answer.body.trim()), (200, "ok"), "{path}");
    }
    assert_eq!(curl.get("/api/v1/nodes/none/proxy/healthz").code, 404);
    assert_eq!(curl.get(&format!("/api/v1/nodes/{node}/proxy/nothing")).code, 404);
    assert_eq!(curl.get(&format!("/api/v1/nodes/{node}/proxy")).code, 301);
}
