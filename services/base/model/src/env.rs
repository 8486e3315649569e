//! The environment of containers: variables that name the services, and `$(NAME)` in texts.

use keelson_proto::core::{Service, ServicePort};

use crate::service;

/// The variables that tell a container of each service with an address: `<NAME>_SERVICE_HOST`,
/// `<NAME>_SERVICE_PORT`, `<NAME>_SERVICE_PORT_<PORT>`, and the forms of Docker's links. Sorted by service, so
/// that equal services give equal environments.
pub fn of_services<'a>(services: impl IntoIterator<Item = &'a Service>) -> Vec<(String, String)> {
    let mut services: Vec<_> = services.into_iter().filter(|one| service::has_cluster_ip(one)).collect();
    services.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    services.into_iter().flat_map(of_service).collect()
}

fn of_service(service: &Service) -> Vec<(String, String)> {
    let name = variable_name(&service.metadata.name);
    let host = service.spec.cluster_ip.as_str();
    let mut vars = vec![(format!("{name}_SERVICE_HOST"), host.to_owned())];
    if let Some(first) = service.spec.ports.first() {
        vars.push((format!("{name}_SERVICE_PORT"), first.port.to_string()));
    }
    for port in service.spec.ports.iter().filter(|port| !port.name.is_empty()) {
        vars.push((format!("{name}_SERVICE_PORT_{}", variable_name(&port.name)), port.port.to_string()));
    }
    for (index, port) in service.spec.ports.iter().enumerate() {
        link(&name, host, port, index == 0, &mut vars);
    }
    vars
}

/// The variables that Docker sets for a linked container.
fn link(name: &str, host: &str, port: &ServicePort, is_first: bool, vars: &mut Vec<(String, String)>) {
    let protocol = if port.protocol.is_empty() { "TCP" } else { &port.protocol };
    let lower = protocol.to_lowercase();
    let address =
        if host.contains(':') { format!("[{host}]:{}", port.port) } else { format!("{host}:{}", port.port) };
    let url = format!("{lower}://{address}");
    let prefix = format!("{name}_PORT_{}_{}", port.port, protocol.to_uppercase());
    if is_first {
        vars.push((format!("{name}_PORT"), url.clone()));
    }
    vars.push((prefix.clone(), url));
    vars.push((format!("{prefix}_PROTO"), lower));
    vars.push((format!("{prefix}_PORT"), port.port.to_string()));
    vars.push((format!("{prefix}_ADDR"), host.to_owned()));
}

fn variable_name(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// The text with each `$(NAME)` replaced by the variable's value. An unknown name stays as it is written, and
/// `$$` stands for one `$`, so that `$$(NAME)` is never replaced.
pub fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match lookup(name) {
                Some(value) => expanded.push_str(&value),
                None => expanded.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::ServiceSpec;
    use keelson_proto::meta::ObjectMeta;

    use super::*;

    fn mk_service(name: &str, ip: &str, ports: &[(&str, i32, &str)]) -> Service {
        let port = |(name, port, protocol): &(&str, i32, &str)| ServicePort {
            name: (*name).to_owned(),
            port: *port,
            protocol: (*protocol).to_owned(),
            ..ServicePort::default()
        };
        Service {
            metadata: ObjectMeta { name: name.to_owned(), ..ObjectMeta::default() },
            spec: ServiceSpec {
                cluster_ip: ip.to_owned(),
                ports: ports.iter().map(port).collect(),
                ..ServiceSpec::default()
            },
            ..Service::default()
        }
    }

    #[test]
    fn a_service_gives_the_variables_of_both_styles() {
        let service = mk_service("redis-master", "10.0.0.11", &[("db", 6379, "TCP"), ("stats", 80, "UDP")]);
        let vars: Vec<_> =
            of_services([&service]).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected = [
            "REDIS_MASTER_SERVICE_HOST=10.0.0.11",
            "REDIS_MASTER_SERVICE_PORT=6379",
            "REDIS_MASTER_SERVICE_PORT_DB=6379",
            "REDIS_MASTER_SERVICE_PORT_STATS=80",
            "REDIS_MASTER_PORT=tcp://10.0.0.11:6379",
            "REDIS_MASTER_PORT_6379_TCP=tcp://10.0.0.11:6379",
            "REDIS_MASTER_PORT_6379_TCP_PROTO=tcp",
            "REDIS_MASTER_PORT_6379_TCP_PORT=6379",
            "REDIS_MASTER_PORT_6379_TCP_ADDR=10.0.0.11",
            "REDIS_MASTER_PORT_80_UDP=udp://10.0.0.11:80",
            "REDIS_MASTER_PORT_80_UDP_PROTO=udp",
            "REDIS_MASTER_PORT_80_UDP_PORT=80",
            "REDIS_MASTER_PORT_80_UDP_ADDR=10.0.0.11",
        ];
        assert_eq!(vars, expected);
    }

    #[test]
    fn a_service_without_an_address_is_not_mentioned() {
        let services = [mk_service("a", "None", &[("", 80, "TCP")]), mk_service("b", "", &[("", 80, "TCP")])];
        assert!(of_services(&services).is_empty());
    }

    #[test]
    fn services_come_sorted() {
        let services = [mk_service("b", "10.0.0.2", &[]), mk_service("a", "10.0.0.1", &[])];
        let names: Vec<_> = of_services(&services).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["A_SERVICE_HOST", "B_SERVICE_HOST"]);
    }

    #[test]
    fn an_ipv6_address_is_bracketed_in_urls() {
        let vars = of_services(&[mk_service("a", "fd00::1", &[("", 80, "TCP")])]);
        assert!(vars.contains(&("A_PORT".to_owned(), "tcp://[fd00::1]:80".to_owned())));
        assert!(vars.contains(&("A_PORT_80_TCP_ADDR".to_owned(), "fd00::1".to_owned())));
    }

    #[test]
    fn names_are_replaced_as_kubernetes_does() {
        let lookup = |name: &str| match name {
            "A" => Some("a".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("$(A)".to_owned()),
            _ => None,
        };
        let table = [
            ("", ""),
            ("plain", "plain"),
            ("$(A)", "a"),
            ("x$(A)y$(A)z", "xayaz"),
            ("$(EMPTY)", ""),
            ("$(NESTED)", "$(A)"),
            ("$(B)", "$(B)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$a"),
            ("$$$$(A)", "$$(A)"),
            ("$A", "$A"),
            ("${A}", "${A}"),
            ("$(A", "$(A"),
            ("$", "$"),
            ("$$", "$"),
            ("a$", "a$"),
            ("$($(A)", "$($(A)"),
            ("é$(A)ü", "éaü"),
            ("$()", "$()"),
        ];
        for (text, expected) in table {
            assert_eq!(expand(text, lookup), expected, "{text}");
        }
    }
}
