use std::collections::BTreeMap;

use keelson_proto::core::{
    ClientIpConfig, EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service, SessionAffinityConfig,
};

use super::*;

/// A port that leads to `backends`, such as `10.1.0.1:80`.
pub(crate) fn mk_port(name: &str, cluster_ip: &str, node_port: u16, backends: &[&str]) -> ServicePort {
    ServicePort {
        id: PortId { service: ObjectKey::new("default", name), port: 80, protocol: Protocol::Tcp },
        port_name: String::new(),
        cluster_ip: cluster_ip.parse().unwrap(),
        node_port: NonZeroU16::new(node_port),
        affinity: None,
        backends: backends.iter().map(|backend| backend.parse().unwrap()).collect(),
    }
}

/// A table of these ports, of which each service has one.
pub(crate) fn mk_table(ports: &[ServicePort]) -> Table {
    let mut table = Table::default();
    for port in ports {
        table.set(&port.id.service, vec![port.clone()]);
    }
    table
}

fn mk_service(edit: impl FnOnce(&mut Service)) -> Service {
    let mut service = Service::default();
    service.metadata.namespace = "default".to_owned();
    service.metadata.name = "web".to_owned();
    service.spec.cluster_ip = "10.0.0.9".to_owned();
    service.spec.ports = vec![keelson_proto::core::ServicePort {
        name: "http".to_owned(),
        protocol: "TCP".to_owned(),
        port: 80,
        ..Default::default()
    }];
    edit(&mut service);
    service
}

fn mk_subset(ips: &[&str], ports: &[(&str, &str, i32)]) -> EndpointSubset {
    let address = |ip: &&str| EndpointAddress { ip: (*ip).to_owned(), ..Default::default() };
    let port = |(name, protocol, port): &(&str, &str, i32)| EndpointPort {
        name: (*name).to_owned(),
        protocol: (*protocol).to_owned(),
        port: *port,
        ..Default::default()
    };
    EndpointSubset {
        addresses: ips.iter().map(address).collect(),
        ports: ports.iter().map(port).collect(),
        ..Default::default()
    }
}

#[test]
fn service_table() {
    type Edit = fn(&mut Service);
    let table: [(&str, Edit, &[&str]); 9] = [
        ("plain", |_| {}, &["default/web/tcp/80 10.0.0.9 node 0 affinity 0"]),
        ("headless", |s| s.spec.cluster_ip = "None".to_owned(), &[]),
        ("not allocated yet", |s| s.spec.cluster_ip = String::new(), &[]),
        ("a name elsewhere", |s| s.spec.r#type = "ExternalName".to_owned(), &[]),
        ("IPv6", |s| s.spec.cluster_ip = "fd00::9".to_owned(), &[]),
        (
            "node port",
            |s| s.spec.ports[0].node_port = 30080,
            &["default/web/tcp/80 10.0.0.9 node 30080 affinity 0"],
        ),
        (
            "affinity by default",
            |s| s.spec.session_affinity = "ClientIP".to_owned(),
            &["default/web/tcp/80 10.0.0.9 node 0 affinity 10800"],
        ),
        (
            "affinity as told",
            |s| {
                s.spec.session_affinity = "ClientIP".to_owned();
                let client_ip = Some(ClientIpConfig { timeout_seconds: Some(60) });
                s.spec.session_affinity_config = Some(SessionAffinityConfig { client_ip });
            },
            &["default/web/tcp/80 10.0.0.9 node 0 affinity 60"],
        ),
        (
            "several ports, some not ours",
            |s| {
                let port = s.spec.ports[0].clone();
                for (protocol, number) in [("UDP", 53), ("SCTP", 54), ("TCP", 0), ("TCP", 70_000)] {
                    let (protocol, mut port) = (protocol.to_owned(), port.clone());
                    (port.protocol, port.port) = (protocol, number);
                    s.spec.ports.push(port);
                }
            },
            &[
                "default/web/tcp/80 10.0.0.9 node 0 affinity 0",
                "default/web/udp/53 10.0.0.9 node 0 affinity 0",
            ],
        ),
    ];
    for (what, edit, expected) in table {
        let ports = service_ports(&mk_service(edit), None);
        let shown = |port: &ServicePort| {
            let (node, affinity) = (port.node_port.map_or(0, u16::from), port.affinity.map_or(0, u32::from));
            format!("{} {} node {node} affinity {affinity}", port.id, port.cluster_ip)
        };
        assert_eq!(ports.iter().map(shown).collect::<Vec<_>>(), expected, "{what}");
        assert!(ports.iter().all(|port| port.backends.is_empty()), "{what}");
    }
}

#[test]
fn backends_are_the_ready_addresses_of_the_port_of_that_name() {
    let mut subset = mk_subset(&["10.1.0.2", "10.1.0.1"], &[("http", "TCP", 8080), ("admin", "TCP", 9090)]);
    subset.not_ready_addresses = mk_subset(&["10.1.0.3"], &[]).addresses;
    let table: [(&str, Vec<EndpointSubset>, &[&str]); 5] = [
        ("none", vec![], &[]),
        ("by name, sorted, ready only", vec![subset.clone()], &["10.1.0.1:8080", "10.1.0.2:8080"]),
        ("the same twice", vec![subset.clone(), subset], &["10.1.0.1:8080", "10.1.0.2:8080"]),
        ("another protocol", vec![mk_subset(&["10.1.0.1"], &[("http", "UDP", 8080)])], &[]),
        (
            "different ports, and what is no address",
            vec![
                mk_subset(&["10.1.0.1", "nonsense", "fd00::1"], &[("http", "", 8080)]),
                mk_subset(&["10.1.0.2"], &[("http", "TCP", 8081), ("http", "TCP", 0)]),
            ],
            &["10.1.0.1:8080", "10.1.0.2:8081"],
        ),
    ];
    for (what, subsets, expected) in table {
        let endpoints = Endpoints { subsets, ..Default::default() };
        let ports = service_ports(&mk_service(|_| {}), Some(&endpoints));
        let backends: Vec<_> = ports[0].backends.iter().map(ToString::to_string).collect();
        assert_eq!(backends, expected, "{what}");
    }
}

fn shown(diff: &Diff) -> (Vec<String>, Vec<String>) {
    let port = |change: &PortChange| match (&change.old, &change.new) {
        (None, Some(new)) => format!("+{}", new.id),
        (Some(old), None) => format!("-{}", old.id),
        (_, Some(new)) => format!("~{}", new.id),
        (None, None) => "nothing".to_owned(),
    };
    let answer = |answer: &Option<Answer>| match answer {
        None => "nobody".to_owned(),
        Some(Answer::Served(owner)) => owner.service.name.clone(),
        Some(Answer::Refused(owner)) => format!("no {}", owner.service.name),
    };
    let frontend = |change: &FrontendChange| {
        let address = change.frontend.address.map_or_else(|| "*".to_owned(), |address| address.to_string());
        format!("{address}:{} {} to {}", change.frontend.port, answer(&change.old), answer(&change.new))
    };
    (diff.ports.iter().map(port).collect(), diff.frontends.iter().map(frontend).collect())
}

#[test]
fn diff_table() {
    let one = ["10.1.0.1:80"];
    let web = |node, backends: &[&str]| mk_port("web", "10.0.0.9", node, backends);
    let other = |node| mk_port("other", "10.0.0.8", node, &one);
    type Case<'a> = (&'a str, Vec<ServicePort>, Vec<ServicePort>, &'a [&'a str], &'a [&'a str]);
    let table: [Case<'_>; 8] = [
        ("nothing", vec![web(0, &one)], vec![web(0, &one)], &[], &[]),
        (
            "new",
            vec![other(0)],
            vec![other(0), web(30080, &one)],
            &["+default/web/tcp/80"],
            &["*:30080 nobody to web", "10.0.0.9:80 nobody to web"],
        ),
        ("gone", vec![web(0, &one)], vec![], &["-default/web/tcp/80"], &["10.0.0.9:80 web to nobody"]),
        ("backends only", vec![web(0, &one)], vec![web(0, &["10.1.0.2:80"])], &["~default/web/tcp/80"], &[]),
        (
            "last backend",
            vec![web(0, &one)],
            vec![web(0, &[])],
            &["~default/web/tcp/80"],
            &["10.0.0.9:80 web to no web"],
        ),
        (
            "other node port",
            vec![web(30080, &one)],
            vec![web(30081, &one)],
            &["~default/web/tcp/80"],
            &["*:30080 web to nobody", "*:30081 nobody to web"],
        ),
        (
            "the second to claim a node port waits",
            vec![other(30080)],
            vec![other(30080), web(30080, &one)],
            &["+default/web/tcp/80"],
            &["10.0.0.9:80 nobody to web"],
        ),
        (
            "and takes over",
            vec![other(30080), web(30080, &one)],
            vec![web(30080, &one)],
            &["-default/other/tcp/80"],
            &["*:30080 other to web", "10.0.0.8:80 other to nobody"],
        ),
    ];
    for (what, old, new, ports, frontends) in table {
        let found = diff(&mk_table(&old), &mk_table(&new));
        let (found_ports, found_frontends) = shown(&found);
        assert_eq!(found_ports, ports, "{what}");
        assert_eq!(found_frontends, frontends, "{what}");
        assert_eq!(found.is_empty(), ports.is_empty(), "{what}");
    }
}

/// Any road to a table leads to the same table: sets in any order, with detours.
#[test]
fn a_table_depends_on_its_last_states_only() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let (mut table, mut last) = (Table::default(), BTreeMap::new());
        for _ in 0..30 {
            let name = ["a", "b", "c", "d"][random.usize(..4)];
            let backends: &[&str] = if random.bool() { &["10.1.0.1:80"] } else { &[] };
            let ip = ["10.0.0.1", "10.0.0.2"][random.usize(..2)];
            let port = mk_port(name, ip, random.u16(0..3), backends);
            let ports = if random.u8(..4) == 0 { Vec::new() } else { vec![port] };
            let before = table.clone();
            table.set(&ObjectKey::new("default", name), ports.clone());
            last.insert(name, ports);
            assert_eq!(diff(&before, &table), diff(&mk_table(&all(&before)), &mk_table(&all(&table))));
        }
        let expected = mk_table(&last.into_values().flatten().collect::<Vec<_>>());
        assert_eq!(table, expected);
    }
}

fn all(table: &Table) -> Vec<ServicePort> {
    table.ports().map(|port| (**port).clone()).collect()
}
