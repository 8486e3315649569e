use serde_json::{Value, json};

use super::*;

fn mk_pod(spec: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
}

/// The spec of a pod that runs as this account.
fn completed(spec: Value, account: Value) -> Value {
    let mut pod = mk_pod(spec);
    let account: Account = serde_json::from_value(account).unwrap();
    complete(&mut pod, "robot", &account);
    let once = pod.clone();
    complete(&mut pod, "robot", &account);
    assert_eq!(pod, once, "what is completed is complete");
    serde_json::to_value(&pod.spec).unwrap()
}

#[test]
fn a_pod_gets_a_token_and_who_to_trust() {
    let spec =
        completed(json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]}), json!({}));
    assert_eq!((&spec["serviceAccountName"], &spec["serviceAccount"]), (&json!("robot"), &json!("robot")));
    let name = spec["volumes"][0]["name"].as_str().unwrap();
    assert!(name.starts_with("kube-api-access-") && name.len() == "kube-api-access-".len() + 5, "{name}");
    let mount = json!([{
        "name": name, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }]);
    assert_eq!(
        (&spec["containers"][0]["volumeMounts"], &spec["initContainers"][0]["volumeMounts"]),
        (&mount, &mount)
    );
    let projected = json!({"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
        ]}},
    ]});
    assert_eq!(spec["volumes"][0]["projected"], projected);
}

#[test]
fn who_wants_no_token_gets_none() {
    let (off, on) =
        (json!({"automountServiceAccountToken": false}), json!({"automountServiceAccountToken": true}));
    let pod = |more: &Value| {
        let mut spec = more.clone();
        spec["containers"] = json!([{"name": "c"}]);
        spec
    };
    let none = json!({});
    let table = [
        (&none, &none, true),
        (&off, &none, false),
        (&none, &off, false),
        (&on, &off, true),
        (&off, &on, false),
    ];
    for (of_pod, of_account, expected) in table {
        let spec = completed(pod(of_pod), of_account.clone());
        assert_eq!(spec.get("volumes").is_some(), expected, "{of_pod} {of_account}");
    }
    let own = json!({"containers": [{"name": "c", "volumeMounts": [
        {"name": "own", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
    ]}]});
    assert_eq!(completed(own, json!({})).get("volumes"), None, "what is mounted there stays");
}

#[test]
fn the_accounts_pull_secrets_are_for_who_has_none() {
    let account = json!({"imagePullSecrets": [{"name": "registry"}]});
    let spec = completed(json!({}), account.clone());
    assert_eq!(spec["imagePullSecrets"], account["imagePullSecrets"]);
    let own = json!({"imagePullSecrets": [{"name": "own"}]});
    assert_eq!(completed(own.clone(), account)["imagePullSecrets"], own["imagePullSecrets"]);
}

#[test]
fn a_mirror_pod_has_nothing_of_the_api() {
    let token = json!({"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]});
    let table = [
        (json!({}), None),
        (json!({"serviceAccountName": "a"}), Some("a mirror pod may not reference service accounts")),
        (json!({"imagePullSecrets": [{"name": "s"}]}), Some("a mirror pod may not reference secrets")),
        (token, Some("a mirror pod may not use ServiceAccountToken volume projections")),
    ];
    for (spec, expected) in table {
        let refused = check_mirror(&mk_pod(spec)).err().map(|error| error.to_string());
        assert_eq!(refused, expected.map(|why| format!("pods \"p\" is forbidden: {why}")));
    }
}
