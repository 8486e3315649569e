use keelson_proto::core::{EndpointPort, EndpointSubset, ServicePort};

use super::*;

fn service(name: &str, cluster_ip: &str, ports: &[(&str, &str, i32)]) -> Service {
    let mut service = Service::default();
    service.metadata.name = name.to_owned();
    service.metadata.namespace = "default".to_owned();
    service.spec.cluster_ip = cluster_ip.to_owned();
    let port = |(name, protocol, port): &(&str, &str, i32)| ServicePort {
        name: (*name).to_owned(),
        protocol: (*protocol).to_owned(),
        port: *port,
        ..ServicePort::default()
    };
    service.spec.ports = ports.iter().map(port).collect();
    service
}

fn endpoints(name: &str, addresses: &[(&str, &str)], port: (&str, &str, i32)) -> Endpoints {
    let mut endpoints = Endpoints::default();
    endpoints.metadata.name = name.to_owned();
    endpoints.metadata.namespace = "default".to_owned();
    let address = |(ip, hostname): &(&str, &str)| EndpointAddress {
        ip: (*ip).to_owned(),
        hostname: (*hostname).to_owned(),
        ..EndpointAddress::default()
    };
    let (name, protocol, number) = port;
    endpoints.subsets = vec![EndpointSubset {
        addresses: addresses.iter().map(address).collect(),
        not_ready_addresses: vec![address(&("10.1.0.99", ""))],
        ports: vec![EndpointPort {
            name: name.to_owned(),
            protocol: protocol.to_owned(),
            port: number,
            ..EndpointPort::default()
        }],
    }];
    endpoints
}

/// A service with an address, a headless one of two pods, one of which has a name, and an alias.
pub(in crate::dns) fn zone() -> Zone {
    let mut alias = service("db", "", &[]);
    alias.spec.r#type = "ExternalName".to_owned();
    alias.spec.external_name = "db.example.org.".to_owned();
    let services = [
        service("web", "10.96.0.7", &[("http", "TCP", 80), ("dns", "UDP", 53)]),
        service("peers", "None", &[("gossip", "TCP", 7000)]),
        service("none", "None", &[]),
        alias,
    ];
    let endpoints = [
        endpoints("peers", &[("10.1.0.2", "first"), ("10.1.0.3", "")], ("gossip", "TCP", 7000)),
        endpoints("web", &[("10.1.0.2", "")], ("http", "TCP", 8080)),
    ];
    Zone::new("Cluster.local.", Cache::indexed(services, cluster_ip), Cache::indexed(endpoints, hostnames))
}

fn find(name: &str, wanted: Wanted) -> Found {
    zone().find(&name.split('.').collect::<Vec<_>>(), wanted)
}

/// Answers and what follows, as text; what kind of nothing there is otherwise.
fn shown(name: &str, wanted: Wanted) -> String {
    let record = |record: &Record| {
        let name = record.name.strip_suffix(".cluster.local").unwrap_or(&record.name).to_owned();
        match &record.data {
            Data::A(ip) => format!("{name} A {ip}"),
            Data::Srv { port, target } => format!("{name} SRV {port} {target}"),
            Data::Ptr(target) => format!("{name} PTR {target}"),
            Data::Txt(text) => format!("{name} TXT {text}"),
            Data::Cname(target) => format!("{name} CNAME {target}"),
            Data::Soa => format!("{name} SOA"),
            Data::Ns(server) => format!("{name} NS {server}"),
        }
    };
    match find(name, wanted) {
        Found::Elsewhere => "elsewhere".to_owned(),
        Found::NoName => "no name".to_owned(),
        Found::Name { answers, further } if answers.is_empty() && further.is_empty() => "nothing".to_owned(),
        Found::Name { answers, further } => {
            let mut text: Vec<_> = answers.iter().map(record).collect();
            if !further.is_empty() {
                text.push(format!("+ {}", further.iter().map(record).collect::<Vec<_>>().join(", ")));
            }
            text.join(", ")
        }
    }
}

#[test]
fn names_have_the_records_that_the_specification_gives_them() {
    use Wanted::{A, Any, Other, Ptr, Srv, Txt};

    for (name, wanted, expected) in [
        ("web.default.svc.cluster.local", A, "web.default.svc A 10.96.0.7"),
        ("web.default.svc.cluster.local", Any, "web.default.svc A 10.96.0.7"),
        ("web.default.svc.cluster.local", Other, "nothing"),
        (
            "_http._tcp.web.default.svc.cluster.local",
            Srv,
            "_http._tcp.web.default.svc SRV 80 web.default.svc.cluster.local, + web.default.svc A 10.96.0.7",
        ),
        ("_http._udp.web.default.svc.cluster.local", Srv, "no name"),
        ("_http._tcp.web.default.svc.cluster.local", A, "nothing"),
        ("10-1-0-2.web.default.svc.cluster.local", A, "10-1-0-2.web.default.svc A 10.1.0.2"),
        ("peers.default.svc.cluster.local", A, "peers.default.svc A 10.1.0.2, peers.default.svc A 10.1.0.3"),
        ("first.peers.default.svc.cluster.local", A, "first.peers.default.svc A 10.1.0.2"),
        ("10-1-0-3.peers.default.svc.cluster.local", A, "10-1-0-3.peers.default.svc A 10.1.0.3"),
        ("10-1-0-99.peers.default.svc.cluster.local", A, "no name"),
        ("second.peers.default.svc.cluster.local", A, "no name"),
        (
            "_gossip._tcp.peers.default.svc.cluster.local",
            Srv,
            "_gossip._tcp.peers.default.svc SRV 7000 first.peers.default.svc.cluster.local, \
             _gossip._tcp.peers.default.svc SRV 7000 10-1-0-3.peers.default.svc.cluster.local, \
             + 10-1-0-3.peers.default.svc A 10.1.0.3, first.peers.default.svc A 10.1.0.2",
        ),
        ("none.default.svc.cluster.local", A, "nothing"),
        ("db.default.svc.cluster.local", A, "db.default.svc CNAME db.example.org"),
        ("x.db.default.svc.cluster.local", A, "no name"),
        ("gone.default.svc.cluster.local", A, "no name"),
        ("web.other.svc.cluster.local", A, "no name"),
        ("default.svc.cluster.local", A, "nothing"),
        ("other.svc.cluster.local", A, "no name"),
        ("svc.cluster.local", A, "nothing"),
        ("ns.dns.cluster.local", A, "nothing"),
        ("nonsense.cluster.local", A, "no name"),
        ("10-1-0-9.default.pod.cluster.local", A, "10-1-0-9.default.pod A 10.1.0.9"),
        ("web.default.pod.cluster.local", A, "no name"),
        ("dns-version.cluster.local", Txt, "dns-version TXT 1.1.0"),
        ("7.0.96.10.in-addr.arpa", Ptr, "7.0.96.10.in-addr.arpa PTR web.default.svc.cluster.local"),
        ("2.0.1.10.in-addr.arpa", Ptr, "2.0.1.10.in-addr.arpa PTR first.peers.default.svc.cluster.local"),
        ("3.0.1.10.in-addr.arpa", Ptr, "elsewhere"),
        ("nonsense.in-addr.arpa", Ptr, "elsewhere"),
        ("example.org", A, "elsewhere"),
        ("local", A, "elsewhere"),
        ("web.default.svc.cluster.local.example.org", A, "elsewhere"),
    ] {
        assert_eq!(shown(name, wanted), expected, "{name} {wanted:?}");
    }
    assert!(
        matches!(find("cluster.local", Wanted::Soa), Found::Name { answers, .. } if answers[0].data == Data::Soa)
    );
}
