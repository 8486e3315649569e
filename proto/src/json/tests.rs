use serde_json::json;

use crate::core::{Node, Pod, Service};
use crate::json::{Report, from_slice};

fn read<T: crate::Object>(value: &serde_json::Value) -> (T, Report) {
    from_slice(value.to_string().as_bytes()).unwrap()
}

#[test]
fn the_slides_service_is_read_verbatim() {
    let text = r#"{"kind":"Service","apiVersion":"v1","metadata":{"name":"my-service"},"spec":{"selector":{"app":"MyApp"},"ports":[{"protocol":"TCP","port":80,"targetPort":9376}]}}"#;
    let (service, report): (Service, _) = from_slice(text.as_bytes()).unwrap();
    assert_eq!(service.metadata.name, "my-service");
    assert_eq!(service.spec.ports[0].target_port.as_int(), Some(9376));
    assert_eq!(report.kind.as_deref(), Some("Service"));
    assert_eq!(report.api_version.as_deref(), Some("v1"));
    assert!(report.unknown.is_empty() && report.duplicate.is_empty());
}

#[test]
fn a_whole_pod_makes_the_round_trip() {
    let whole = json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "name": "web", "namespace": "default", "uid": "u1", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-01-02T03:04:05Z", "deletionGracePeriodSeconds": 0,
            "labels": {"app": "web", "tier": ""},
            "ownerReferences": [{"apiVersion": "v1", "kind": "ReplicationController", "name": "rc", "uid": "u0", "controller": true, "blockOwnerDeletion": false}],
        },
        "spec": {
            "volumes": [
                {"name": "a", "emptyDir": {}},
                {"name": "b", "secret": {"secretName": "s", "defaultMode": 420, "items": [{"key": "k", "path": "p"}]}},
                {"name": "c", "projected": {"sources": [{"configMap": {"name": "cm"}}, {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]}},
            ],
            "containers": [{
                "name": "c", "image": "i:1", "command": ["x"],
                "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
                "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}},
                "livenessProbe": {"httpGet": {"path": "/", "port": "http", "scheme": "HTTP"}, "timeoutSeconds": 1},
                "imagePullPolicy": "IfNotPresent",
                "securityContext": {"runAsUser": 0, "privileged": false, "capabilities": {"drop": ["ALL"]}},
            }],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 0, "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "k", "operator": "Exists", "tolerationSeconds": 300}],
        },
        "status": {
            "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "hostIPs": [{"ip": "1.2.3.4"}],
            "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-01-02T03:04:05Z"}],
            "containerStatuses": [{
                "name": "c", "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}, "lastState": {},
                "ready": true, "restartCount": 0, "image": "i:1", "imageID": "", "started": true,
            }],
        },
    });
    let (pod, report): (Pod, _) = read(&whole);
    assert_eq!(report.unknown, Vec::<String>::new());
    assert_eq!(serde_json::to_value(&pod).unwrap(), whole);
    let decoded = <Pod as prost::Message>::decode(prost::Message::encode_to_vec(&pod).as_slice()).unwrap();
    assert_eq!(decoded, pod);
}

#[test]
fn whole_services_and_nodes_make_the_round_trip() {
    let service = json!({
        "kind": "Service", "apiVersion": "v1",
        "metadata": {"name": "s", "creationTimestamp": null},
        "spec": {
            "ports": [{"name": "a", "protocol": "UDP", "port": 53, "targetPort": "dns", "nodePort": 30053, "appProtocol": "dns"}],
            "selector": {"a": "b"}, "clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.2"], "type": "LoadBalancer",
            "externalIPs": ["1.2.3.4"], "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "allocateLoadBalancerNodePorts": true,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "5.6.7.8"}]}},
    });
    assert_eq!(serde_json::to_value(read::<Service>(&service).0).unwrap(), service);
    let node = json!({
        "kind": "Node", "apiVersion": "v1",
        "metadata": {"name": "n", "creationTimestamp": null},
        "spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"], "unschedulable": true, "taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {
            "capacity": {"cpu": "2", "memory": "1Ki"}, "allocatable": {"cpu": "2"},
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": null, "lastTransitionTime": null}],
            "addresses": [{"type": "InternalIP", "address": "1.2.3.4"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": "m", "systemUUID": "", "bootID": "", "kernelVersion": "6", "osImage": "", "containerRuntimeVersion": "",
                "kubeletVersion": "v", "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64",
            },
            "images": [{"names": ["i:1"], "sizeBytes": 5}],
        },
    });
    assert_eq!(serde_json::to_value(read::<Node>(&node).0).unwrap(), node);
}

#[test]
fn an_empty_pod_is_written_as_kubernetes_writes_it() {
    assert_eq!(
        serde_json::to_value(Pod::default()).unwrap(),
        json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"creationTimestamp": null}, "spec": {"containers": null}, "status": {}})
    );
}

#[test]
fn null_is_as_good_as_absent() {
    let (pod, _): (Pod, _) = read(
        &json!({"metadata": {"labels": null, "creationTimestamp": null}, "spec": {"containers": null, "hostNetwork": null}}),
    );
    assert_eq!(pod, Pod::default());
}

#[test]
fn unknown_and_duplicate_fields_are_reported_with_their_paths() {
    let text = br#"{"kind":"Pod","metadata":{"name":"a","name":"b","labels":{"x":"1","x":"2"}},
        "spec":{"containers":[{"name":"c","imagine":1},{"nam":"d"}],"volumes":[{"name":"v","emptyDir":{},"emptyDir":{}}]},"bogus":{}}"#;
    let (pod, report): (Pod, _) = from_slice(text).unwrap();
    assert_eq!(report.unknown, ["spec.containers[0].imagine", "spec.containers[1].nam", "bogus"]);
    assert_eq!(report.duplicate, ["metadata.name", "metadata.labels.x", "spec.volumes[0].emptyDir"]);
    assert_eq!((pod.metadata.name.as_str(), pod.metadata.labels["x"].as_str()), ("b", "2"));
}

#[test]
fn a_wrong_type_is_refused_with_its_path() {
    for (text, path) in [
        (
            r#"{"spec":{"containers":[{"ports":[{"containerPort":"80"}]}]}}"#,
            Some("spec.containers[0].ports[0].containerPort"),
        ),
        (r#"{"metadata":{"labels":{"a":1}}}"#, Some("metadata.labels.a")),
        (r#"{"metadata":{"creationTimestamp":"yesterday"}}"#, Some("metadata.creationTimestamp")),
        (r#"{"spec":[]}"#, Some("spec")),
        (r#"{"spec":{"#, Some("spec")),
        (r#"[]"#, None),
        ("{} {}", None),
    ] {
        let error = from_slice::<Pod>(text.as_bytes()).unwrap_err();
        assert_eq!(error.path.as_deref(), path, "{text}: {error}");
    }
}

#[test]
fn quantities_may_be_numbers() {
    let (node, _): (Node, _) =
        read(&json!({"status": {"capacity": {"cpu": 2, "memory": "1Gi", "pods": 1.5}}}));
    let capacity: Vec<_> = node
        .status
        .capacity
        .iter()
        .map(|(name, quantity)| (name.as_str(), quantity.string.as_str()))
        .collect();
    assert_eq!(capacity, [("cpu", "2"), ("memory", "1Gi"), ("pods", "1.5")]);
}
