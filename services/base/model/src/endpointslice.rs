//! Endpoint slices: their defaults and rules, and the labels by which they belong together.

mod validate;

use std::borrow::Cow;

use keelson_proto::discovery::EndpointSlice;

pub use self::validate::{validate, validate_update};
use crate::meta;

/// The label with the name of the service that a slice is of.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label with the name of who writes a slice.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// What a slice's addresses are.
pub mod address_type {
    /// IPv4 addresses.
    pub const IPV4: &str = "IPv4";
    /// IPv6 addresses.
    pub const IPV6: &str = "IPv6";
    /// Domain names.
    pub const FQDN: &str = "FQDN";
}

/// The fields that endpoint slices can be selected by.
pub const FIELDS: &[&str] = meta::FIELDS;

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(slice: &'a EndpointSlice, field: &str) -> Option<Cow<'a, str>> {
    meta::fields(&slice.metadata, field)
}

/// Fills in what may be left out: a port is nameless and of TCP.
pub fn set_defaults(slice: &mut EndpointSlice) {
    for port in &mut slice.ports {
        port.name.get_or_insert_default();
        port.protocol.get_or_insert_with(|| "TCP".to_owned());
    }
}

/// What the server writes into a slice that begins to exist: the first generation. What v1beta1 said of places is
/// dropped.
pub fn prepare_create(slice: &mut EndpointSlice) {
    slice.metadata.generation = 1;
    slice.endpoints.iter_mut().for_each(|endpoint| endpoint.deprecated_topology.clear());
}

/// Carries over what an update does not touch, and counts changed endpoints, ports or labels as a new generation.
pub fn prepare_update(new: &mut EndpointSlice, old: &EndpointSlice) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    if new.endpoints != old.endpoints {
        new.endpoints.iter_mut().for_each(|endpoint| endpoint.deprecated_topology.clear());
    }
    let told = |slice: &EndpointSlice| {
        (slice.address_type.clone(), slice.ports.clone(), slice.metadata.labels.clone())
    };
    if new.endpoints != old.endpoints || told(new) != told(old) {
        new.metadata.generation = old.metadata.generation + 1;
    }
}

#[cfg(test)]
mod tests;
