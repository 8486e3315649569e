//! The rules for endpoint slices.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use keelson_proto::discovery::{Endpoint, EndpointHints, EndpointPort, EndpointSlice};

use super::address_type;
use crate::field::{ErrorList, FieldError, Path};
use crate::meta::IMMUTABLE;
use crate::{checks, meta, names};

/// The types of addresses, sorted.
const ADDRESS_TYPES: &[&str] = &[address_type::FQDN, address_type::IPV4, address_type::IPV6];

const MAX_ENDPOINTS: usize = 1000;
/// Addresses of one endpoint.
const MAX_ADDRESSES: usize = 100;
/// Kubernetes documents 100 and takes this many, for services with very many ports.
const MAX_PORTS: usize = 20_000;
const MAX_HINTS: usize = 8;

/// Checks an endpoint slice. Call [`super::set_defaults`] first.
pub fn validate(slice: &EndpointSlice) -> ErrorList {
    let mut errors = meta::validate(&slice.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    checks::one_of(&slice.address_type, ADDRESS_TYPES, &Path::new("addressType"), &mut errors);
    let path = Path::new("endpoints");
    if slice.endpoints.len() > MAX_ENDPOINTS {
        errors.push(FieldError::too_many(&path, slice.endpoints.len(), MAX_ENDPOINTS));
    } else {
        for (index, endpoint) in slice.endpoints.iter().enumerate() {
            validate_endpoint(endpoint, &slice.address_type, &path.index(index), &mut errors);
        }
    }
    validate_ports(&slice.ports, &Path::new("ports"), &mut errors);
    errors
}

/// Checks a changed slice: its addresses stay of one type.
pub fn validate_update(new: &EndpointSlice, old: &EndpointSlice) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    if new.address_type != old.address_type {
        let path = Path::new("addressType");
        errors.push(FieldError::invalid(&path, new.address_type.as_str(), IMMUTABLE));
    }
    errors
}

fn validate_endpoint(endpoint: &Endpoint, address_type: &str, path: &Path, errors: &mut ErrorList) {
    let addresses = path.child("addresses");
    match endpoint.addresses.len() {
        0 => errors.push(FieldError::required(&addresses, "must contain at least 1 address")),
        count if count > MAX_ADDRESSES => {
            errors.push(FieldError::too_many(&addresses, count, MAX_ADDRESSES));
        }
        _ => {}
    }
    for (index, address) in endpoint.addresses.iter().enumerate() {
        validate_address(address, address_type, &addresses.index(index), errors);
    }
    if let Some(node) = &endpoint.node_name {
        errors.push_invalid(&path.child("nodeName"), node, names::dns_subdomain(node));
    }
    if let Some(hostname) = &endpoint.hostname {
        errors.push_invalid(&path.child("hostname"), hostname, names::dns_label(hostname));
    }
    if let Some(hints) = &endpoint.hints {
        validate_hints(hints, &path.child("hints"), errors);
    }
}

/// Checks an address of a known type; of others nothing is known.
fn validate_address(address: &str, address_type: &str, path: &Path, errors: &mut ErrorList) {
    let fits = match address_type {
        address_type::IPV4 => address.parse::<Ipv4Addr>().is_ok(),
        address_type::IPV6 => address.parse::<Ipv6Addr>().is_ok(),
        address_type::FQDN => return validate_domain(address, path, errors),
        _ => return,
    };
    if fits {
        checks::reachable_ip(address, path, errors);
    } else {
        errors.push(FieldError::invalid(path, address, format!("must be a valid {address_type} address")));
    }
}

fn validate_domain(domain: &str, path: &Path, errors: &mut ErrorList) {
    if domain.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let name = domain.strip_suffix('.').unwrap_or(domain);
    let faults = names::dns_subdomain(name);
    if faults.is_empty() && !name.contains('.') {
        let why = "should be a domain with at least two segments separated by dots";
        errors.push(FieldError::invalid(path, domain, why));
    }
    errors.push_invalid(path, domain, faults);
}

fn validate_hints(hints: &EndpointHints, path: &Path, errors: &mut ErrorList) {
    let zones: Vec<_> = hints.for_zones.iter().map(|zone| zone.name.as_str()).collect();
    validate_hint("forZones", &zones, names::label_value, path, errors);
    let nodes: Vec<_> = hints.for_nodes.iter().map(|node| node.name.as_str()).collect();
    validate_hint("forNodes", &nodes, names::dns_subdomain, path, errors);
}

fn validate_hint(list: &str, all: &[&str], rule: meta::NameRule, path: &Path, errors: &mut ErrorList) {
    let path = path.child(list);
    if all.len() > MAX_HINTS {
        errors.push(FieldError::too_many(&path, all.len(), MAX_HINTS));
        return;
    }
    let mut seen = HashSet::new();
    for (index, name) in all.iter().enumerate() {
        let path = path.index(index).child("name");
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(&path, *name));
        }
        errors.push_invalid(&path, name, rule(name));
    }
}

fn validate_ports(ports: &[EndpointPort], path: &Path, errors: &mut ErrorList) {
    if ports.len() > MAX_PORTS {
        errors.push(FieldError::too_many(path, ports.len(), MAX_PORTS));
        return;
    }
    let mut seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = port.name.as_deref().unwrap_or_default();
        if !name.is_empty() {
            errors.push_invalid(&path.child("name"), name, names::dns_label(name));
        }
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(&path.child("name"), name));
        }
        let protocol = port.protocol.as_deref().unwrap_or_default();
        checks::one_of(protocol, checks::PROTOCOLS, &path.child("protocol"), errors);
        if let Some(protocol) = &port.app_protocol {
            errors.push_invalid(&path.child("appProtocol"), protocol, names::qualified_name(protocol));
        }
    }
}
