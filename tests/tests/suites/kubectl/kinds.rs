//! Every kind that users write, through a day: created, read in every form, described, labelled, patched, replaced and
//! deleted.

use keelson_tests::Session;
use serde_json::{Value, json};

use super::{DESCRIBES_SLICES, IMAGE, controller, pod, service, with_oldest_and_newest};

/// A kind, and what is particular to it.
struct Kind {
    /// How it is asked for; the short name, if it has one.
    asked: &'static str,
    /// How it is printed.
    printed: &'static str,
    /// The object: all but its name.
    object: Value,
    /// The table's columns, and those that `-o wide` adds.
    columns: &'static str,
    wide: &'static str,
    /// Something that `describe` says.
    described: &'static str,
    /// A change, as a merge patch, and how it is read back.
    patch: Value,
    path: &'static str,
    expected: &'static str,
}

#[test]
fn a_day_in_the_life_of_every_kind() {
    with_oldest_and_newest(|kubectl| kinds().into_iter().for_each(|kind| day(kubectl, &kind)));
}

fn day(kubectl: &Session, kind: &Kind) {
    let Kind { asked, printed, .. } = kind;
    // Kinds outside namespaces are shared by all who test.
    let name = format!("{}-{}", asked, kubectl.namespace);
    let mut object = kind.object.clone();
    object["metadata"]["name"] = json!(name);
    let named = format!("{printed}/{name}");
    assert_eq!(kubectl.ok_with("create -f -", &object.to_string()), format!("{named} created\n"));

    let table = kubectl.table(&format!("get {asked} {name}"));
    assert_eq!(table.columns().join(" | "), kind.columns, "{asked}");
    assert_eq!(table.names(), [name.as_str()]);
    let wide = kubectl.table(&format!("get {asked} -o wide"));
    let columns = [kind.columns, kind.wide].into_iter().filter(|part| !part.is_empty());
    assert_eq!(wide.columns().join(" | "), columns.collect::<Vec<_>>().join(" | "), "{asked}");
    assert!(wide.names().contains(&name.as_str()));
    let json = kubectl.json(&format!("get {asked} {name}"));
    assert_eq!((&json["kind"], &json["apiVersion"]), (&object["kind"], &object["apiVersion"]));
    let yaml: Value = yaml_serde::from_str(&kubectl.ok(&format!("get {asked} {name} -o yaml"))).unwrap();
    assert_eq!(yaml, json);
    assert_eq!(kubectl.ok(&format!("get {asked} {name} -o name")), format!("{named}\n"));
    if kubectl.kubectl.minor >= DESCRIBES_SLICES || *asked != "endpointslices" {
        let text = kubectl.ok(&format!("describe {asked} {name}"));
        let says = text.contains(&name) && text.contains(kind.described);
        assert!(says, "{} is not in\n{text}", kind.described);
    }

    assert_eq!(kubectl.ok(&format!("label {asked} {name} tier=test")), format!("{named} labeled\n"));
    let selected = kubectl.ok(&format!("get {asked} -l tier=test -o name"));
    assert!(selected.contains(&named), "{selected}");
    kubectl.ok(&format!("annotate {asked} {name} 'note=all of it'"));
    let noted = kubectl.ok(&format!("get {asked} {name} -o jsonpath={{.metadata.annotations.note}}"));
    assert_eq!(noted, "all of it");

    let read = || kubectl.ok(&format!("get {asked} {name} -o jsonpath={}", kind.path));
    kubectl.ok(&format!("patch {asked} {name} --type=merge -p '{}'", kind.patch));
    assert_eq!(read(), kind.expected, "{asked} {}", kind.path);
    let whole = kubectl.json(&format!("get {asked} {name}"));
    assert_eq!(kubectl.ok_with("replace -f -", &whole.to_string()), format!("{named} replaced\n"));
    assert_eq!(read(), kind.expected, "a replacement with the same changes nothing");
    let mut stale = whole;
    stale["metadata"]["resourceVersion"] = json!("1");
    let refused = kubectl.run("replace -f -", &stale.to_string()).fails();
    assert!(refused.contains("the object has been modified"), "{refused}");
    let edited = kubectl.edit(&format!("edit {asked} {name}"), "sed -i 's/all of it/less/'").ok();
    assert_eq!(edited, format!("{named} edited\n"));

    let deleted = kubectl.ok(&format!("delete {asked} {name} --grace-period=0 --force"));
    assert!(deleted.contains(&name) && deleted.contains("deleted"), "{deleted}");
    assert!(kubectl.fails(&format!("get {asked} {name}")).contains("not found"));
    // Applying makes it as well, changes it, and then has nothing to do: lists that are replaced as a whole say all of
    // their defaults for that.
    let apply = |object: &Value| kubectl.ok_with("apply -f -", &object.to_string());
    assert_eq!(apply(&object), format!("{named} created\n"));
    object["metadata"]["labels"] = json!({"tier": "applied"});
    assert_eq!(apply(&object), format!("{named} configured\n"));
    assert_eq!(apply(&object), format!("{named} unchanged\n"));
    // The server goes on from there, and has nothing to do either.
    let applied = || kubectl.ok_with("apply --server-side -f -", &object.to_string());
    assert_eq!(applied(), format!("{named} serverside-applied\n"));
    let version = || kubectl.ok(&format!("get {asked} {name} -o jsonpath={{.metadata.resourceVersion}}"));
    let before = version();
    assert_eq!(applied(), format!("{named} serverside-applied\n"));
    assert_eq!(version(), before, "{asked} changed");
    kubectl.ok_with("delete --grace-period=0 --force -f -", &object.to_string());
}

fn kinds() -> Vec<Kind> {
    let mut all = settings();
    all.extend(storage());
    all.extend(work());
    all.extend(access());
    all
}

fn access() -> Vec<Kind> {
    let version = "rbac.authorization.k8s.io/v1";
    let role = |kind: &str| {
        let rules = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]);
        json!({"apiVersion": version, "kind": kind, "rules": rules})
    };
    let binding = |kind: &str| {
        json!({
            "apiVersion": version, "kind": kind,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "ann"}],
        })
    };
    let of_role = |asked, printed, kind| Kind {
        asked,
        printed,
        object: role(kind),
        columns: "NAME | CREATED AT",
        wide: "",
        described: "PolicyRule:",
        patch: json!({"rules": [{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]}),
        path: "{.rules[*].verbs[*]}",
        expected: "list",
    };
    let of_binding = |asked, printed, kind| Kind {
        asked,
        printed,
        object: binding(kind),
        columns: "NAME | ROLE | AGE",
        wide: "USERS | GROUPS | SERVICEACCOUNTS",
        described: "ann",
        patch: json!({"subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "dev"}]}),
        path: "{.subjects[*].name}",
        expected: "dev",
    };
    vec![
        of_role("role", "role.rbac.authorization.k8s.io", "Role"),
        of_role("clusterrole", "clusterrole.rbac.authorization.k8s.io", "ClusterRole"),
        of_binding("rolebinding", "rolebinding.rbac.authorization.k8s.io", "RoleBinding"),
        of_binding(
            "clusterrolebinding",
            "clusterrolebinding.rbac.authorization.k8s.io",
            "ClusterRoleBinding",
        ),
    ]
}

fn settings() -> Vec<Kind> {
    vec![
        Kind {
            asked: "cm",
            printed: "configmap",
            object: json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}}),
            columns: "NAME | DATA | AGE",
            wide: "",
            described: "a:\n----\n1",
            patch: json!({"data": {"b": "2"}}),
            path: "{.data.b}",
            expected: "2",
        },
        Kind {
            asked: "secret",
            printed: "secret",
            object: json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aHVzaA=="}}),
            columns: "NAME | TYPE | DATA | AGE",
            wide: "",
            described: "a:  4 bytes",
            patch: json!({"stringData": {"b": "x"}}),
            path: "{.data.b}",
            expected: "eA==",
        },
        Kind {
            asked: "sa",
            printed: "serviceaccount",
            object: json!({"apiVersion": "v1", "kind": "ServiceAccount", "imagePullSecrets": [{"name": "a"}]}),
            // Its second column is one of Kubernetes' own.
            columns: "NAME | SECRETS | AGE",
            wide: "",
            described: "Image pull secrets:  a",
            patch: json!({"automountServiceAccountToken": false}),
            path: "{.automountServiceAccountToken}",
            expected: "false",
        },
        Kind {
            asked: "limits",
            printed: "limitrange",
            object: json!({"apiVersion": "v1", "kind": "LimitRange", "spec": {"limits": [{"type": "Pod", "max": {"cpu": "2"}}]}}),
            columns: "NAME | CREATED AT",
            wide: "",
            described: "cpu",
            patch: json!({"spec": {"limits": [{"type": "Pod", "max": {"cpu": "4000m"}}]}}),
            path: "{.spec.limits[*].max.cpu}",
            expected: "4",
        },
        Kind {
            asked: "quota",
            printed: "resourcequota",
            object: json!({"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"configmaps": "10"}}}),
            columns: "NAME | REQUEST | LIMIT | AGE",
            wide: "",
            described: "Resource",
            patch: json!({"spec": {"hard": {"secrets": "5"}}}),
            path: "{.spec.hard.secrets}",
            expected: "5",
        },
    ]
}

fn storage() -> Vec<Kind> {
    let capacity = json!({"storage": "1Gi"});
    vec![
        Kind {
            asked: "pv",
            printed: "persistentvolume",
            object: json!({
                "apiVersion": "v1", "kind": "PersistentVolume",
                "spec": {"capacity": capacity, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp/data"}},
            }),
            columns: "NAME | CAPACITY | ACCESS MODES | RECLAIM POLICY | STATUS | CLAIM | STORAGECLASS | VOLUMEATTRIBUTESCLASS | REASON | AGE",
            wide: "VOLUMEMODE",
            described: "/tmp/data",
            patch: json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}}),
            path: "{.spec.persistentVolumeReclaimPolicy}",
            expected: "Delete",
        },
        Kind {
            asked: "pvc",
            printed: "persistentvolumeclaim",
            object: json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": capacity}},
            }),
            columns: "NAME | STATUS | VOLUME | CAPACITY | ACCESS MODES | STORAGECLASS | VOLUMEATTRIBUTESCLASS | AGE",
            wide: "VOLUMEMODE",
            described: "Pending",
            patch: json!({"spec": {"storageClassName": "fast"}}),
            path: "{.spec.storageClassName}",
            expected: "fast",
        },
    ]
}

fn work() -> Vec<Kind> {
    let template = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": IMAGE}]},
    });
    vec![
        Kind {
            asked: "podtemplates",
            printed: "podtemplate",
            object: json!({"apiVersion": "v1", "kind": "PodTemplate", "template": template}),
            columns: "NAME | CONTAINERS | IMAGES | POD LABELS",
            wide: "",
            described: "Template:",
            patch: json!({"template": {"metadata": {"labels": {"app": "db"}}}}),
            path: "{.template.metadata.labels.app}",
            expected: "db",
        },
        Kind {
            asked: "endpointslices",
            printed: "endpointslice.discovery.k8s.io",
            object: json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": true}}],
                "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
            }),
            columns: "NAME | ADDRESSTYPE | PORTS | ENDPOINTS | AGE",
            wide: "",
            described: "10.1.2.3",
            patch: json!({"endpoints": [{"addresses": ["10.1.2.4"]}]}),
            path: "{.endpoints[*].addresses[*]}",
            expected: "10.1.2.4",
        },
        Kind {
            asked: "ep",
            printed: "endpoints",
            object: json!({
                "apiVersion": "v1", "kind": "Endpoints",
                "subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80, "protocol": "TCP"}]}],
            }),
            columns: "NAME | ENDPOINTS | AGE",
            wide: "",
            described: "10.1.2.3",
            patch: json!({"subsets": [{"addresses": [{"ip": "10.1.2.4"}], "ports": [{"port": 80}]}]}),
            path: "{.subsets[*].addresses[*].ip}",
            expected: "10.1.2.4",
        },
        Kind {
            asked: "svc",
            printed: "service",
            object: service("", json!({"app": "nobody"})),
            columns: "NAME | TYPE | CLUSTER-IP | EXTERNAL-IP | PORT(S) | AGE",
            wide: "SELECTOR",
            described: "80/TCP",
            patch: json!({"spec": {"sessionAffinity": "ClientIP"}}),
            path: "{.spec.sessionAffinity}",
            expected: "ClientIP",
        },
        Kind {
            asked: "rc",
            printed: "replicationcontroller",
            object: controller("nobody", 0),
            columns: "NAME | DESIRED | CURRENT | READY | AGE",
            wide: "CONTAINERS | IMAGES | SELECTOR",
            described: "0 current / 0 desired",
            patch: json!({"spec": {"minReadySeconds": 3}}),
            path: "{.spec.minReadySeconds}",
            expected: "3",
        },
        Kind {
            asked: "po",
            printed: "pod",
            object: pod("", json!({})),
            columns: "NAME | READY | STATUS | RESTARTS | AGE",
            wide: "IP | NODE | NOMINATED NODE | READINESS GATES",
            described: "9376/TCP",
            patch: json!({"spec": {"activeDeadlineSeconds": 600}}),
            path: "{.spec.activeDeadlineSeconds}",
            expected: "600",
        },
    ]
}
