//! What a pod may be, and what of it may change.

use serde_json::{Value, json};

use super::super::*;
use crate::field::Path;
use crate::fixtures::{mk_pod, mk_pod_with, mk_rc, text, with};

/// Each row: a change of the container, a change of the spec, and the fault that follows.
fn check(table: &[(Value, Value, &str)]) {
    for (container, spec, expected) in table {
        let pod = mk_pod_with(container.clone(), spec.clone());
        assert_eq!(text(&validate(&pod)), *expected, "{container} {spec}");
    }
}

#[test]
fn a_pod_has_containers_with_names_of_their_own() {
    let pod = |containers: Value| {
        let mut pod = with(&mk_pod(), json!({"spec": {"containers": containers}}));
        set_defaults(&mut pod);
        text(&validate(&pod))
    };
    assert_eq!(pod(json!([])), "spec.containers: Required value");
    let twice = json!([{"name": "a", "image": "i"}, {"name": "a", "image": "i"}]);
    assert_eq!(pod(twice), "spec.containers[1].name: Duplicate value: \"a\"");
    assert_eq!(pod(json!([{"image": "i"}])), "spec.containers[0].name: Required value");
    assert_eq!(pod(json!([{"name": "a"}])), "spec.containers[0].image: Required value");
    let name = pod(json!([{"name": "A", "image": "i"}]));
    assert!(
        name.starts_with("spec.containers[0].name: Invalid value: \"A\": a lowercase RFC 1123 label"),
        "{name}"
    );
}

#[test]
fn containers_keep_their_rules() {
    check(&[
        (json!({}), json!({}), ""),
        (
            json!({"image": " nginx"}),
            json!({}),
            "spec.containers[0].image: Invalid value: \" nginx\": must not have leading or trailing whitespace",
        ),
        (
            json!({"imagePullPolicy": "Often"}),
            json!({}),
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Often\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
        ),
        (
            json!({"terminationMessagePolicy": "Log"}),
            json!({}),
            "spec.containers[0].terminationMessagePolicy: Unsupported value: \"Log\": supported values: \"FallbackToLogsOnError\", \"File\"",
        ),
        (
            json!({"livenessProbe": {"successThreshold": 2, "exec": {"command": ["ls"]}}}),
            json!({}),
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        (
            json!({"lifecycle": {"preStop": {}}}),
            json!({}),
            "spec.containers[0].lifecycle.preStop: Required value: must specify a handler type",
        ),
        (
            json!({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}),
            json!({}),
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
        ),
        (
            json!({"restartPolicy": "Always"}),
            json!({}),
            "spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers",
        ),
        (
            json!({"securityContext": {"runAsUser": -1}}),
            json!({}),
            "spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
        ),
        (
            json!({"securityContext": {"privileged": true, "allowPrivilegeEscalation": false}}),
            json!({}),
            "spec.containers[0].securityContext: Invalid value: false: cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        ),
    ]);
}

#[test]
fn ports_keep_their_rules() {
    check(&[
        (json!({"ports": [{"containerPort": 80, "name": "http", "hostPort": 80}]}), json!({}), ""),
        (json!({"ports": [{}]}), json!({}), "spec.containers[0].ports[0].containerPort: Required value"),
        (
            json!({"ports": [{"containerPort": 65536}]}),
            json!({}),
            "spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive",
        ),
        (
            json!({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]}),
            json!({}),
            "spec.containers[0].ports[1].name: Duplicate value: \"a\"",
        ),
        (
            json!({"ports": [{"containerPort": 1, "hostPort": 9}, {"containerPort": 2, "hostPort": 9}]}),
            json!({}),
            "spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//9\"",
        ),
        (
            json!({"ports": [{"containerPort": 1, "hostPort": 9}, {"containerPort": 2, "hostPort": 9, "protocol": "UDP"}]}),
            json!({}),
            "",
        ),
        (
            json!({"ports": [{"containerPort": 1, "protocol": "IP"}]}),
            json!({}),
            "spec.containers[0].ports[0].protocol: Unsupported value: \"IP\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
        ),
        (
            json!({"ports": [{"containerPort": 1, "hostPort": 2}]}),
            json!({"hostNetwork": true}),
            "spec.containers[0].ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true",
        ),
    ]);
}

#[test]
fn variables_and_mounts_keep_their_rules() {
    let at = "spec.containers[0]";
    let env = |var: Value| json!({"env": [var]});
    let field = |path: &str| env(json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}));
    let volumes = json!({"volumes": [{"name": "data"}]});
    check(&[
        (env(json!({"name": "A", "value": "b"})), json!({}), ""),
        (env(json!({"value": "b"})), json!({}), &format!("{at}.env[0].name: Required value")),
        (field("metadata.name"), json!({}), ""),
        (field("metadata.labels['app']"), json!({}), ""),
        (
            env(json!({"name": "A", "valueFrom": {}})),
            json!({}),
            &format!(
                "{at}.env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            ),
        ),
        (
            env(
                json!({"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
            ),
            json!({}),
            &format!(
                "{at}.env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"
            ),
        ),
        (
            env(
                json!({"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}}),
            ),
            json!({}),
            "",
        ),
        (
            env(json!({"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}})),
            json!({}),
            &format!("{at}.env[0].valueFrom.secretKeyRef.key: Required value"),
        ),
        (
            json!({"envFrom": [{}]}),
            json!({}),
            &format!(
                "{at}.envFrom[0]: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"
            ),
        ),
        (json!({"volumeMounts": [{"name": "data", "mountPath": "/d"}]}), volumes.clone(), ""),
        (
            json!({"volumeMounts": [{"name": "other", "mountPath": "/d"}]}),
            volumes.clone(),
            &format!("{at}.volumeMounts[0].name: Not found: \"other\""),
        ),
        (
            json!({"volumeMounts": [{"name": "data"}]}),
            volumes.clone(),
            &format!("{at}.volumeMounts[0].mountPath: Required value"),
        ),
        (
            json!({"volumeMounts": [{"name": "data", "mountPath": "/d"}, {"name": "data", "mountPath": "/d"}]}),
            volumes.clone(),
            &format!("{at}.volumeMounts[1].mountPath: Invalid value: \"/d\": must be unique"),
        ),
        (
            json!({"volumeMounts": [{"name": "data", "mountPath": "/d", "subPath": "../x"}]}),
            volumes,
            &format!("{at}.volumeMounts[0].subPath: Invalid value: \"../x\": must not contain '..'"),
        ),
    ]);
    let wrong = text(&validate(&mk_pod_with(field("status.phase"), json!({}))));
    assert!(
        wrong.contains("env[0].valueFrom.fieldRef.fieldPath: Unsupported value: \"status.phase\""),
        "{wrong}"
    );
}

#[test]
fn the_spec_keeps_its_rules() {
    check(&[
        (
            json!({}),
            json!({"restartPolicy": "Sometimes"}),
            "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"Never\", \"OnFailure\"",
        ),
        (
            json!({}),
            json!({"dnsPolicy": "Mine"}),
            "spec.dnsPolicy: Unsupported value: \"Mine\": supported values: \"ClusterFirst\", \"ClusterFirstWithHostNet\", \"Default\", \"None\"",
        ),
        (
            json!({}),
            json!({"dnsPolicy": "None"}),
            "spec.dnsConfig: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None",
        ),
        (json!({}), json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.10"]}}), ""),
        (
            json!({}),
            json!({"activeDeadlineSeconds": 0}),
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
        ),
        (
            json!({}),
            json!({"ephemeralContainers": [{"name": "d", "image": "i"}]}),
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ),
        (
            json!({}),
            json!({"initContainers": [{"name": "web", "image": "i"}]}),
            "spec.initContainers[0].name: Duplicate value: \"web\"",
        ),
        (
            json!({}),
            json!({"initContainers": [{"name": "i", "image": "i", "readinessProbe": {"exec": {"command": ["ls"]}}}]}),
            "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
        ),
        (
            json!({}),
            json!({"hostAliases": [{"ip": "x", "hostnames": ["a.b"]}]}),
            "spec.hostAliases[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ),
        (
            json!({}),
            json!({"securityContext": {"fsGroup": -2}}),
            "spec.securityContext.fsGroup: Invalid value: -2: must be between 0 and 2147483647, inclusive",
        ),
        (
            json!({}),
            json!({"nodeName": "n1", "schedulingGates": [{"name": "example.com/wait"}]}),
            "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
        ),
    ]);
    let bad =
        text(&validate(&mk_pod_with(json!({}), json!({"nodeSelector": {"a b": "c"}, "hostname": "A"}))));
    assert!(bad.contains("spec.nodeSelector") && bad.contains("spec.hostname"), "{bad}");
}

#[test]
fn placement_keeps_its_rules() {
    let affinity = |node: Value| json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": node}}});
    let terms = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    let in_nothing = json!({"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]});
    check(&[
        (json!({}), json!({"tolerations": [{"operator": "Exists"}]}), ""),
        (
            json!({}),
            json!({"tolerations": [{"operator": "Exists", "key": "a", "value": "b"}]}),
            "spec.tolerations[0].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'",
        ),
        (
            json!({}),
            json!({"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5}]}),
            "spec.tolerations[0].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set",
        ),
        (
            json!({}),
            affinity(json!({"nodeSelectorTerms": []})),
            &format!("{terms}: Required value: must have at least one node selector term"),
        ),
        (
            json!({}),
            affinity(in_nothing),
            &format!(
                "{terms}[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
            ),
        ),
        (
            json!({}),
            json!({"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}),
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
        ),
        (
            json!({}),
            json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}}),
            "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty",
        ),
    ]);
}

#[test]
fn a_template_leaves_host_ports_to_the_pod() {
    let template = |port: Value| {
        let patch = json!({"spec": {"template": {"spec": {
            "hostNetwork": true,
            "containers": [{"name": "web", "image": "i", "ports": [port]}],
        }}}});
        let mut rc = with(&mk_rc(), patch);
        crate::rc::set_defaults(&mut rc);
        text(&validate_template(&rc.spec.template.unwrap(), &Path::new("t")))
    };
    assert_eq!(template(json!({"containerPort": 80})), "");
    let wrong = template(json!({"containerPort": 80, "hostPort": 81}));
    assert!(wrong.starts_with("t.spec.containers[0].ports[0].hostPort: Invalid value: 81"), "{wrong}");
}

#[test]
fn privilege_can_be_forbidden() {
    let pod = mk_pod_with(json!({"securityContext": {"privileged": true}}), json!({}));
    assert_eq!(text(&validate(&pod)), "");
    let errors = crate::container::forbids_privilege(&pod.spec, &Path::new("spec"));
    assert_eq!(
        text(&errors),
        "spec.containers[0].securityContext.privileged: Forbidden: disallowed by cluster policy"
    );
    assert!(crate::container::forbids_privilege(&mk_pod().spec, &Path::new("spec")).is_empty());
}

#[test]
fn little_of_a_pod_may_change() {
    let old = mk_pod_with(
        json!({}),
        json!({"activeDeadlineSeconds": 100, "tolerations": [{"key": "a", "operator": "Exists"}]}),
    );
    let spec = |spec: Value| json!({"spec": spec});
    let allowed = [
        json!({"metadata": {"labels": {"app": "other"}}}),
        spec(json!({"activeDeadlineSeconds": 50})),
        spec(
            json!({"tolerations": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}]}),
        ),
    ];
    for patch in allowed {
        assert_eq!(text(&validate_update(&with(&old, patch.clone()), &old)), "", "{patch}");
    }
    let mut image = old.clone();
    image.spec.containers[0].image = "nginx:2".to_owned();
    assert_eq!(text(&validate_update(&image, &old)), "");

    let only = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\nchanged: ";
    let refused = [
        (spec(json!({"nodeName": "n1"})), format!("{only}spec.nodeName")),
        (spec(json!({"restartPolicy": "Never", "hostname": "h"})), format!("{only}spec.hostname, spec.restartPolicy")),
        (spec(json!({"terminationGracePeriodSeconds": 1})), format!("{only}spec.terminationGracePeriodSeconds")),
        (
            spec(json!({"activeDeadlineSeconds": 101})),
            "spec.activeDeadlineSeconds: Invalid value: 101: must be less than or equal to previous value".to_owned(),
        ),
        (
            spec(json!({"activeDeadlineSeconds": null})),
            "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value".to_owned(),
        ),
        (
            spec(json!({"tolerations": []})),
            "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds".to_owned(),
        ),
        (
            spec(json!({"schedulingGates": [{"name": "example.com/g"}]})),
            "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'example.com/g'".to_owned(),
        ),
        (
            json!({"metadata": {"uid": "other"}}),
            "metadata.uid: Invalid value: \"other\": field is immutable".to_owned(),
        ),
    ];
    for (patch, expected) in refused {
        assert_eq!(text(&validate_update(&with(&old, patch.clone()), &old)), expected, "{patch}");
    }
    let mut more = old.clone();
    more.spec.containers.push(more.spec.containers[0].clone());
    more.spec.containers[1].name = "b".to_owned();
    assert_eq!(
        text(&validate_update(&more, &old)),
        "spec.containers: Forbidden: pod updates may not add or remove containers"
    );
}

#[test]
fn a_gated_pod_may_lose_gates_and_narrow_its_nodes() {
    let old = mk_pod_with(
        json!({}),
        json!({"schedulingGates": [{"name": "example.com/g"}], "nodeSelector": {"a": "1"}}),
    );
    let narrowed = with(&old, json!({"spec": {"nodeSelector": {"b": "2"}, "schedulingGates": []}}));
    assert_eq!(text(&validate_update(&narrowed, &old)), "");
    let widened = with(&old, json!({"spec": {"nodeSelector": {"a": null, "b": "2"}}}));
    assert_eq!(validate_update(&widened, &old).len(), 1);
}

#[test]
fn an_update_keeps_the_status_and_a_status_write_the_spec() {
    let old = with(&mk_pod(), json!({"status": {"phase": "Running", "qosClass": "BestEffort"}}));
    let sent =
        with(&old, json!({"spec": {"nodeName": "n1"}, "status": {"phase": "Failed", "qosClass": null}}));
    let mut new = sent.clone();
    prepare_update(&mut new, &old);
    assert_eq!((new.spec.node_name.as_str(), new.status.phase.as_str()), ("n1", "Running"));
    let mut new = sent;
    prepare_status_update(&mut new, &old);
    assert_eq!((new.spec.node_name.as_str(), new.status.phase.as_str()), ("", "Failed"));
    assert_eq!(new.status.qos_class, "BestEffort");
}

#[test]
fn a_status_write_keeps_its_rules() {
    let ended = |code: i32| json!([{"name": "web", "state": {"terminated": {"exitCode": code}}}]);
    let running = json!([{"name": "web", "state": {"running": {}}}]);
    let again =
        "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state";
    let table = [
        ("Always", ended(0), ""),
        ("OnFailure", ended(1), ""),
        ("OnFailure", ended(0), again),
        ("Never", ended(1), again),
    ];
    for (policy, before, expected) in table {
        let old = with(
            &mk_pod(),
            json!({"spec": {"restartPolicy": policy}, "status": {"containerStatuses": before}}),
        );
        let new = with(&old, json!({"status": {"containerStatuses": running}}));
        assert_eq!(text(&validate_status_update(&new, &old)), expected, "{policy}");
    }
    let old = mk_pod();
    let new = with(&old, json!({"status": {"podIPs": [{"ip": "x"}]}}));
    assert!(text(&validate_status_update(&new, &old)).starts_with("status.podIPs[0]: Invalid value: \"x\""));
    let new = with(&old, json!({"spec": {"nodeName": "n"}}));
    assert_eq!(
        text(&validate_status_update(&new, &old)),
        "status.nodeName: Forbidden: may not be changed directly"
    );
}
