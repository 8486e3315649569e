//! Secrets, config maps, service accounts and quotas as kubectl makes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keelson_tests::assert_eventually;
use serde_json::json;

use super::{pod, with_some_kubectls};

/// A certificate and its key, for nobody.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUJmUVq9l7o1qI0XqZl3V8c1XJm7kwCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----
";

#[test]
fn secrets_of_every_type() {
    with_some_kubectls(|kubectl| {
        let made = kubectl.ok("create secret generic door --from-literal=code=1234 --from-literal=user=ann");
        assert_eq!(made, "secret/door created\n");
        let door = kubectl.json("get secret door");
        assert_eq!((&door["type"], &door["data"]["code"]), (&json!("Opaque"), &json!("MTIzNA==")));
        let text = kubectl.ok("describe secret door");
        assert!(text.contains("code:  4 bytes") && !text.contains("1234"), "{text}");
        let again = kubectl.fails("create secret generic door");
        assert!(again.contains("secrets \"door\" already exists"), "{again}");

        let registry = "create secret docker-registry pull --docker-server=r.example.com --docker-username=ann --docker-password=hush";
        assert_eq!(kubectl.ok(registry), "secret/pull created\n");
        let pull = kubectl.json("get secret pull");
        assert_eq!(pull["type"], "kubernetes.io/dockerconfigjson");
        assert!(pull["data"][".dockerconfigjson"].is_string(), "{pull}");

        // kubectl looks into the pair of a TLS secret itself; the server only for its keys.
        let tls = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "site"}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": CERTIFICATE},
        });
        let refused = kubectl.run("create -f -", &tls.to_string()).fails();
        assert!(refused.contains("data[tls.key]: Required value"), "{refused}");

        let table = kubectl.table("get secrets --field-selector=type=Opaque");
        assert_eq!(table.names(), ["door"]);
        assert_eq!((table.cell("door", "TYPE"), table.cell("door", "DATA")), ("Opaque", "2"));
        let retyped = kubectl.fails(r#"patch secret door --type=merge -p '{"type":"kubernetes.io/tls"}'"#);
        assert!(
            retyped.contains("type: Invalid value: \"kubernetes.io/tls\": field is immutable"),
            "{retyped}"
        );
        kubectl.ok(r#"patch secret door -p '{"immutable":true}'"#);
        let changed = kubectl.fails(r#"patch secret door -p '{"stringData":{"code":"5678"}}'"#);
        assert!(changed.contains("data: Forbidden: field is immutable when `immutable` is set"), "{changed}");
        assert!(!changed.contains("5678"), "what a secret holds is in an error: {changed}");
    });
}

#[test]
fn a_pair_of_certificate_and_key() {
    with_some_kubectls(|kubectl| {
        // Any pair will do: kubectl's own.
        let dir = tempfile::tempdir().unwrap();
        let part = |name: &str| {
            let path = format!("{{.users[0].user.{name}-data}}");
            let text = kubectl.ok(&format!("config view --raw --minify -o jsonpath={path}"));
            let file = dir.path().join(name);
            std::fs::write(&file, STANDARD.decode(text).unwrap()).unwrap();
            file
        };
        let (crt, key) = (part("client-certificate"), part("client-key"));
        kubectl.ok(&format!("create secret tls site --cert={} --key={}", crt.display(), key.display()));
        let site = kubectl.json("get secret site");
        assert_eq!(site["type"], "kubernetes.io/tls");
        assert_eq!(site["data"].as_object().unwrap().len(), 2);
    });
}

#[test]
fn config_maps_from_files_and_literals() {
    with_some_kubectls(|kubectl| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("app.conf"), "colour = red\n").unwrap();
        std::fs::write(dir.path().join("logo"), [0xff, 0x00, 0xfe]).unwrap();
        let made = kubectl.ok(&format!(
            "create configmap app --from-file={} --from-literal=level=debug",
            dir.path().display()
        ));
        assert_eq!(made, "configmap/app created\n");
        let map = kubectl.json("get cm app");
        assert_eq!(map["data"], json!({"app.conf": "colour = red\n", "level": "debug"}));
        assert_eq!(map["binaryData"], json!({"logo": "/wD+"}));
        assert_eq!(kubectl.table("get cm").cell("app", "DATA"), "3");
        let text = kubectl.ok("describe cm app");
        assert!(text.contains("colour = red"), "{text}");
        // kubectl 1.20 knows nothing of bytes.
        assert!(kubectl.kubectl.minor <= 20 || text.contains("logo: 3 bytes"), "{text}");
        let bad = kubectl.fails(r#"patch cm app --type=merge -p '{"data":{"a/b":"x"}}'"#);
        assert!(bad.contains("data[a/b]: Invalid value: \"a/b\": a valid config key"), "{bad}");
        let twice = kubectl.fails(r#"patch cm app --type=merge -p '{"data":{"logo":"x"}}'"#);
        assert!(twice.contains("duplicate of key present in binaryData"), "{twice}");
    });
}

#[test]
fn accounts_quotas_and_limits() {
    with_some_kubectls(|kubectl| {
        assert_eq!(kubectl.ok("create sa robot"), "serviceaccount/robot created\n");
        assert_eq!(kubectl.table("get sa robot").cell("robot", "SECRETS"), "0");
        let text = kubectl.ok("describe sa robot");
        assert!(text.contains("robot") && text.contains("<none>"), "{text}");

        let quota = kubectl.ok("create quota small --hard=pods=2,limits.cpu=4");
        assert_eq!(quota, "resourcequota/small created\n");
        let mut one = pod("one", json!({}));
        one["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "1"}});
        kubectl.ok_with("create -f -", &one.to_string());
        assert_eventually!(
            kubectl.table("get quota").cell("small", "REQUEST") == "pods: 1/2",
            "{}",
            kubectl.ok("get quota small -o yaml")
        );
        assert_eq!(kubectl.table("get quota").cell("small", "LIMIT"), "limits.cpu: 1/4");
        let text = kubectl.ok("describe quota small");
        assert!(text.contains("pods        1     2"), "{text}");
        let refused = kubectl.fails("create quota wrong --hard=shoes=2");
        assert!(refused.contains("spec.hard[shoes]: Invalid value: \"shoes\""), "{refused}");
    });
}

#[test]
fn a_volume_keeps_its_source_and_a_claim_its_size() {
    with_some_kubectls(|kubectl| {
        let name = format!("disk-{}", kubectl.namespace);
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "nfs": {"server": "s", "path": "/p"}},
        });
        kubectl.ok_with("create -f -", &volume.to_string());
        let table = kubectl.table(&format!("get pv {name}"));
        assert_eq!(table.cell(&name, "STATUS"), "Pending");
        assert_eq!(table.cell(&name, "ACCESS MODES"), "RWO");
        let moved = kubectl.fails(&format!(
            "patch pv {name} --type=merge -p '{{\"spec\":{{\"nfs\":{{\"path\":\"/q\"}}}}}}'"
        ));
        assert!(moved.contains("spec.persistentvolumesource is immutable after creation"), "{moved}");
        kubectl.ok(&format!("delete pv {name}"));

        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        kubectl.ok_with("create -f -", &claim.to_string());
        let grown = kubectl.fails(
            r#"patch pvc data --type=merge -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}'"#,
        );
        assert!(grown.contains("spec is immutable after creation except resources.requests"), "{grown}");
        assert_eq!(kubectl.table("get pvc").cell("data", "STATUS"), "Pending");
    });
}
