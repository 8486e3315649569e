//! Endpoints that somebody has written for a service without a selector, told in slices as well.

use keelson_base_model::endpointslice::address_type;
use keelson_base_model::{meta, owner};
use keelson_proto::core::{self, EndpointAddress, EndpointSubset, Endpoints};
use keelson_proto::discovery::{Endpoint, EndpointConditions, EndpointPort};

use super::slices::{Head, Wanted};

/// Who writes slices that mirror endpoints: the name that Kubernetes' own mirror has.
pub(super) const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";

/// The label by which endpoints say that somebody else writes their slices.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";

/// The annotation of endpoints that are a lock and no endpoints.
const LOCK: &str = "control-plane.alpha.kubernetes.io/leader";

/// Whether endpoints are to be mirrored.
pub(super) fn is_mirrored(endpoints: &Endpoints) -> bool {
    let metadata = &endpoints.metadata;
    !meta::is_deleting(metadata)
        && metadata.labels.get(SKIP).is_none_or(|skip| skip != "true")
        && !metadata.annotations.contains_key(LOCK)
}

/// What slices that mirror endpoints have in their metadata. They go with the endpoints.
pub(super) fn head(endpoints: &Endpoints) -> Head {
    Head {
        namespace: endpoints.metadata.namespace.clone(),
        service: endpoints.metadata.name.clone(),
        labels: endpoints.metadata.labels.clone(),
        owner: owner::controller_reference(endpoints),
        manager: MANAGER,
    }
}

/// What the slices should say: the same as the endpoints.
pub(super) fn wanted(endpoints: &Endpoints) -> Wanted {
    let mut wanted = Wanted::default();
    for subset in &endpoints.subsets {
        let ports: Vec<_> = subset.ports.iter().map(port).collect();
        for (address, ready) in addresses(subset) {
            let family = if address.ip.contains(':') { address_type::IPV6 } else { address_type::IPV4 };
            wanted.add(family, &ports, endpoint(address, ready));
        }
    }
    wanted
}

fn addresses(subset: &EndpointSubset) -> impl Iterator<Item = (&EndpointAddress, bool)> {
    let ready = subset.addresses.iter().map(|address| (address, true));
    ready.chain(subset.not_ready_addresses.iter().map(|address| (address, false)))
}

fn endpoint(address: &EndpointAddress, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: EndpointConditions { ready: Some(ready), ..EndpointConditions::default() },
        hostname: (!address.hostname.is_empty()).then(|| address.hostname.clone()),
        target_ref: address.target_ref.clone(),
        node_name: address.node_name.clone(),
        ..Endpoint::default()
    }
}

/// A port of endpoints, as slices write it.
pub(super) fn port(port: &core::EndpointPort) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone()),
        protocol: Some(port.protocol.clone()),
        port: Some(port.port),
        app_protocol: port.app_protocol.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::slices::reconcile;
    use super::*;
    use crate::testing::mk_endpoints;

    fn mk_subset(ready: &[&str], not_ready: &[&str], port: i32) -> EndpointSubset {
        let address = |ip: &&str| EndpointAddress { ip: (*ip).to_owned(), ..EndpointAddress::default() };
        EndpointSubset {
            addresses: ready.iter().map(address).collect(),
            not_ready_addresses: not_ready.iter().map(address).collect(),
            ports: vec![core::EndpointPort { port, ..core::EndpointPort::default() }],
        }
    }

    #[test]
    fn slices_say_what_the_endpoints_say() {
        let mut endpoints = mk_endpoints("db");
        endpoints.subsets =
            vec![mk_subset(&["10.0.0.1", "fd00::1"], &["10.0.0.2"], 80), mk_subset(&["10.0.0.1"], &[], 81)];
        let plan = reconcile(&head(&endpoints), wanted(&endpoints), &[]);
        let text = |slice: &keelson_proto::discovery::EndpointSlice| {
            let one =
                |endpoint: &Endpoint| format!("{}={:?}", endpoint.addresses[0], endpoint.conditions.ready);
            let all: Vec<_> = slice.endpoints.iter().map(one).collect();
            format!("{} {:?}: {}", slice.address_type, slice.ports[0].port, all.join(" "))
        };
        let mut found: Vec<_> = plan.create.iter().map(text).collect();
        found.sort();
        assert_eq!(
            found,
            [
                "IPv4 Some(80): 10.0.0.1=Some(true) 10.0.0.2=Some(false)",
                "IPv4 Some(81): 10.0.0.1=Some(true)",
                "IPv6 Some(80): fd00::1=Some(true)",
            ]
        );
        let metadata = &plan.create[0].metadata;
        assert_eq!(
            (metadata.owner_references[0].kind.as_str(), metadata.generate_name.as_str()),
            ("Endpoints", "db-")
        );
        assert_eq!(metadata.labels["endpointslice.kubernetes.io/managed-by"], MANAGER);
    }

    #[test]
    fn endpoints_can_ask_to_be_left_alone() {
        let mut endpoints = mk_endpoints("db");
        assert!(is_mirrored(&endpoints));
        endpoints.metadata.labels.insert(SKIP.to_owned(), "true".to_owned());
        assert!(!is_mirrored(&endpoints));
        let mut lock = mk_endpoints("lock");
        lock.metadata.annotations.insert(LOCK.to_owned(), "{}".to_owned());
        assert!(!is_mirrored(&lock));
        assert!(reconcile(&head(&lock), wanted(&lock), &[]).is_empty(), "no endpoint, no slice");
    }
}
