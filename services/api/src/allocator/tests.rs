use keelson_proto::core::{Service, ServicePort};

use super::Allocators;
use crate::cache::Sink;

fn allocators() -> Allocators {
    Allocators::new("10.0.0.0/29".parse().unwrap(), (30000, 30002))
}

fn service(name: &str, kind: &str, cluster_ip: &str, node_ports: &[i32]) -> Service {
    let mut service = Service::default();
    service.metadata.namespace = "default".into();
    service.metadata.name = name.into();
    service.spec.r#type = kind.into();
    service.spec.cluster_ip = cluster_ip.into();
    service.spec.ports =
        node_ports.iter().map(|port| ServicePort { node_port: *port, ..ServicePort::default() }).collect();
    service
}

fn hold(allocators: &Allocators, service: &mut Service) -> Vec<String> {
    let reservation = allocators.reserve(None, Some(service)).unwrap();
    let keys: Vec<String> = reservation.ops.iter().map(|op| op.key().to_owned()).collect();
    for op in reservation.ops {
        if let keelson_api_store::Op::Put { key, value, .. } = op {
            allocators.put(&keelson_api_store::KeyValue {
                key: key.into(),
                value,
                create_revision: 1,
                mod_revision: 1,
                version: 1,
            });
        }
    }
    keys
}

#[test]
fn every_address_is_given_once_and_then_none() {
    let allocators = allocators();
    let mut given = std::collections::BTreeSet::new();
    for n in 0..6 {
        let mut service = service(&format!("s{n}"), "ClusterIP", "", &[0]);
        hold(&allocators, &mut service);
        given.insert(service.spec.cluster_ip);
    }
    assert_eq!(
        given.into_iter().collect::<Vec<_>>(),
        (1..7).map(|n| format!("10.0.0.{n}")).collect::<Vec<_>>()
    );
    let error = allocators.reserve(None, Some(&mut service("more", "ClusterIP", "", &[0]))).err().unwrap();
    assert!(error.message().contains("range 10.0.0.0/29 is full"), "{error}");
}

#[test]
fn what_is_asked_for_must_be_free_and_in_range() {
    let allocators = allocators();
    hold(&allocators, &mut service("first", "NodePort", "10.0.0.3", &[30001]));
    for (cluster_ip, port, message) in [
        (
            "10.0.0.3",
            0,
            "Service \"next\" is invalid: spec.clusterIPs: Invalid value: [\"10.0.0.3\"]: failed to allocate IP 10.0.0.3: provided IP is already allocated",
        ),
        (
            "10.1.0.3",
            0,
            "Service \"next\" is invalid: spec.clusterIPs: Invalid value: [\"10.1.0.3\"]: failed to allocate IP 10.1.0.3: the provided IP (10.1.0.3) is not in the valid range. The range of valid IPs is 10.0.0.0/29",
        ),
        (
            "",
            30001,
            "Service \"next\" is invalid: spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated",
        ),
        (
            "",
            80,
            "Service \"next\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-30002",
        ),
    ] {
        let error = allocators
            .reserve(None, Some(&mut service("next", "NodePort", cluster_ip, &[port])))
            .err()
            .unwrap();
        assert_eq!(error.message(), message);
    }
}

#[test]
fn a_change_takes_what_is_new_and_gives_back_what_is_not_wanted() {
    let allocators = allocators();
    let mut old = service("s", "NodePort", "10.0.0.2", &[30000]);
    assert_eq!(
        hold(&allocators, &mut old),
        ["/registry/ranges/serviceips/10.0.0.2", "/registry/ranges/servicenodeports/30000"]
    );
    let mut new = service("s", "ClusterIP", "10.0.0.2", &[30000]);
    let reservation = allocators.reserve(Some(&old), Some(&mut new)).unwrap();
    assert_eq!(new.spec.ports[0].node_port, 0);
    assert_eq!(reservation.ops, [keelson_api_store::Op::delete("/registry/ranges/servicenodeports/30000")]);
    assert!(reservation.compares.is_empty());
    assert_eq!(allocators.reserve(Some(&old), None).unwrap().ops.len(), 2);
}

#[test]
fn headless_services_and_external_names_hold_nothing() {
    let allocators = allocators();
    assert!(hold(&allocators, &mut service("a", "ClusterIP", "None", &[0])).is_empty());
    assert!(hold(&allocators, &mut service("b", "ExternalName", "", &[])).is_empty());
}
