//! Whom a request is passed on to: pure functions of its name and of what is stored.

use std::net::{IpAddr, SocketAddr};

use keelson_base_model::status::ApiError;
use keelson_proto::core::{EndpointAddress, Endpoints, Node, Pod, Service};

/// `name`, `name:port` or `scheme:name:port`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    /// A number, a name, or "".
    pub(super) port: &'a str,
    /// Whether https is asked for.
    pub(super) is_secure: bool,
}

// === impl Target ===

impl<'a> Target<'a> {
    /// Takes a name apart; None if it is malformed.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(':');
        let (scheme, name, port) = match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            (name, None, None, None) => ("", name, ""),
            (name, Some(port), None, None) => ("", name, port),
            (scheme, Some(name), Some(port), None) => (scheme, name, port),
            _ => return None,
        };
        let is_known = matches!(scheme, "" | "http" | "https");
        (is_known && !name.is_empty()).then_some(Self { name, port, is_secure: scheme == "https" })
    }

    /// The port of a pod: the one that is asked for, by number or name, or the first that its containers have.
    pub(super) fn port_of_pod(&self, pod: &Pod) -> Result<u16, ApiError> {
        let mut ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
        let found = match (self.port, self.port.parse::<u16>()) {
            ("", _) => ports.next().map(|port| port.container_port),
            (_, Ok(number)) => Some(number.into()),
            (name, Err(_)) => ports.find(|port| port.name == name).map(|port| port.container_port),
        };
        found.and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0).ok_or_else(|| {
            let what =
                if self.port.is_empty() { "no port".to_owned() } else { format!("no port {:?}", self.port) };
            ApiError::bad_request(format!("pod {} has {what}: name one by its number", self.name))
        })
    }

    /// The name that a service's port has in its endpoints.
    pub(super) fn port_of_service<'s>(&self, service: &'s Service) -> Result<&'s str, ApiError> {
        let ports = &service.spec.ports;
        let found = match (self.port, self.port.parse::<i32>(), ports.as_slice()) {
            ("", _, [only]) => Some(only),
            (_, Ok(number), _) => ports.iter().find(|port| port.port == number),
            (name, Err(_), _) => ports.iter().find(|port| port.name == name),
        };
        found.map(|port| port.name.as_str()).ok_or_else(|| {
            let why = format!("no service port {:?} found for service {:?}", self.port, self.name);
            ApiError::service_unavailable(why)
        })
    }

    /// The address of a node and its port that is asked for; None for that of its kubelet.
    pub(super) fn port_of_node<'n>(&self, node: &'n Node) -> Result<Option<(&'n str, u16)>, ApiError> {
        if self.port.is_empty() {
            return Ok(None);
        }
        let port = self.port.parse::<u16>().ok().filter(|port| *port != 0);
        let port =
            port.ok_or_else(|| ApiError::bad_request(format!("{:?} is no port of a node", self.port)))?;
        if node.status.daemon_endpoints.kubelet_endpoint.port == i32::from(port) {
            return Ok(None);
        }
        let internal = node.status.addresses.iter().find(|address| address.r#type == "InternalIP");
        let address = internal.ok_or_else(|| {
            ApiError::service_unavailable(format!(
                "node {} does not say where it is to be reached",
                self.name
            ))
        })?;
        Ok(Some((address.address.as_str(), port)))
    }
}

/// The addresses that are ready, and the number that the port of this name has there.
pub(super) fn ready<'e>(endpoints: &'e Endpoints, port: &str) -> Vec<(&'e EndpointAddress, u16)> {
    let found = endpoints.subsets.iter().flat_map(|subset| {
        let ports = subset.ports.iter().filter(move |known| known.name == port);
        let numbers = ports.filter_map(|known| u16::try_from(known.port).ok());
        numbers.flat_map(|number| subset.addresses.iter().map(move |address| (address, number)))
    });
    found.collect()
}

/// An address that api itself may be sent to: not api's own machine, nor what only its network's link can see.
pub(super) fn dialable(ip: &str, port: u16) -> Result<SocketAddr, ApiError> {
    let parsed: Option<IpAddr> = ip.parse().ok();
    let address = parsed.filter(|ip| {
        let is_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
            IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.to_ipv4_mapped().is_some(),
        };
        !(is_local || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast())
    });
    let refused =
        || ApiError::forbidden("", "", format!("address {ip} is not one that requests are passed on to"));
    address.map(|ip| SocketAddr::new(ip, port)).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::{
        Container, ContainerPort, EndpointPort, EndpointSubset, NodeAddress, ServicePort,
    };

    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let target = |name, port, is_secure| Some(Target { name, port, is_secure });
        for (text, expected) in [
            ("web", target("web", "", false)),
            ("web:80", target("web", "80", false)),
            ("web:http", target("web", "http", false)),
            ("http:web:80", target("web", "80", false)),
            ("https:web:", target("web", "", true)),
            ("https:web:443", target("web", "443", true)),
            ("ftp:web:21", None),
            ("a:b:c:d", None),
            (":80", None),
            ("", None),
        ] {
            assert_eq!(Target::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_pods_port_is_a_number_a_name_or_its_first() {
        let port = |name: &str, container_port| ContainerPort {
            name: name.into(),
            container_port,
            ..ContainerPort::default()
        };
        let mut pod = Pod::default();
        let bare = Target::parse("web").unwrap();
        assert_eq!(bare.port_of_pod(&pod).unwrap_err().code(), 400);
        let ports = vec![port("http", 8080), port("metrics", 9090)];
        pod.spec.containers = vec![Container::default(), Container { ports, ..Container::default() }];
        for (text, expected) in [
            ("web", Some(8080)),
            ("web:metrics", Some(9090)),
            ("web:1234", Some(1234)),
            ("web:0", None),
            ("web:other", None),
        ] {
            assert_eq!(Target::parse(text).unwrap().port_of_pod(&pod).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_services_port_is_known_by_its_name_in_the_endpoints() {
        let port = |name: &str, port| ServicePort { name: name.into(), port, ..ServicePort::default() };
        let mut service = Service::default();
        service.spec.ports = vec![port("", 80)];
        let found = |service: &Service, text: &str| {
            Target::parse(text).unwrap().port_of_service(service).map(str::to_owned).ok()
        };
        assert_eq!(found(&service, "s").as_deref(), Some(""));
        assert_eq!(found(&service, "s:80").as_deref(), Some(""));
        service.spec.ports = vec![port("http", 80), port("https", 443)];
        for (text, expected) in
            [("s", None), ("s:443", Some("https")), ("s:http", Some("http")), ("s:81", None), ("s:x", None)]
        {
            assert_eq!(found(&service, text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn only_what_is_ready_is_asked() {
        let address = |ip: &str| EndpointAddress { ip: ip.into(), ..EndpointAddress::default() };
        let port = |name: &str, port| EndpointPort { name: name.into(), port, ..EndpointPort::default() };
        let subsets = vec![
            EndpointSubset {
                addresses: vec![address("10.0.0.1"), address("10.0.0.2")],
                not_ready_addresses: vec![address("10.0.0.3")],
                ports: vec![port("http", 8080), port("metrics", 9090)],
            },
            EndpointSubset {
                addresses: vec![address("10.0.0.4")],
                ports: vec![port("http", 80)],
                ..EndpointSubset::default()
            },
        ];
        let endpoints = Endpoints { subsets, ..Endpoints::default() };
        let found = |name| {
            let ready = ready(&endpoints, name);
            ready.iter().map(|(address, port)| format!("{}:{port}", address.ip)).collect::<Vec<_>>()
        };
        assert_eq!(found("http"), ["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.4:80"]);
        assert_eq!(found("metrics"), ["10.0.0.1:9090", "10.0.0.2:9090"]);
        assert!(found("").is_empty());
    }

    #[test]
    fn a_nodes_other_ports_are_reached_by_its_address() {
        let mut node = Node::default();
        node.status.daemon_endpoints.kubelet_endpoint.port = 10250;
        let at = |node: &Node, text: &str| {
            Target::parse(text)
                .unwrap()
                .port_of_node(node)
                .map(|found| found.map(|(ip, port)| format!("{ip}:{port}")))
        };
        assert_eq!(at(&node, "n").unwrap(), None);
        assert_eq!(at(&node, "n:10250").unwrap(), None);
        assert_eq!(at(&node, "n:80").unwrap_err().code(), 503);
        assert_eq!(at(&node, "n:http").unwrap_err().code(), 400);
        node.status.addresses =
            vec![NodeAddress { r#type: "InternalIP".into(), address: "192.0.2.7".into() }];
        assert_eq!(at(&node, "n:80").unwrap().as_deref(), Some("192.0.2.7:80"));
    }

    #[test]
    fn api_is_not_sent_to_its_own_machine() {
        for (ip, ok) in [
            ("10.0.0.1", true),
            ("192.0.2.7", true),
            ("fd00::1", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("169.254.169.254", false),
            ("fe80::1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("nonsense", false),
        ] {
            assert_eq!(dialable(ip, 80).is_ok(), ok, "{ip}");
        }
    }
}
