use std::collections::BTreeMap;

use keelson_proto::core::{
    EnvFromSource, ObjectFieldSelector, ResourceFieldSelector, SecretEnvSource, SecretKeySelector,
    ServicePort,
};

use super::*;

fn quantities(pairs: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), Quantity { string: (*text).to_owned() })).collect()
}

fn mk_pod() -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = "web-1".to_owned();
    pod.metadata.namespace = "shop".to_owned();
    pod.metadata.uid = "u-1".to_owned();
    pod.metadata.labels.insert("app".to_owned(), "web".to_owned());
    pod.metadata.annotations.insert("note".to_owned(), "hello".to_owned());
    pod.spec.node_name = "n1".to_owned();
    pod.spec.service_account_name = "robot".to_owned();
    pod
}

fn mk_service(namespace: &str, name: &str, ip: &str, ports: &[(&str, i32, &str)]) -> Arc<Service> {
    let mut service = Service::default();
    service.metadata.namespace = namespace.to_owned();
    service.metadata.name = name.to_owned();
    service.spec.cluster_ip = ip.to_owned();
    let port = |&(name, port, protocol): &(&str, i32, &str)| ServicePort {
        name: name.to_owned(),
        port,
        protocol: protocol.to_owned(),
        ..ServicePort::default()
    };
    service.spec.ports = ports.iter().map(port).collect();
    Arc::new(service)
}

fn literal(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: value.to_owned(), value_from: None }
}

fn field(name: &str, path: &str) -> EnvVar {
    let field_ref = ObjectFieldSelector { api_version: "v1".to_owned(), field_path: path.to_owned() };
    let value_from = Some(EnvVarSource { field_ref: Some(field_ref), ..EnvVarSource::default() });
    EnvVar { name: name.to_owned(), value: String::new(), value_from }
}

fn resource(name: &str, container: &str, resource: &str, divisor: &str) -> EnvVar {
    let selector = ResourceFieldSelector {
        container_name: container.to_owned(),
        resource: resource.to_owned(),
        divisor: Quantity { string: divisor.to_owned() },
    };
    let value_from = Some(EnvVarSource { resource_field_ref: Some(selector), ..EnvVarSource::default() });
    EnvVar { name: name.to_owned(), value: String::new(), value_from }
}

fn build_with(
    pod: &Pod,
    services: &[Arc<Service>],
    env: Vec<EnvVar>,
) -> Result<Vec<(String, String)>, EnvError> {
    let ips: Vec<IpAddr> = vec!["10.1.2.3".parse().unwrap(), "fd00::3".parse().unwrap()];
    let hosts: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap()];
    let allocatable = quantities(&[("cpu", "4"), ("memory", "8Gi")]);
    let context = Context { pod, services, pod_ips: &ips, host_ips: &hosts, allocatable: &allocatable };
    let mut container = Container { name: "c".to_owned(), env, ..Container::default() };
    container.resources.requests = quantities(&[("cpu", "250m"), ("memory", "100Mi")]);
    container.resources.limits = quantities(&[("memory", "200Mi")]);
    build(&container, &context)
}

fn one(variable: EnvVar) -> Result<String, EnvError> {
    build_with(&mk_pod(), &[], vec![variable]).map(|env| env[0].1.clone())
}

#[test]
fn a_pod_knows_its_fields() {
    let table = [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", "hello"),
        ("spec.nodeName", "n1"),
        ("spec.serviceAccountName", "robot"),
        ("status.podIP", "10.1.2.3"),
        ("status.podIPs", "10.1.2.3,fd00::3"),
        ("status.hostIP", "192.0.2.1"),
    ];
    for (path, expected) in table {
        assert_eq!(one(field("X", path)).as_deref(), Ok(expected), "{path}");
    }
    for path in ["metadata.labels", "metadata.labels[app]", "spec.hostname", ""] {
        let expected = EnvError::Field { variable: "X".to_owned(), path: path.to_owned() };
        assert_eq!(one(field("X", path)), Err(expected), "{path}");
    }
}

#[test]
fn a_container_knows_its_resources() {
    let table = [
        ("requests.cpu", "1m", "250"),
        ("requests.cpu", "", "1"),
        ("limits.memory", "1Mi", "200"),
        ("limits.memory", "", "209715200"),
        ("limits.cpu", "", "4"),
        ("requests.ephemeral-storage", "", "0"),
    ];
    for (name, divisor, expected) in table {
        assert_eq!(one(resource("X", "", name, divisor)).as_deref(), Ok(expected), "{name} {divisor}");
    }
    for (container, name) in [("other", "limits.cpu"), ("", "cpu"), ("", "usage.cpu")] {
        assert!(matches!(one(resource("X", container, name, "")), Err(EnvError::Resource { .. })), "{name}");
    }
}

#[test]
fn values_refer_to_services_and_to_what_stands_before_them() {
    let services = [mk_service("shop", "db", "10.0.0.5", &[("", 5432, "TCP")])];
    let env = vec![
        literal("URL", "pg://$(DB_SERVICE_HOST):$(DB_SERVICE_PORT)/$(LATER)"),
        literal("LATER", "x"),
        literal("URL2", "$(URL)?$(LATER)"),
        literal("DB_PORT", "mine"),
    ];
    let env = build_with(&mk_pod(), &services, env).unwrap();
    let get = |name: &str| env.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    assert_eq!(get("URL"), Some("pg://10.0.0.5:5432/$(LATER)"));
    assert_eq!(get("URL2"), Some("pg://10.0.0.5:5432/$(LATER)?x"));
    assert_eq!(get("DB_PORT"), Some("mine"), "the container's own value wins");
    let names: Vec<_> = env.iter().map(|(name, _)| name).collect();
    let unique: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(names.len(), unique.len(), "every name once");
}

#[test]
fn services_become_variables() {
    let services = [
        mk_service("default", "kubernetes", "10.0.0.1", &[("https", 443, "TCP")]),
        mk_service("shop", "my-db", "10.0.0.5", &[("main", 5432, "TCP"), ("side-door", 53, "UDP")]),
        mk_service("shop", "headless", "None", &[("", 80, "TCP")]),
        mk_service("elsewhere", "other", "10.0.0.9", &[("", 80, "TCP")]),
    ];
    let env = build_with(&mk_pod(), &services, Vec::new()).unwrap();
    let pairs: Vec<(&str, &str)> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(
        pairs,
        [
            ("KUBERNETES_PORT", "tcp://10.0.0.1:443"),
            ("KUBERNETES_PORT_443_TCP", "tcp://10.0.0.1:443"),
            ("KUBERNETES_PORT_443_TCP_ADDR", "10.0.0.1"),
            ("KUBERNETES_PORT_443_TCP_PORT", "443"),
            ("KUBERNETES_PORT_443_TCP_PROTO", "tcp"),
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("KUBERNETES_SERVICE_PORT", "443"),
            ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
            ("MY_DB_PORT", "tcp://10.0.0.5:5432"),
            ("MY_DB_PORT_53_UDP", "udp://10.0.0.5:53"),
            ("MY_DB_PORT_53_UDP_ADDR", "10.0.0.5"),
            ("MY_DB_PORT_53_UDP_PORT", "53"),
            ("MY_DB_PORT_53_UDP_PROTO", "udp"),
            ("MY_DB_PORT_5432_TCP", "tcp://10.0.0.5:5432"),
            ("MY_DB_PORT_5432_TCP_ADDR", "10.0.0.5"),
            ("MY_DB_PORT_5432_TCP_PORT", "5432"),
            ("MY_DB_PORT_5432_TCP_PROTO", "tcp"),
            ("MY_DB_SERVICE_HOST", "10.0.0.5"),
            ("MY_DB_SERVICE_PORT", "5432"),
            ("MY_DB_SERVICE_PORT_MAIN", "5432"),
            ("MY_DB_SERVICE_PORT_SIDE_DOOR", "53"),
        ]
    );
    let mut pod = mk_pod();
    pod.spec.enable_service_links = Some(false);
    let env = build_with(&pod, &services, Vec::new()).unwrap();
    assert!(env.iter().all(|(name, _)| name.starts_with("KUBERNETES_")), "{env:?}");
}

#[test]
fn what_cannot_be_read_is_an_error_unless_optional() {
    let secret = |optional| {
        let key = SecretKeySelector { optional, ..SecretKeySelector::default() };
        let value_from = Some(EnvVarSource { secret_key_ref: Some(key), ..EnvVarSource::default() });
        EnvVar { name: "S".to_owned(), value: String::new(), value_from }
    };
    let refused = EnvError::Unsupported { variable: "S".to_owned(), source_kind: "secretKeyRef" };
    assert_eq!(build_with(&mk_pod(), &[], vec![secret(None)]), Err(refused));
    assert_eq!(build_with(&mk_pod(), &[], vec![secret(Some(true))]), Ok(Vec::new()));
    let from = |optional| EnvFromSource {
        secret_ref: Some(SecretEnvSource { optional, ..SecretEnvSource::default() }),
        ..EnvFromSource::default()
    };
    let pod = mk_pod();
    let context =
        Context { pod: &pod, services: &[], pod_ips: &[], host_ips: &[], allocatable: &BTreeMap::new() };
    let container = |from| Container { env_from: vec![from], ..Container::default() };
    assert!(build(&container(from(None)), &context).is_err());
    assert_eq!(build(&container(from(Some(true))), &context), Ok(Vec::new()));
}
