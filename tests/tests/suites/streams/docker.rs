//! The same into real containers.

use keelson_tests::docker::{self, BUSYBOX};
use keelson_tests::{Kubectl, Session, Up, assert_eventually};
use serde_json::json;

use super::forwarded;

/// Runs, serves a page, and talks.
const SCRIPT: &str = "echo '<a href=\"/x\">page</a>' >/tmp/index.html; httpd -p 8080 -h /tmp; \
    i=0; while true; do i=$((i+1)); echo line $i; sleep 0.2; done";

#[track_caller]
fn runs(session: &Session) {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [{
            "name": "main", "image": BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", SCRIPT],
            "ports": [{"containerPort": 8080}],
        }]},
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    session.ok_with("create -f -", &pod.to_string());
    session.ok_with("create -f -", &service.to_string());
    assert_eventually!(session.json("get pod web")["status"]["phase"] == "Running", "the pod does not run");
}

#[test]
fn every_kubectl_works_inside_of_containers() {
    docker::load_busybox();
    let up = Up::docker();
    let running = up.start();
    let run = fastrand::u32(..);
    for kubectl in Kubectl::all() {
        let about = format!("kubectl 1.{}", kubectl.minor);
        let session = kubectl.in_new_namespace(running.target(), &format!("s-{run:x}-{}", kubectl.minor));
        runs(&session);
        commands(&session, &about);
        files(&session, &about);
        let mut attached = session.stream("attach web");
        attached.until("what the container says", |line| line.starts_with("line "));
        drop(attached);
        pages(&session, &about);
        session.ok(&format!("delete namespace {} --wait=false", session.namespace));
    }
}

fn commands(session: &Session, about: &str) {
    let ended = session.run("exec web -- sh -c 'echo out; echo err >&2; exit 7'", "");
    assert_eq!((ended.stdout.as_str(), ended.code), ("out\n", Some(7)), "{about}: {ended}");
    assert!(ended.stderr.contains("err\n"), "{about}: {ended}");
    let large = "0123456789abcdef".repeat(128 * 1024);
    let counted = session.ok_with("exec -i web -- wc -c", &large);
    assert_eq!(counted.trim(), large.len().to_string(), "{about}");
    let echoed = session.ok_with("exec -i web -- cat", &large);
    assert!(echoed == large, "{about}: {} of {} bytes", echoed.len(), large.len());
}

fn files(session: &Session, about: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (there, back) = (dir.path().join("there"), dir.path().join("back"));
    let content = "some content\n".repeat(20_000);
    std::fs::write(&there, &content).unwrap();
    session.ok(&format!("cp {} web:/tmp/copied", there.display()));
    session.ok(&format!("cp web:/tmp/copied {}", back.display()));
    assert!(std::fs::read_to_string(&back).unwrap() == content, "{about}");
}

fn pages(session: &Session, about: &str) {
    let namespace = &session.namespace;
    let asked = b"GET /index.html HTTP/1.0\r\n\r\n";
    let answer = String::from_utf8(forwarded(session, "web", 8080, asked)).unwrap();
    assert!(answer.contains("page"), "{about}: {answer}");
    let base = format!("/api/v1/namespaces/{namespace}/pods/web:8080/proxy");
    let page = session.ok(&format!("get --raw {base}/index.html"));
    assert_eq!(page, format!("<a href=\"{base}/x\">page</a>\n"), "{about}");
    let base = format!("/api/v1/namespaces/{namespace}/services/web/proxy");
    assert_eventually!(
        session.run(&format!("get --raw {base}/index.html"), "").stdout.contains("page"),
        "{about}: the service does not answer"
    );
}
