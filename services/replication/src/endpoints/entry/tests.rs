use keelson_proto::core::{Container, ContainerPort, PodIp};
use keelson_proto::discovery::EndpointSlice;
use keelson_proto::meta::Time;

use super::*;
use crate::endpoints::slices::reconcile;
use crate::testing::{mk_pod, mk_service, ready_since, with_address};

fn ready(name: &str, ip: &str) -> Pod {
    with_address(ready_since(mk_pod(name, "web", "Running"), 1), ip)
}

fn with_port(mut pod: Pod, name: &str, container_port: i32, protocol: &str) -> Pod {
    let port = ContainerPort {
        name: name.to_owned(),
        container_port,
        protocol: protocol.to_owned(),
        ..ContainerPort::default()
    };
    pod.spec.containers.push(Container { ports: vec![port], ..Container::default() });
    pod
}

/// `ready|not ready:ports`, a subset after the other.
fn text(subsets: &[EndpointSubset]) -> String {
    let ips = |list: &[EndpointAddress]| list.iter().map(|one| one.ip.clone()).collect::<Vec<_>>().join(",");
    let one = |subset: &EndpointSubset| {
        let ports: Vec<_> = subset
            .ports
            .iter()
            .map(|port| format!("{}={}/{}", port.name, port.port, port.protocol))
            .collect();
        format!("{}|{}:{}", ips(&subset.addresses), ips(&subset.not_ready_addresses), ports.join(","))
    };
    subsets.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn addresses_are_told_by_what_the_pods_are() {
    let service = mk_service("web", &[("http", 80, 8080.into())]);
    let unready = with_address(mk_pod("b", "web", "Running"), "10.0.0.2");
    let no_address = ready_since(mk_pod("c", "web", "Running"), 1);
    let ended = with_address(mk_pod("d", "web", "Succeeded"), "10.0.0.4");
    let mut deleting = ready("e", "10.0.0.5");
    deleting.metadata.deletion_timestamp = Some(Time::now());
    let pods = [ready("a", "10.0.0.1"), unready, no_address, ended, deleting].map(Arc::new);
    assert_eq!(text(&subsets(&service, &pods)), "10.0.0.1|10.0.0.2:http=8080/TCP");
    let mut tolerant = service;
    tolerant.spec.publish_not_ready_addresses = true;
    assert_eq!(text(&subsets(&tolerant, &pods)), "10.0.0.1,10.0.0.2|:http=8080/TCP");
}

#[test]
fn named_ports_are_found_pod_by_pod() {
    let service = mk_service("web", &[("http", 80, "web".to_owned().into()), ("admin", 81, 9000.into())]);
    let pods = [
        with_port(ready("a", "10.0.0.1"), "web", 8080, "TCP"),
        with_port(ready("b", "10.0.0.2"), "web", 8081, ""),
        with_port(ready("c", "10.0.0.3"), "web", 8082, "UDP"),
        ready("d", "10.0.0.4"),
    ];
    let found = text(&subsets(&service, &pods.map(Arc::new)));
    let mut found: Vec<_> = found.split(' ').collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4|:admin=9000/TCP",
            "10.0.0.1|:http=8080/TCP",
            "10.0.0.2|:http=8081/TCP"
        ]
    );
}

#[test]
fn a_headless_service_needs_no_ports_and_names_its_pods() {
    let mut pod = ready("a", "10.0.0.1");
    pod.spec.hostname = "first".to_owned();
    pod.spec.subdomain = "web".to_owned();
    pod.spec.node_name = "n1".to_owned();
    let pods = [Arc::new(pod)];
    let mut service = mk_service("web", &[]);
    assert!(subsets(&service, &pods).is_empty(), "nothing to reach without a port");
    service.spec.cluster_ip = service::HEADLESS.to_owned();
    let found = subsets(&service, &pods);
    assert_eq!(text(&found), "10.0.0.1|:");
    let address = &found[0].addresses[0];
    assert_eq!((address.hostname.as_str(), address.node_name.as_deref()), ("first", Some("n1")));
    let target = address.target_ref.as_ref().unwrap();
    assert_eq!((target.kind.as_str(), target.name.as_str(), target.uid.as_str()), ("Pod", "a", "uid-a"));
    service.metadata.name = "other".to_owned();
    assert_eq!(subsets(&service, &pods)[0].addresses[0].hostname, "");
}

#[test]
fn slices_tell_of_pods_that_end_as_well() {
    let service = mk_service("web", &[("http", 80, "web".to_owned().into()), ("admin", 81, 9000.into())]);
    let unready = with_address(mk_pod("b", "web", "Running"), "10.0.0.2");
    let mut deleting = ready("c", "10.0.0.3");
    deleting.metadata.deletion_timestamp = Some(Time::now());
    let ended = with_address(mk_pod("d", "web", "Failed"), "10.0.0.4");
    let mut named = with_port(ready("a", "10.0.0.1"), "web", 8080, "TCP");
    named.spec.node_name = "n1".to_owned();
    let pods = [named, unready, deleting, ended].map(Arc::new);
    let told = |service: &Service| {
        let plan = reconcile(&crate::endpoints::head(service), sliced(service, &pods), &[]);
        let one = |endpoint: &Endpoint| {
            let conditions = &endpoint.conditions;
            let flags = [conditions.ready, conditions.serving, conditions.terminating];
            let flags: String = flags.map(|flag| if flag.unwrap() { '+' } else { '-' }).iter().collect();
            format!("{}{flags}", endpoint.addresses[0])
        };
        let text = |slice: &EndpointSlice| {
            let ports: Vec<_> = slice.ports.iter().map(|port| port.port.unwrap().to_string()).collect();
            let all: Vec<_> = slice.endpoints.iter().map(one).collect();
            format!("{}: {}", ports.join(","), all.join(" "))
        };
        let mut found: Vec<_> = plan.create.iter().map(text).collect();
        found.sort();
        (found, plan.create)
    };
    let (found, slices) = told(&service);
    assert_eq!(found, ["8080,9000: 10.0.0.1++-", "9000: 10.0.0.2--- 10.0.0.3-++"]);
    let first = slices.iter().flat_map(|slice| &slice.endpoints).find(|one| one.addresses[0] == "10.0.0.1");
    let first = first.unwrap();
    assert_eq!(first.node_name.as_deref(), Some("n1"));
    assert_eq!(first.target_ref.as_ref().unwrap().name, "a");
    let mut tolerant = service;
    tolerant.spec.publish_not_ready_addresses = true;
    assert_eq!(told(&tolerant).0[1], "9000: 10.0.0.2+-- 10.0.0.3+++");
}

#[test]
fn slices_hold_addresses_of_the_service_s_families() {
    let mut pod = ready("a", "10.0.0.1");
    pod.status.pod_ips = ["10.0.0.1", "fd00::1"].map(|ip| PodIp { ip: ip.to_owned() }).into();
    let mut service = mk_service("web", &[("http", 80, 8080.into())]);
    let types = |service: &Service| {
        let plan =
            reconcile(&crate::endpoints::head(service), sliced(service, &[Arc::new(pod.clone())]), &[]);
        let text = |slice: &EndpointSlice| {
            format!("{} {}", slice.address_type, slice.endpoints[0].addresses.join(","))
        };
        plan.create.iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(types(&service), ["IPv4 10.0.0.1"]);
    service.spec.ip_families = vec!["IPv6".to_owned(), "IPv4".to_owned()];
    assert_eq!(types(&service), ["IPv4 10.0.0.1", "IPv6 fd00::1"]);
}

#[test]
fn only_changes_that_are_told_wake_services() {
    let pod = ready("a", "10.0.0.1");
    let changed = |change: &dyn Fn(&mut Pod)| {
        let mut new = pod.clone();
        change(&mut new);
        differs(&pod, &new)
    };
    type Row<'a> = (&'a str, &'a dyn Fn(&mut Pod), bool);
    let table: [Row<'_>; 7] = [
        ("version", &|pod| pod.metadata.resource_version = "9".to_owned(), false),
        ("annotation", &|pod| drop(pod.metadata.annotations.insert("a".into(), "b".into())), false),
        ("label", &|pod| drop(pod.metadata.labels.insert("a".into(), "b".into())), true),
        ("address", &|pod| pod.status.pod_ip = "10.0.0.9".to_owned(), true),
        ("no longer ready", &|pod| pod.status.conditions.clear(), true),
        ("ended", &|pod| pod.status.phase = "Failed".to_owned(), true),
        ("going", &|pod| pod.metadata.deletion_timestamp = Some(Time::now()), true),
    ];
    for (what, change, expected) in table {
        assert_eq!(changed(change), expected, "{what}");
    }
    let unreachable = mk_pod("a", "web", "Pending");
    let mut labelled = unreachable.clone();
    labelled.metadata.labels.clear();
    assert!(!differs(&unreachable, &labelled), "nothing is told of a pod without an address");
}
