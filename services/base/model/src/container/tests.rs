use serde_json::json;

use super::*;

fn mk_container(value: serde_json::Value) -> Container {
    let mut container = serde_json::from_value(value).unwrap();
    set_defaults(&mut container);
    container
}

#[test]
fn only_latest_images_are_pulled_always() {
    let table = [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("localhost:5000/nginx", "Always"),
        ("localhost:5000/nginx:1", "IfNotPresent"),
        ("localhost:5000/a/nginx:latest", "Always"),
        ("nginx@sha256:0123", "IfNotPresent"),
        ("nginx:1@sha256:0123", "IfNotPresent"),
        ("nginx:latest@sha256:0123", "Always"),
    ];
    for (image, policy) in table {
        assert_eq!(default_pull_policy(image), policy, "{image}");
    }
}

#[test]
fn a_bare_container_gets_its_defaults() {
    let container = mk_container(json!({
        "name": "a",
        "image": "nginx:1",
        "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "livenessProbe": {"httpGet": {"port": 80}},
        "resources": {"limits": {"memory": "1024Ki"}},
    }));
    assert_eq!(container.image_pull_policy, "IfNotPresent");
    assert_eq!(container.termination_message_path, "/dev/termination-log");
    assert_eq!(container.termination_message_policy, "File");
    assert_eq!(container.ports[0].protocol, "TCP");
    let field = container.env[0].value_from.as_ref().and_then(|from| from.field_ref.as_ref()).unwrap();
    assert_eq!(field.api_version, "v1");
    assert_eq!(container.liveness_probe.map(|probe| probe.period_seconds), Some(10));
    assert_eq!(container.resources.requests["memory"].string, "1Mi");
}

#[test]
fn ports_are_found_by_name_or_number() {
    let container = mk_container(json!({"name": "a", "ports": [{"name": "http", "containerPort": 8080}]}));
    let named = |name: &str| port_number(&container, &name.to_owned().into());
    assert_eq!((named("http"), named("https")), (Some(8080), None));
    assert_eq!(port_number(&container, &9090.into()), Some(9090));
    assert_eq!(port_number(&container, &0.into()), None);
    assert_eq!(port_number(&container, &70_000.into()), None);
}

#[test]
fn sidecars_and_privilege_are_told_apart() {
    assert!(is_sidecar(&mk_container(json!({"name": "a", "restartPolicy": "Always"}))));
    assert!(!is_sidecar(&mk_container(json!({"name": "a"}))));
    assert!(is_privileged(&mk_container(json!({"name": "a", "securityContext": {"privileged": true}}))));
    assert!(!is_privileged(&mk_container(json!({"name": "a", "securityContext": {}}))));
}

/// The faults of a pod whose container has these security settings.
fn security_faults(context: serde_json::Value) -> String {
    let pod = crate::fixtures::mk_pod_with(json!({"securityContext": context}), json!({}));
    crate::fixtures::text(&crate::pod::validate(&pod))
}

#[test]
fn security_settings_keep_their_rules() {
    let at = "spec.containers[0].securityContext";
    let table = [
        (json!({"runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}), String::new()),
        (
            json!({"procMount": "All"}),
            format!(
                "{at}.procMount: Unsupported value: \"All\": supported values: \"Default\", \"Unmasked\""
            ),
        ),
        (
            json!({"seccompProfile": {"type": "Localhost"}}),
            format!(
                "{at}.seccompProfile.localhostProfile: Required value: must be set when type is Localhost"
            ),
        ),
        (
            json!({"seccompProfile": {"type": "Unconfined", "localhostProfile": "a"}}),
            format!(
                "{at}.seccompProfile.localhostProfile: Invalid value: \"a\": can only be set when type is Localhost"
            ),
        ),
        (
            json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "../a"}}),
            format!("{at}.seccompProfile.localhostProfile: Invalid value: \"../a\": must not contain '..'"),
        ),
        (json!({"appArmorProfile": {}}), format!("{at}.appArmorProfile.type: Required value")),
        (
            json!({"allowPrivilegeEscalation": false, "capabilities": {"add": ["CAP_SYS_ADMIN"]}}),
            format!(
                "{at}: Invalid value: false: cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            ),
        ),
    ];
    for (context, expected) in table {
        assert_eq!(security_faults(context.clone()), expected, "{context}");
    }
}

#[test]
fn a_pods_sysctls_have_names_of_their_own() {
    let faults = |list: serde_json::Value| {
        let pod = crate::fixtures::mk_pod_with(json!({}), json!({"securityContext": {"sysctls": list}}));
        crate::fixtures::text(&crate::pod::validate(&pod))
    };
    let at = "spec.securityContext.sysctls";
    assert_eq!(faults(json!([{"name": "net.core.somaxconn", "value": "1"}])), "");
    assert_eq!(faults(json!([{"value": "1"}])), format!("{at}[0].name: Required value"));
    let twice = faults(json!([{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]));
    assert_eq!(twice, format!("{at}[1].name: Duplicate value: \"a\""));
    assert!(
        faults(json!([{"name": "A b", "value": "1"}])).starts_with(&format!("{at}[0].name: Invalid value"))
    );
}
