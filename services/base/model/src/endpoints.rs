//! Endpoints: where a service's traffic goes; their rules, and the one form in which they are stored.

mod repack;

use std::borrow::Cow;
use std::collections::HashSet;

use keelson_proto::core::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints};

pub use self::repack::repack;
use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, meta, names};

/// The fields that endpoints can be selected by.
pub const FIELDS: &[&str] = meta::FIELDS;

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(endpoints: &'a Endpoints, field: &str) -> Option<Cow<'a, str>> {
    meta::fields(&endpoints.metadata, field)
}

/// Fills in what may be left out: the protocol of a port is TCP.
pub fn set_defaults(endpoints: &mut Endpoints) {
    for port in endpoints.subsets.iter_mut().flat_map(|subset| &mut subset.ports) {
        if port.protocol.is_empty() {
            port.protocol = "TCP".to_owned();
        }
    }
}

/// Brings the subsets into the one form in which they are stored. [`validate`] the sent form first, as this
/// drops subsets without addresses.
pub fn canonicalize(endpoints: &mut Endpoints) {
    endpoints.subsets = repack(std::mem::take(&mut endpoints.subsets));
}

/// Carries over what an update does not touch.
pub fn prepare_update(new: &mut Endpoints, old: &Endpoints) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// Checks endpoints.
pub fn validate(endpoints: &Endpoints) -> ErrorList {
    let mut errors = meta::validate(&endpoints.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    for (index, subset) in endpoints.subsets.iter().enumerate() {
        validate_subset(subset, &Path::new("subsets").index(index), &mut errors);
    }
    errors
}

/// Checks changed endpoints.
pub fn validate_update(new: &Endpoints, old: &Endpoints) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    errors
}

fn validate_subset(subset: &EndpointSubset, path: &Path, errors: &mut ErrorList) {
    if subset.addresses.is_empty() && subset.not_ready_addresses.is_empty() {
        errors.push(FieldError::required(path, "must specify `addresses` or `notReadyAddresses`"));
    }
    for (list, name) in [(&subset.addresses, "addresses"), (&subset.not_ready_addresses, "notReadyAddresses")]
    {
        for (index, address) in list.iter().enumerate() {
            validate_address(address, &path.child(name).index(index), errors);
        }
    }
    let mut seen = HashSet::new();
    for (index, port) in subset.ports.iter().enumerate() {
        let path = path.child("ports").index(index);
        validate_port(port, subset.ports.len() > 1, &path, errors);
        if !port.name.is_empty() && !seen.insert(&port.name) {
            errors.push(FieldError::duplicate(&path.child("name"), port.name.as_str()));
        }
    }
}

fn validate_address(address: &EndpointAddress, path: &Path, errors: &mut ErrorList) {
    checks::reachable_ip(&address.ip, &path.child("ip"), errors);
    if !address.hostname.is_empty() {
        errors.push_invalid(&path.child("hostname"), &address.hostname, names::dns_label(&address.hostname));
    }
    if let Some(node) = &address.node_name {
        errors.push_invalid(&path.child("nodeName"), node, names::dns_subdomain(node));
    }
}

fn validate_port(port: &EndpointPort, needs_name: bool, path: &Path, errors: &mut ErrorList) {
    match port.name.as_str() {
        "" if needs_name => errors.push(FieldError::required(&path.child("name"), "")),
        "" => {}
        name => errors.push_invalid(&path.child("name"), name, names::dns_label(name)),
    }
    checks::port(port.port, &path.child("port"), errors);
    checks::one_of(&port.protocol, checks::PROTOCOLS, &path.child("protocol"), errors);
    if let Some(protocol) = &port.app_protocol {
        errors.push_invalid(&path.child("appProtocol"), protocol, names::qualified_name(protocol));
    }
}

#[cfg(test)]
mod tests {
    use keelson_proto::meta::ObjectMeta;

    use super::*;

    fn mk_endpoints(addresses: &[&str], ports: &[(&str, i32)]) -> Endpoints {
        let address = |ip: &&str| EndpointAddress { ip: (*ip).to_owned(), ..EndpointAddress::default() };
        let port = |(name, port): &(&str, i32)| EndpointPort {
            name: (*name).to_owned(),
            port: *port,
            ..EndpointPort::default()
        };
        let mut endpoints = Endpoints {
            metadata: ObjectMeta {
                name: "web".to_owned(),
                namespace: "default".to_owned(),
                ..ObjectMeta::default()
            },
            subsets: vec![EndpointSubset {
                addresses: addresses.iter().map(address).collect(),
                ports: ports.iter().map(port).collect(),
                ..EndpointSubset::default()
            }],
        };
        set_defaults(&mut endpoints);
        endpoints
    }

    #[test]
    fn endpoints_keep_their_rules() {
        let no_address = "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`";
        let loopback = "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)";
        let unnamed = "[subsets[0].ports[0].name: Required value, subsets[0].ports[1].name: Required value]";
        type Row<'a> = (&'a [&'a str], &'a [(&'a str, i32)], &'a str);
        let table: &[Row<'_>] = &[
            (&["10.0.0.1"], &[("", 80)], ""),
            (&["fd00::1"], &[("a", 80), ("b", 81)], ""),
            (&["10.0.0.1"], &[], ""),
            (&[], &[("", 80)], no_address),
            (&["127.0.0.1"], &[("", 80)], loopback),
            (&["10.0.0.1"], &[("", 80), ("", 81)], unnamed),
            (&["10.0.0.1"], &[("a", 80), ("a", 81)], "subsets[0].ports[1].name: Duplicate value: \"a\""),
            (
                &["10.0.0.1"],
                &[("", 0)],
                "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            ),
        ];
        for (addresses, ports, expected) in table {
            let errors = validate(&mk_endpoints(addresses, ports));
            let text = if errors.is_empty() { String::new() } else { errors.to_string() };
            assert_eq!(text, *expected);
        }
    }

    #[test]
    fn an_update_may_replace_all_subsets() {
        let old = mk_endpoints(&["10.0.0.1"], &[("", 80)]);
        let new = mk_endpoints(&["10.0.0.2"], &[("a", 81)]);
        assert!(validate_update(&new, &old).is_empty());
    }

    #[test]
    fn endpoints_are_selected_by_name_and_namespace() {
        let endpoints = mk_endpoints(&[], &[]);
        assert_eq!(fields(&endpoints, "metadata.namespace").as_deref(), Some("default"));
        assert_eq!(fields(&endpoints, "spec.clusterIP"), None);
    }
}
