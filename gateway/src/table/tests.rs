use keelson_proto::coordination::Lease;
use keelson_proto::core::{
    ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod,
    PodTemplate, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount,
};
use keelson_proto::discovery::EndpointSlice;
use serde_json::json;

use super::*;

/// 2015-07-21T12:00:00Z, when all rows here are read.
const NOON: i64 = 1_437_480_000;

/// The object's row, cells separated by `|`.
fn row<K: Tabled>(object: serde_json::Value) -> String {
    let (object, report) = keelson_proto::json::from_slice::<K>(object.to_string().as_bytes()).unwrap();
    assert_eq!(report.unknown, Vec::<String>::new());
    let cells = object.cells(Timestamp::from_second(NOON).unwrap());
    assert_eq!(cells.len(), K::COLUMNS.len());
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => number.to_string(),
    };
    cells.iter().map(text).collect::<Vec<_>>().join("|")
}

/// The narrow part of a pod's row.
fn pod(spec: serde_json::Value, status: serde_json::Value) -> String {
    let metadata = json!({"name": "web", "creationTimestamp": "2015-07-21T11:55:00Z"});
    let row = row::<Pod>(json!({"metadata": metadata, "spec": spec, "status": status}));
    row.split('|').take(5).collect::<Vec<_>>().join("|")
}

fn headings<K: Tabled>(wide: bool) -> String {
    let shown = K::COLUMNS.iter().filter(|column| wide || column.priority == 0);
    shown.map(|column| column.name.to_uppercase()).collect::<Vec<_>>().join("|")
}

#[test]
fn headings_are_those_of_kubectl() {
    assert_eq!(headings::<Pod>(false), "NAME|READY|STATUS|RESTARTS|AGE");
    assert_eq!(
        headings::<Pod>(true),
        "NAME|READY|STATUS|RESTARTS|AGE|IP|NODE|NOMINATED NODE|READINESS GATES"
    );
    assert_eq!(
        headings::<ReplicationController>(true),
        "NAME|DESIRED|CURRENT|READY|AGE|CONTAINERS|IMAGES|SELECTOR"
    );
    assert_eq!(headings::<Service>(true), "NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE|SELECTOR");
    assert_eq!(headings::<Endpoints>(true), "NAME|ENDPOINTS|AGE");
    assert_eq!(headings::<Node>(false), "NAME|STATUS|ROLES|AGE|VERSION");
    assert_eq!(headings::<Namespace>(true), "NAME|STATUS|AGE");
    assert_eq!(headings::<Event>(false), "LAST SEEN|TYPE|REASON|OBJECT|MESSAGE");
    assert_eq!(headings::<Lease>(true), "NAME|HOLDER|AGE");
    assert_eq!(headings::<EndpointSlice>(true), "NAME|ADDRESSTYPE|PORTS|ENDPOINTS|AGE");
    assert_eq!(headings::<ConfigMap>(true), "NAME|DATA|AGE");
    assert_eq!(headings::<Secret>(true), "NAME|TYPE|DATA|AGE");
    assert_eq!(headings::<ServiceAccount>(true), "NAME|SECRETS|AGE");
    assert_eq!(headings::<PodTemplate>(true), "NAME|CONTAINERS|IMAGES|POD LABELS");
    assert_eq!(headings::<LimitRange>(true), "NAME|CREATED AT");
    assert_eq!(headings::<ResourceQuota>(true), "NAME|REQUEST|LIMIT|AGE");
    assert_eq!(
        headings::<PersistentVolume>(true),
        "NAME|CAPACITY|ACCESS MODES|RECLAIM POLICY|STATUS|CLAIM|STORAGECLASS|VOLUMEATTRIBUTESCLASS|REASON|AGE|VOLUMEMODE"
    );
    assert_eq!(
        headings::<PersistentVolumeClaim>(false),
        "NAME|STATUS|VOLUME|CAPACITY|ACCESS MODES|STORAGECLASS|VOLUMEATTRIBUTESCLASS|AGE"
    );
}

#[test]
fn a_pod_is_told_in_one_word() {
    let one = json!({"containers": [{"name": "c"}]});
    let status = |state: serde_json::Value, ready: bool| json!({"phase": "Running", "containerStatuses": [{"name": "c", "ready": ready, "state": state}]});
    for (state, ready, expected) in [
        (json!({"running": {}}), true, "web|1/1|Running|0|5m"),
        (json!({"running": {}}), false, "web|0/1|Running|0|5m"),
        (json!({"waiting": {"reason": "CrashLoopBackOff"}}), false, "web|0/1|CrashLoopBackOff|0|5m"),
        (json!({"terminated": {"exitCode": 0, "reason": "Completed"}}), false, "web|0/1|Completed|0|5m"),
        (json!({"terminated": {"exitCode": 1, "reason": "Error"}}), false, "web|0/1|Error|0|5m"),
        (json!({"terminated": {"exitCode": 3}}), false, "web|0/1|ExitCode:3|0|5m"),
        (json!({"terminated": {"exitCode": 137, "signal": 9}}), false, "web|0/1|Signal:9|0|5m"),
    ] {
        assert_eq!(pod(one.clone(), status(state, ready)), expected);
    }
    assert_eq!(pod(one.clone(), json!({"phase": "Pending"})), "web|0/1|Pending|0|5m");
    assert_eq!(pod(one, json!({"phase": "Failed", "reason": "Evicted"})), "web|0/1|Evicted|0|5m");
}

#[test]
fn a_pod_with_one_container_done_still_runs() {
    let two = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let containers = json!([
        {"name": "a", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
        {"name": "b", "ready": true, "state": {"running": {}}},
    ]);
    let status = |ready: &str| json!({"phase": "Running", "containerStatuses": containers, "conditions": [{"type": "Ready", "status": ready}]});
    assert_eq!(pod(two.clone(), status("True")), "web|1/2|Running|0|5m");
    assert_eq!(pod(two, status("False")), "web|1/2|NotReady|0|5m");
}

#[test]
fn init_containers_are_told_while_they_last() {
    let spec = json!({"initContainers": [{"name": "a"}, {"name": "b"}], "containers": [{"name": "c"}]});
    let done = json!({"name": "a", "state": {"terminated": {"exitCode": 0}}});
    for (second, expected) in [
        (json!({"running": {}}), "web|0/1|Init:1/2|0|5m"),
        (json!({"waiting": {"reason": "PodInitializing"}}), "web|0/1|Init:1/2|0|5m"),
        (json!({"waiting": {"reason": "CrashLoopBackOff"}}), "web|0/1|Init:CrashLoopBackOff|0|5m"),
        (json!({"terminated": {"exitCode": 1, "reason": "Error"}}), "web|0/1|Init:Error|0|5m"),
        (json!({"terminated": {"exitCode": 7}}), "web|0/1|Init:ExitCode:7|0|5m"),
    ] {
        let status =
            json!({"phase": "Pending", "initContainerStatuses": [done, {"name": "b", "state": second}]});
        assert_eq!(pod(spec.clone(), status), expected);
    }
}

#[test]
fn a_ready_sidecar_counts() {
    let spec =
        json!({"initContainers": [{"name": "s", "restartPolicy": "Always"}], "containers": [{"name": "c"}]});
    let status = json!({
        "phase": "Running",
        "initContainerStatuses": [{"name": "s", "ready": true, "started": true, "restartCount": 2, "state": {"running": {}}}],
        "containerStatuses": [{"name": "c", "ready": true, "state": {"running": {}}}],
    });
    assert_eq!(pod(spec, status), "web|2/2|Running|2|5m");
}

#[test]
fn restarts_say_when_the_last_one_was() {
    let last = json!({"terminated": {"exitCode": 1, "finishedAt": "2015-07-21T11:57:00Z"}});
    let status = json!({"phase": "Running", "containerStatuses": [{"name": "c", "ready": true, "restartCount": 4, "state": {"running": {}}, "lastState": last}]});
    assert_eq!(pod(json!({"containers": [{"name": "c"}]}), status), "web|1/1|Running|4 (3m ago)|5m");
}

#[test]
fn a_pod_that_is_being_deleted_says_so() {
    let deleted = |status: serde_json::Value| {
        let metadata = json!({"name": "web", "deletionTimestamp": "2015-07-21T11:59:00Z"});
        let row = row::<Pod>(
            json!({"metadata": metadata, "spec": {"containers": [{"name": "c"}]}, "status": status}),
        );
        row.split('|').nth(2).unwrap().to_owned()
    };
    assert_eq!(deleted(json!({"phase": "Running"})), "Terminating");
    assert_eq!(deleted(json!({"phase": "Succeeded"})), "Succeeded");
    assert_eq!(deleted(json!({"phase": "Running", "reason": "NodeLost"})), "Unknown");
}

#[test]
fn the_wide_part_of_a_pod() {
    let object = json!({
        "metadata": {"name": "web"},
        "spec": {"nodeName": "n1", "containers": [{"name": "c"}], "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]},
        "status": {"phase": "Pending", "podIP": "10.0.0.1", "conditions": [{"type": "b", "status": "True"}]},
    });
    assert_eq!(row::<Pod>(object), "web|0/1|Pending|0|<unknown>|10.0.0.1|n1|<none>|1/2");
    assert_eq!(
        row::<Pod>(json!({"metadata": {"name": "web"}})),
        "web|0/0||0|<unknown>|<none>|<none>|<none>|<none>"
    );
}

#[test]
fn services() {
    let service = |spec: serde_json::Value, status: serde_json::Value| {
        row::<Service>(
            json!({"metadata": {"name": "s", "creationTimestamp": "2015-07-21T10:00:00Z"}, "spec": spec, "status": status}),
        )
    };
    let ports = json!([{"port": 80, "protocol": "TCP"}, {"port": 443, "nodePort": 30443, "protocol": "TCP"}]);
    assert_eq!(
        service(
            json!({"type": "NodePort", "clusterIP": "10.0.0.9", "ports": ports, "selector": {"b": "2", "a": "1"}}),
            json!({})
        ),
        "s|NodePort|10.0.0.9|<none>|80/TCP,443:30443/TCP|120m|a=1,b=2"
    );
    assert_eq!(
        service(json!({"type": "ClusterIP", "clusterIP": "None"}), json!({})),
        "s|ClusterIP|None|<none>|<none>|120m|<none>"
    );
    assert_eq!(
        service(json!({"type": "LoadBalancer", "clusterIP": "1.1.1.1"}), json!({})),
        "s|LoadBalancer|1.1.1.1|<pending>|<none>|120m|<none>"
    );
    let ingress = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb"}]}});
    assert_eq!(
        service(
            json!({"type": "LoadBalancer", "clusterIP": "1.1.1.1", "externalIPs": ["192.0.2.9"]}),
            ingress
        ),
        "s|LoadBalancer|1.1.1.1|192.0.2.1,lb,192.0.2.9|<none>|120m|<none>"
    );
    assert_eq!(
        service(json!({"type": "ExternalName", "externalName": "a.b"}), json!({})),
        "s|ExternalName|<none>|a.b|<none>|120m|<none>"
    );
}

#[test]
fn endpoints() {
    let subsets = |count: usize| {
        let addresses: Vec<_> = (1..=count).map(|n| json!({"ip": format!("10.0.0.{n}")})).collect();
        row::<Endpoints>(
            json!({"metadata": {"name": "e"}, "subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]}),
        )
    };
    assert_eq!(subsets(0), "e|<none>|<unknown>");
    assert_eq!(subsets(3), "e|10.0.0.1:80,10.0.0.2:80,10.0.0.3:80|<unknown>");
    assert_eq!(subsets(5), "e|10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...|<unknown>");
}

#[test]
fn controllers() {
    let object = json!({
        "metadata": {"name": "rc", "creationTimestamp": "2015-07-19T12:00:00Z"},
        "spec": {"replicas": 3, "selector": {"app": "web"}, "template": {"spec": {"containers": [{"name": "a", "image": "i1"}, {"name": "b", "image": "i2"}]}}},
        "status": {"replicas": 2, "readyReplicas": 1},
    });
    assert_eq!(row::<ReplicationController>(object), "rc|3|2|1|2d|a,b|i1,i2|app=web");
}

#[test]
fn nodes() {
    let object = json!({
        "metadata": {"name": "n1", "labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge"}},
        "spec": {"unschedulable": true},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "192.0.2.7"}],
            "nodeInfo": {"kubeletVersion": "v1.33.0", "osImage": "Debian", "containerRuntimeVersion": "docker://20.10"},
        },
    });
    assert_eq!(
        row::<Node>(object),
        "n1|Ready,SchedulingDisabled|edge,worker|<unknown>|v1.33.0|192.0.2.7|<none>|Debian|<unknown>|docker://20.10"
    );
    assert!(row::<Node>(json!({"metadata": {"name": "n2"}})).starts_with("n2|Unknown|<none>|"));
    let lost = json!({"metadata": {"name": "n3"}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}});
    assert!(row::<Node>(lost).starts_with("n3|NotReady|"));
}

#[test]
fn events() {
    let object = json!({
        "metadata": {"name": "web.1"},
        "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{c}"},
        "reason": "Started", "message": "Started container c\n", "type": "Normal", "count": 3,
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": "2015-07-21T11:00:00Z", "lastTimestamp": "2015-07-21T11:59:30Z",
    });
    assert_eq!(
        row::<Event>(object),
        "30s|Normal|Started|pod/web|spec.containers{c}|kubelet, n1|Started container c|60m|3|web.1"
    );
    let newer = json!({
        "metadata": {"name": "e"}, "involvedObject": {"kind": "Node"},
        "eventTime": "2015-07-21T11:58:00.000000Z", "reportingComponent": "scheduler",
    });
    assert_eq!(row::<Event>(newer), "2m|||node||scheduler||2m|1|e");
}

#[test]
fn namespaces_and_leases() {
    assert_eq!(
        row::<Namespace>(json!({"metadata": {"name": "default"}, "status": {"phase": "Active"}})),
        "default|Active|<unknown>"
    );
    assert_eq!(
        row::<Lease>(json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "n1"}})),
        "l|n1|<unknown>"
    );
    assert_eq!(row::<Lease>(json!({"metadata": {"name": "l"}})), "l||<unknown>");
}

#[test]
fn endpoint_slices() {
    let slice = |endpoints: serde_json::Value, ports: serde_json::Value| {
        row::<EndpointSlice>(
            json!({"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}),
        )
    };
    assert_eq!(slice(json!([]), json!(null)), "s|IPv4|<unset>|<unset>|<unknown>");
    let endpoints: Vec<_> = (1..=4).map(|n| json!({"addresses": [format!("10.0.0.{n}")]})).collect();
    assert_eq!(
        slice(json!(endpoints), json!([{"port": 80}, {"name": "any"}, {}])),
        "s|IPv4|80,any,*|10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...|<unknown>"
    );
}

#[test]
fn settings_say_how_much_they_hold() {
    let meta = json!({"name": "x"});
    assert_eq!(
        row::<ConfigMap>(json!({"metadata": meta, "data": {"a": "1"}, "binaryData": {"b": "", "c": ""}})),
        "x|3|<unknown>"
    );
    assert_eq!(
        row::<Secret>(json!({"metadata": meta, "type": "Opaque", "data": {"a": "aHVzaA=="}})),
        "x|Opaque|1|<unknown>"
    );
    assert_eq!(row::<ServiceAccount>(json!({"metadata": meta, "secrets": [{"name": "t"}]})), "x|1|<unknown>");
    let template =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    assert_eq!(row::<PodTemplate>(json!({"metadata": meta, "template": template})), "x|c|i|a=b");
    assert_eq!(
        row::<LimitRange>(json!({"metadata": {"name": "x", "creationTimestamp": "2015-07-21T11:55:00Z"}})),
        "x|2015-07-21T11:55:00Z"
    );
}

#[test]
fn a_quota_says_what_is_used_of_it() {
    let status = json!({"hard": {"pods": "10", "limits.cpu": "4", "requests.cpu": "2"}, "used": {"pods": "3", "limits.cpu": "500m"}});
    assert_eq!(
        row::<ResourceQuota>(json!({"metadata": {"name": "q"}, "status": status})),
        "q|pods: 3/10, requests.cpu: 0/2|limits.cpu: 500m/4|<unknown>"
    );
    assert_eq!(row::<ResourceQuota>(json!({"metadata": {"name": "q"}})), "q|||<unknown>");
}

#[test]
fn volumes_and_claims() {
    let volume = json!({
        "metadata": {"name": "disk"},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "fast", "volumeMode": "Block",
            "claimRef": {"namespace": "default", "name": "data"},
        },
        "status": {"phase": "Bound"},
    });
    assert_eq!(
        row::<PersistentVolume>(volume),
        "disk|1Gi|RWO,RWX|Retain|Bound|default/data|fast|<unset>||<unknown>|Block"
    );
    let claim = |name: &str, deleted: serde_json::Value| {
        row::<PersistentVolumeClaim>(json!({
            "metadata": {"name": "data", "deletionTimestamp": deleted, "annotations": {"volume.beta.kubernetes.io/storage-class": "old"}},
            "spec": {"volumeName": name},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOncePod"]},
        }))
    };
    assert_eq!(claim("disk", json!(null)), "data|Bound|disk|1Gi|RWOP|old|<unset>|<unknown>|<unset>");
    assert_eq!(claim("", json!("2015-07-21T11:55:00Z")), "data|Terminating||||old|<unset>|<unknown>|<unset>");
}
