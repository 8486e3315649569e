use std::collections::BTreeMap;

use keelson_proto::core::{
    ConfigMap, ConfigMapEnvSource, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector, Secret,
    SecretEnvSource, ServicePort,
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

fn mk_objects() -> Objects {
    let mut map = ConfigMap::default();
    map.data = [("color", "blue"), ("9lives", "cat")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let mut secret = Secret::default();
    secret.data.insert("password".to_owned(), b"$(color)".to_vec());
    secret.data.insert("bad=key".to_owned(), Vec::new());
    Objects {
        config_maps: [("m".to_owned(), Arc::new(map))].into(),
        secrets: [("s".to_owned(), Arc::new(secret))].into(),
        ..Objects::default()
    }
}

fn build_with(
    pod: &Pod,
    services: &[Arc<Service>],
    env: Vec<EnvVar>,
) -> Result<Vec<(String, String)>, EnvError> {
    let container = Container { name: "c".to_owned(), env, ..Container::default() };
    build_container(pod, services, container).map(|environment| environment.variables)
}

fn build_container(
    pod: &Pod,
    services: &[Arc<Service>],
    mut container: Container,
) -> Result<Environment, EnvError> {
    let ips: Vec<IpAddr> = vec!["10.1.2.3".parse().unwrap(), "fd00::3".parse().unwrap()];
    let hosts: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap()];
    let allocatable = quantities(&[("cpu", "4"), ("memory", "8Gi")]);
    let objects = mk_objects();
    let context = Context {
        pod,
        services,
        objects: &objects,
        pod_ips: &ips,
        host_ips: &hosts,
        allocatable: &allocatable,
    };
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

fn map_key(variable: &str, name: &str, key: &str, optional: Option<bool>) -> EnvVar {
    let mut selector = ConfigMapKeySelector { key: key.to_owned(), optional, ..Default::default() };
    selector.local_object_reference.name = name.to_owned();
    let value_from = Some(EnvVarSource { config_map_key_ref: Some(selector), ..EnvVarSource::default() });
    EnvVar { name: variable.to_owned(), value: String::new(), value_from }
}

fn secret_key(variable: &str, name: &str, key: &str, optional: Option<bool>) -> EnvVar {
    let mut selector = SecretKeySelector { key: key.to_owned(), optional, ..Default::default() };
    selector.local_object_reference.name = name.to_owned();
    let value_from = Some(EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() });
    EnvVar { name: variable.to_owned(), value: String::new(), value_from }
}

fn from_map(prefix: &str, name: &str, optional: Option<bool>) -> EnvFromSource {
    let mut source = ConfigMapEnvSource { optional, ..Default::default() };
    source.local_object_reference.name = name.to_owned();
    EnvFromSource { prefix: prefix.to_owned(), config_map_ref: Some(source), secret_ref: None }
}

fn from_secret(prefix: &str, name: &str) -> EnvFromSource {
    let mut source = SecretEnvSource::default();
    source.local_object_reference.name = name.to_owned();
    EnvFromSource { prefix: prefix.to_owned(), config_map_ref: None, secret_ref: Some(source) }
}

#[test]
fn entries_of_config_maps_and_secrets_are_values_as_they_are() {
    assert_eq!(one(map_key("X", "m", "color", None)).as_deref(), Ok("blue"));
    assert_eq!(one(secret_key("X", "s", "password", None)).as_deref(), Ok("$(color)"), "never expanded");
}

#[test]
fn what_is_missing_is_an_error_in_kubernetes_words_unless_optional() {
    let table = [
        (map_key("X", "none", "color", None), "configmap \"none\" not found"),
        (map_key("X", "m", "none", None), "couldn't find key none in ConfigMap shop/m"),
        (map_key("X", "m", "none", Some(false)), "couldn't find key none in ConfigMap shop/m"),
        (secret_key("X", "none", "password", None), "secret \"none\" not found"),
        (secret_key("X", "s", "none", None), "couldn't find key none in Secret shop/s"),
    ];
    for (variable, expected) in table {
        assert_eq!(one(variable).unwrap_err().to_string(), expected);
    }
    for variable in [
        map_key("X", "none", "color", Some(true)),
        map_key("X", "m", "none", Some(true)),
        secret_key("X", "none", "x", Some(true)),
        secret_key("X", "s", "none", Some(true)),
    ] {
        assert_eq!(build_with(&mk_pod(), &[], vec![variable]), Ok(Vec::new()));
    }
}

#[test]
fn whole_objects_come_between_services_and_the_containers_own() {
    let container = Container {
        env_from: vec![
            from_map("", "m", None),
            from_map("P_", "m", None),
            from_secret("", "s"),
            from_map("", "none", Some(true)),
        ],
        env: vec![literal("color", "red and $(color)"), literal("SEEN", "$(P_color)")],
        ..Container::default()
    };
    let environment = build_container(&mk_pod(), &[], container).unwrap();
    let pairs: Vec<_> = environment.variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let expected = [
        ("9lives", "cat"),
        ("P_9lives", "cat"),
        ("P_color", "blue"),
        ("password", "$(color)"),
        ("color", "red and blue"),
        ("SEEN", "blue"),
    ];
    assert_eq!(pairs, expected);
    let skipped = Skipped { kind: "secret", name: "s".to_owned(), keys: vec!["bad=key".to_owned()] };
    assert_eq!(environment.skipped, [skipped], "the others are taken");
    let missing = Container { env_from: vec![from_map("", "none", None)], ..Container::default() };
    let error = build_container(&mk_pod(), &[], missing).unwrap_err();
    assert_eq!(error.to_string(), "configmap \"none\" not found");
}
