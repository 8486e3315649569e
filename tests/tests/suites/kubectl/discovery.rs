//! What kubectl learns about the server: kinds, versions, fields.

use super::with_every_kubectl;

#[test]
fn the_kinds_and_versions_there_are() {
    with_every_kubectl(|kubectl| {
        let resources = kubectl.ok("api-resources --no-headers");
        for (name, short, kind) in [
            ("pods", "po", "Pod"),
            ("services", "svc", "Service"),
            ("replicationcontrollers", "rc", "ReplicationController"),
            ("endpoints", "ep", "Endpoints"),
            ("nodes", "no", "Node"),
            ("namespaces", "ns", "Namespace"),
            ("events", "ev", "Event"),
            ("configmaps", "cm", "ConfigMap"),
            ("serviceaccounts", "sa", "ServiceAccount"),
            ("limitranges", "limits", "LimitRange"),
            ("resourcequotas", "quota", "ResourceQuota"),
            ("persistentvolumes", "pv", "PersistentVolume"),
            ("persistentvolumeclaims", "pvc", "PersistentVolumeClaim"),
        ] {
            let words = |line: &&str| line.split_whitespace().next() == Some(name);
            let line = resources.lines().find(words).unwrap_or_else(|| panic!("no {name} in\n{resources}"));
            assert!(line.contains(&format!(" {short} ")) && line.trim_end().ends_with(kind), "{line}");
            assert!(line.contains(" v1 "), "{line}");
        }
        let cluster_wide = kubectl.ok("api-resources --namespaced=false -o name");
        let mut names: Vec<&str> = cluster_wide.lines().collect();
        names.sort_unstable();
        let expected = [
            "clusterrolebindings.rbac.authorization.k8s.io",
            "clusterroles.rbac.authorization.k8s.io",
            "componentstatuses",
            "namespaces",
            "nodes",
            "persistentvolumes",
            "selfsubjectaccessreviews.authorization.k8s.io",
            "selfsubjectreviews.authentication.k8s.io",
            "selfsubjectrulesreviews.authorization.k8s.io",
            "subjectaccessreviews.authorization.k8s.io",
            "tokenreviews.authentication.k8s.io",
        ];
        assert_eq!(names, expected);
        let versions = kubectl.ok("api-versions");
        assert!(versions.lines().any(|line| line == "v1"), "{versions}");
        assert!(versions.lines().any(|line| line == "coordination.k8s.io/v1"), "{versions}");
        assert!(versions.lines().any(|line| line == "discovery.k8s.io/v1"), "{versions}");
    });
}

#[test]
fn the_servers_version_and_addresses() {
    with_every_kubectl(|kubectl| {
        let version = kubectl.json("version");
        assert_eq!(version["serverVersion"]["major"], "1");
        assert!(version["serverVersion"]["gitVersion"].as_str().unwrap().starts_with("v1."), "{version}");
        let info = kubectl.ok("cluster-info");
        let server = kubectl.ok("config view --minify -o jsonpath={.clusters[0].cluster.server}");
        assert!(info.contains("is running at") && info.contains(&server), "{info}");
        assert_eq!(kubectl.ok("get --raw /healthz"), "ok");
    });
}

#[test]
fn fields_are_explained() {
    with_every_kubectl(|kubectl| {
        let pod = kubectl.ok("explain pod");
        assert!(pod.contains("Pod") && pod.contains("spec") && pod.contains("status"), "{pod}");
        let name = kubectl.ok("explain pod.spec.containers.name");
        assert!(name.contains("string") && name.contains("name"), "{name}");
        let ports = kubectl.ok("explain service.spec.ports");
        assert!(ports.contains("targetPort"), "{ports}");
        let slice = kubectl.ok("explain endpointslice.endpoints.conditions");
        assert!(slice.contains("serving") && slice.contains("terminating"), "{slice}");
        let claim = kubectl.ok("explain pvc.spec.resources");
        assert!(claim.contains("requests"), "{claim}");
        let all = kubectl.ok("explain replicationcontroller.spec --recursive");
        assert!(all.contains("replicas") && all.contains("terminationGracePeriodSeconds"), "{all}");
        let absent = kubectl.fails("explain pod.spec.colour");
        assert!(absent.contains("colour"), "{absent}");
    });
}

#[test]
fn fields_that_do_not_exist_are_refused() {
    with_every_kubectl(|kubectl| {
        let wrong = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"colour":"red","containers":[{"name":"main","image":"x"}]}}"#;
        let refused = kubectl.run("create -f -", wrong).fails();
        assert!(refused.contains("colour"), "{refused}");
        assert_eq!(kubectl.ok("get pods -o name"), "");
        assert_eq!(kubectl.ok_with("create --validate=false -f -", wrong), "pod/web created\n");
    });
}
