//! What admission does for users, and what it tells them: limits, quotas, accounts, evictions, and the loops behind
//! them.

use keelson_tests::{Curl, Grpcurl, Session, Subject, assert_eventually};
use serde_json::{Value, json};

use super::{pod, service, with_some_kubectls};

/// A pod whose container requests and limits this.
fn sized(name: &str, requests: Value, limits: Value) -> Value {
    let mut object = pod(name, json!({"app": name}));
    object["spec"]["containers"][0]["resources"] = json!({"requests": requests, "limits": limits});
    object
}

fn create(kubectl: &Session, object: &Value) -> String {
    kubectl.ok_with("create -f -", &object.to_string())
}

fn refused(kubectl: &Session, object: &Value) -> String {
    kubectl.run("create -f -", &object.to_string()).fails()
}

#[test]
fn limits_are_given_kept_and_described() {
    with_some_kubectls(|kubectl| {
        let limits = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits"}, "spec": {"limits": [
            {"type": "Container", "default": {"cpu": "300m"}, "defaultRequest": {"cpu": "200m"}, "max": {"cpu": "1"}},
            {"type": "Pod", "max": {"memory": "1Gi"}},
            {"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}},
        ]}});
        create(kubectl, &limits);
        let memory = json!({"memory": "100Mi"});
        create(kubectl, &sized("plain", memory.clone(), memory.clone()));
        let plain = kubectl.json("get pod plain");
        let resources = &plain["spec"]["containers"][0]["resources"];
        assert_eq!(
            (&resources["limits"]["cpu"], &resources["requests"]["cpu"]),
            (&json!("300m"), &json!("200m"))
        );
        let note = &plain["metadata"]["annotations"]["kubernetes.io/limit-ranger"];
        assert_eq!(
            note,
            "LimitRanger plugin set: cpu request for container main; cpu limit for container main"
        );
        let large = refused(kubectl, &sized("large", memory, json!({"cpu": "2", "memory": "100Mi"})));
        assert!(large.contains("maximum cpu usage per Container is 1, but limit is 2"), "{large}");
        let heavy = refused(kubectl, &sized("heavy", json!({"memory": "2Gi"}), json!({"memory": "2Gi"})));
        assert!(heavy.contains("maximum memory usage per Pod is 1Gi, but limit is 2Gi"), "{heavy}");
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "big"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}},
        }});
        let claim = refused(kubectl, &claim);
        let told = "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi";
        assert!(claim.contains(told), "{claim}");
        let namespace = kubectl.namespace.clone();
        for described in ["describe limits limits".to_owned(), format!("describe namespace {namespace}")] {
            let text = kubectl.ok(&described);
            assert!(text.contains("Container") && text.contains("300m"), "{text}");
        }
    });
}

#[test]
fn a_quota_is_charged_refuses_and_is_given_back() {
    with_some_kubectls(|kubectl| {
        kubectl.ok("create quota q --hard=pods=2,limits.cpu=2,services.nodeports=0");
        let cpu = json!({"cpu": "500m"});
        create(kubectl, &sized("one", cpu.clone(), cpu.clone()));
        create(kubectl, &sized("two", cpu.clone(), cpu.clone()));
        let third = refused(kubectl, &sized("three", cpu.clone(), cpu.clone()));
        assert!(
            third.contains("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"),
            "{third}"
        );
        let bare = refused(kubectl, &pod("bare", json!({})));
        assert!(bare.contains("failed quota: q: must specify limits.cpu for: main"), "{bare}");
        let mut ported = service("web", json!({"app": "web"}));
        ported["spec"]["type"] = json!("NodePort");
        let ported = refused(kubectl, &ported);
        assert!(ported.contains("requested: services.nodeports=1, used: services.nodeports=0"), "{ported}");
        let described = kubectl.ok("describe quota q");
        let row = |name: &str| {
            let line = described.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((row("pods"), row("limits.cpu")), ("2 2".to_owned(), "1 2".to_owned()), "{described}");
        let whole = kubectl.ok(&format!("describe namespace {}", kubectl.namespace));
        assert!(whole.contains("limits.cpu"), "{whole}");

        kubectl.ok("delete pod one --grace-period=0 --force");
        assert_eventually!(
            kubectl.ok("get quota q -o jsonpath={.status.used.pods}") == "1",
            "one is given back"
        );
        create(kubectl, &sized("three", cpu.clone(), cpu.clone()));
        kubectl.ok("patch quota q --type=merge -p '{\"spec\":{\"hard\":{\"pods\":\"3\"}}}'");
        create(kubectl, &sized("four", cpu.clone(), cpu));
        assert_eventually!(
            kubectl.ok("get quota q -o jsonpath={.status.hard.pods}") == "3",
            "the new limit is told"
        );
    });
}

#[test]
fn a_controller_keeps_to_a_quota() {
    with_some_kubectls(|kubectl| {
        kubectl.ok("create quota q --hard=pods=3");
        create(kubectl, &super::controller("web", 5));
        assert_eventually!(kubectl.ok("get pods -o name").lines().count() == 3, "three pods are made");
        let failure = r#"{.status.conditions[?(@.type=="ReplicaFailure")].message}"#;
        assert_eventually!(
            kubectl.ok(&format!("get rc web -o 'jsonpath={failure}'")).contains("exceeded quota: q"),
            "the controller says why"
        );
        kubectl.ok("patch quota q --type=merge -p '{\"spec\":{\"hard\":{\"pods\":\"9\"}}}'");
        assert_eventually!(kubectl.ok("get pods -o name").lines().count() == 5, "the others follow");
    });
}

#[test]
fn every_namespace_has_an_account_and_an_authority() {
    with_some_kubectls(|kubectl| {
        assert_eventually!(
            kubectl.ok("get serviceaccounts -o name").contains("serviceaccount/default"),
            "an account"
        );
        let authority = || kubectl.ok(r"get configmaps -o 'jsonpath={.items[*].data.ca\.crt}'");
        assert_eventually!(authority().contains("BEGIN CERTIFICATE"), "an authority");
        kubectl.ok("delete serviceaccount default");
        assert_eventually!(
            kubectl.ok("get serviceaccounts -o name").contains("serviceaccount/default"),
            "again"
        );
        kubectl.ok("delete configmap kube-root-ca.crt");
        assert_eventually!(authority().contains("BEGIN CERTIFICATE"), "an authority again");

        kubectl.ok("create serviceaccount robot");
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": {"name": "robot-token", "annotations": {"kubernetes.io/service-account.name": "robot"}},
        });
        create(kubectl, &secret);
        let data = || kubectl.json("get secret robot-token")["data"].clone();
        assert_eventually!(data()["token"].is_string(), "a token");
        assert!(data()["ca.crt"].is_string() && data()["namespace"].is_string());
        kubectl.ok("delete serviceaccount robot");
        assert_eventually!(!kubectl.ok("get secrets -o name").contains("robot-token"), "the token goes too");
        let orphan = create(kubectl, &secret);
        assert!(orphan.contains("created"));
        assert_eventually!(
            !kubectl.ok("get secrets -o name").contains("robot-token"),
            "a token of nobody goes"
        );
    });
}

#[test]
fn a_node_is_drained() {
    with_some_kubectls(|kubectl| {
        create(kubectl, &pod("drained", json!({"app": "drained"})));
        assert_eventually!(
            kubectl.ok("get pod drained -o jsonpath={.status.phase}") == "Running",
            "the pod does not run"
        );
        let node = kubectl.ok("get pod drained -o jsonpath={.spec.nodeName}");
        let drained =
            kubectl.ok(&format!("drain {node} --force --ignore-daemonsets --pod-selector=app=drained"));
        // From 1.22 on kubectl speaks of policy/v1; before, of policy/v1beta1, and it evicts with either.
        assert!(drained.contains("evict"), "{drained}");
        assert_eventually!(!kubectl.ok("get pods -o name").contains("drained"), "the pod is gone");
        kubectl.ok(&format!("uncordon {node}"));
    });
}

#[test]
fn the_control_plane_tells_how_it_is() {
    with_some_kubectls(|kubectl| {
        let table = kubectl.table("get componentstatuses");
        assert_eq!(table.columns().join(" | "), "NAME | STATUS | MESSAGE | ERROR");
        assert_eq!(table.names(), ["controller-manager", "etcd-0", "scheduler"]);
        let statuses = kubectl.json("get cs");
        for status in statuses["items"].as_array().unwrap() {
            assert_eq!(
                (&status["kind"], &status["conditions"][0]["status"]),
                (&json!("ComponentStatus"), &json!("True"))
            );
        }
        assert_eq!(kubectl.json("get cs scheduler")["conditions"][0]["message"], "ok");
        assert!(kubectl.fails("get cs sunshine").contains("NotFound"));
    });
}

#[test]
fn every_subresource_is_there() {
    let subject = Subject::start();
    let kubectl = keelson_tests::Kubectl::newest().in_new_namespace(&subject, "subresources");
    create(&kubectl, &pod("web", json!({"app": "web"})));
    create(&kubectl, &super::controller("rc", 0));
    create(&kubectl, &service("svc", json!({"app": "web"})));
    kubectl.ok("create quota q --hard=pods=9");
    assert_eventually!(
        kubectl.ok("get pod web -o jsonpath={.status.phase}") == "Running",
        "the pod does not run"
    );
    let base = "/api/v1/namespaces/subresources";
    let curl = Curl::new(&subject);
    for path in [
        format!("{base}/pods/web/status"),
        format!("{base}/pods/web/log"),
        format!("{base}/replicationcontrollers/rc/status"),
        format!("{base}/replicationcontrollers/rc/scale"),
        format!("{base}/services/svc/status"),
        format!("{base}/resourcequotas/q/status"),
        "/api/v1/namespaces/subresources/status".to_owned(),
        "/api/v1/nodes/node-1/status".to_owned(),
        "/api/v1/componentstatuses".to_owned(),
        "/api/v1/componentstatuses/etcd-0".to_owned(),
    ] {
        let answer = curl.get(&path);
        assert_eq!(answer.code, 200, "{path}: {}", answer.body);
    }
    let binding = json!({"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "node-1"}});
    let eviction = |version: &str, more: Value| {
        let mut body = json!({"apiVersion": version, "kind": "Eviction", "metadata": {"name": "web"}});
        body["deleteOptions"] = more;
        body
    };
    let dry = json!({"dryRun": ["All"]});
    let other = json!({"preconditions": {"uid": "another"}});
    for (method, path, body, code) in [
        // It is bound already: the verb is there, and refuses.
        ("POST", format!("{base}/pods/web/binding"), binding.clone(), 409),
        ("POST", format!("{base}/bindings"), binding, 409),
        ("POST", format!("{base}/pods/web/eviction"), eviction("policy/v1", dry.clone()), 201),
        ("POST", format!("{base}/pods/web/eviction?dryRun=All"), eviction("policy/v1beta1", json!({})), 201),
        ("POST", format!("{base}/pods/web/eviction"), eviction("policy/v1", other), 409),
        ("POST", format!("{base}/pods/gone/eviction"), json!({}), 404),
        ("POST", format!("{base}/pods/web/eviction"), json!({"metadata": {"name": "other"}}), 400),
        (
            "PUT",
            "/api/v1/namespaces/subresources/finalize".to_owned(),
            kubectl.json("get namespace subresources"),
            200,
        ),
        ("PUT", format!("{base}/pods/web/ephemeralcontainers"), json!({}), 501),
        ("POST", "/api/v1/componentstatuses".to_owned(), json!({}), 405),
        ("DELETE", "/api/v1/componentstatuses/etcd-0".to_owned(), json!({}), 405),
    ] {
        let answer = curl.send(method, &path, "application/json", body.to_string().as_bytes());
        assert_eq!(answer.code, code, "{method} {path}: {}", answer.body);
    }
    let grpcurl = Grpcurl::new(&subject);
    let statuses = grpcurl.ask("keelson.v1.ComponentStatuses/List", &json!({}));
    assert_eq!(statuses["items"].as_array().map(Vec::len), Some(3), "{statuses}");
    let evict = json!({"namespace": "subresources", "name": "web", "eviction": {"deleteOptions": dry}});
    assert_eq!(grpcurl.ask("keelson.v1.Pods/Evict", &evict)["status"], "Success");
    let evict = json!({"namespace": "subresources", "name": "web", "eviction": {"deleteOptions": {"gracePeriodSeconds": 0}}});
    grpcurl.ask("keelson.v1.Pods/Evict", &evict);
    assert_eventually!(!kubectl.ok("get pods -o name").contains("pod/web"), "the pod is still there");
}
