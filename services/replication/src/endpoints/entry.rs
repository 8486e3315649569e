//! What endpoints tell of a pod.

use std::sync::Arc;

use keelson_base_client::reference;
use keelson_base_model::endpoints::repack;
use keelson_base_model::{container, meta, pod, service};
use keelson_proto::core::{
    EndpointAddress, EndpointPort, EndpointSubset, ObjectReference, Pod, Service, ServicePort,
};

/// The subsets of a service with these pods, in their one canonical form.
///
/// A pod that has no port of the name that the service asks for is left out of that port's addresses.
pub(super) fn subsets<'a>(
    service: &Service,
    pods: impl IntoIterator<Item = &'a Arc<Pod>>,
) -> Vec<EndpointSubset> {
    let mut subsets = Vec::new();
    for pod in pods.into_iter().filter(|pod| is_listed(pod)) {
        let ready = service.spec.publish_not_ready_addresses || pod::is_ready(pod);
        let address = address(service, pod);
        if service.spec.ports.is_empty() && service::is_headless(service) {
            subsets.push(subset(address, ready, None));
            continue;
        }
        let ports = service.spec.ports.iter().filter_map(|port| endpoint_port(port, pod));
        subsets.extend(ports.map(|port| subset(address.clone(), ready, Some(port))));
    }
    repack(subsets)
}

/// How many addresses there are in all.
pub(super) fn addresses(subsets: &[EndpointSubset]) -> usize {
    let of = |subset: &EndpointSubset| subset.addresses.len() + subset.not_ready_addresses.len();
    subsets.iter().map(of).sum()
}

/// Whether endpoints tell something else of a pod than before.
pub(super) fn differs(old: &Pod, new: &Pod) -> bool {
    let same_labels = old.metadata.labels == new.metadata.labels;
    match (is_listed(old), is_listed(new)) {
        (false, false) => false,
        (true, true) => !same_labels || told(old) != told(new),
        _ => true,
    }
}

/// All that endpoints tell of a pod, but for its ports, which never change.
fn told(pod: &Pod) -> (&str, &str, bool, &str, &str, &str) {
    (
        &pod.metadata.uid,
        &pod.status.pod_ip,
        pod::is_ready(pod),
        &pod.spec.node_name,
        &pod.spec.hostname,
        &pod.spec.subdomain,
    )
}

/// Whether a pod can be reached, now or soon: it has an address, and neither ended nor is it being deleted.
fn is_listed(pod: &Pod) -> bool {
    !pod.status.pod_ip.is_empty() && !pod::is_terminal(pod) && !meta::is_deleting(&pod.metadata)
}

fn address(service: &Service, pod: &Pod) -> EndpointAddress {
    let named = pod.spec.subdomain == service.metadata.name && !pod.spec.hostname.is_empty();
    let target = ObjectReference {
        // They would change with each status, and with them the endpoints.
        resource_version: String::new(),
        api_version: String::new(),
        ..reference(pod)
    };
    EndpointAddress {
        ip: pod.status.pod_ip.clone(),
        hostname: if named { pod.spec.hostname.clone() } else { String::new() },
        node_name: (!pod.spec.node_name.is_empty()).then(|| pod.spec.node_name.clone()),
        target_ref: Some(target),
    }
}

fn endpoint_port(port: &ServicePort, pod: &Pod) -> Option<EndpointPort> {
    Some(EndpointPort {
        name: port.name.clone(),
        port: target_port(port, pod)?,
        protocol: protocol(&port.protocol).to_owned(),
        app_protocol: port.app_protocol.clone(),
    })
}

/// The pod's port that is meant; none if it has none of that name and protocol.
fn target_port(port: &ServicePort, pod: &Pod) -> Option<i32> {
    let Some(name) = port.target_port.as_str() else {
        let number = port.target_port.as_int().filter(|number| *number != 0);
        return Some(number.unwrap_or(port.port));
    };
    let sidecars = pod.spec.init_containers.iter().filter(|one| container::is_sidecar(one));
    let mut ports = pod.spec.containers.iter().chain(sidecars).flat_map(|one| &one.ports);
    let found =
        ports.find(|found| found.name == name && protocol(&found.protocol) == protocol(&port.protocol));
    found.map(|found| found.container_port)
}

fn protocol(given: &str) -> &str {
    if given.is_empty() { "TCP" } else { given }
}

fn subset(address: EndpointAddress, ready: bool, port: Option<EndpointPort>) -> EndpointSubset {
    let mut subset = EndpointSubset { ports: port.into_iter().collect(), ..EndpointSubset::default() };
    if ready {
        subset.addresses.push(address);
    } else {
        subset.not_ready_addresses.push(address);
    }
    subset
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::{Container, ContainerPort};
    use keelson_proto::meta::Time;

    use super::*;
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
        let ips =
            |list: &[EndpointAddress]| list.iter().map(|one| one.ip.clone()).collect::<Vec<_>>().join(",");
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
}
