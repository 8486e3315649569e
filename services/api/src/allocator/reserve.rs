//! What a change of a service takes and gives back.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use keelson_api_store::{Compare, Expect, Op};
use keelson_base_model::field::{ErrorList, FieldError, Path};
use keelson_base_model::status::ApiError;
use keelson_proto::Object;
use keelson_proto::core::Service;

use super::{Allocators, address_key, port_key};
use crate::registry::Reservation;

// === impl Allocators ===

impl Allocators {
    /// Chooses what the new service leaves open, and tells what must be written along with it: keys taken,
    /// on condition that they are free, and keys given back.
    ///
    /// # Errors
    /// Invalid if what it asks for is held by another service or in no range; an internal error if nothing is
    /// left.
    pub(crate) fn reserve(
        &self,
        old: Option<&Service>,
        new: Option<&mut Service>,
    ) -> Result<Reservation, ApiError> {
        let before = old.map(held_by).unwrap_or_default();
        let mut after = BTreeSet::new();
        let mut owner = String::new();
        if let Some(new) = new {
            owner = format!("{}/{}", new.metadata.namespace, new.metadata.name);
            self.choose_address(new, &owner)?;
            self.choose_ports(new, &owner)?;
            after = held_by(new);
        }
        let mut reservation = Reservation::default();
        for key in after.difference(&before) {
            reservation.compares.push(Compare { key: key.clone(), expect: Expect::Absent });
            reservation.ops.push(Op::put(key.clone(), owner.clone()));
        }
        for key in before.difference(&after) {
            reservation.ops.push(Op::delete(key.clone()));
        }
        Ok(reservation)
    }

    fn choose_address(&self, service: &mut Service, owner: &str) -> Result<(), ApiError> {
        if service.spec.r#type == "ExternalName" || service.spec.cluster_ip == "None" {
            return Ok(());
        }
        if service.spec.cluster_ip.is_empty() {
            let free = self.addresses.free(&[]).ok_or_else(|| {
                ApiError::internal(format!("failed to allocate a serviceIP: range {} is full", self.cidr))
            })?;
            service.spec.cluster_ip = Ipv4Addr::from(free).to_string();
        } else {
            let address = &service.spec.cluster_ip;
            let refuse = |why: String| {
                let path = Path::new("spec").child("clusterIPs");
                let detail = format!("failed to allocate IP {address}: {why}");
                let value = serde_json::json!([address]);
                Err(ApiError::invalid(
                    Service::KIND,
                    &service.metadata.name,
                    FieldError::invalid(&path, value, detail).into(),
                ))
            };
            let Some(number) = address
                .parse::<Ipv4Addr>()
                .ok()
                .map(u32::from)
                .filter(|number| self.addresses.contains(*number))
            else {
                return refuse(format!(
                    "the provided IP ({address}) is not in the valid range. The range of valid IPs is {}",
                    self.cidr
                ));
            };
            if self.addresses.holder(number).is_some_and(|holder| holder != owner) {
                return refuse("provided IP is already allocated".to_owned());
            }
        }
        service.spec.cluster_ips = vec![service.spec.cluster_ip.clone()];
        Ok(())
    }

    fn choose_ports(&self, service: &mut Service, owner: &str) -> Result<(), ApiError> {
        if !has_node_ports(service) {
            for port in &mut service.spec.ports {
                port.node_port = 0;
            }
            return Ok(());
        }
        let mine = |number: u32| self.ports.holder(number).is_none_or(|holder| holder == owner);
        let mut errors = ErrorList::default();
        for (index, port) in service.spec.ports.iter().enumerate().filter(|(_, port)| port.node_port != 0) {
            let path = Path::new("spec").child("ports").index(index).child("nodePort");
            let (first, last) = self.port_range;
            let number = u32::try_from(port.node_port).unwrap_or(0);
            let refuse = |why: String| FieldError::invalid(&path, i64::from(port.node_port), why);
            if !self.ports.contains(number) {
                let why = format!(
                    "provided port is not in the valid range. The range of valid ports is {first}-{last}"
                );
                errors.push(refuse(why));
            } else if !mine(number) {
                errors.push(refuse("provided port is already allocated".to_owned()));
            }
        }
        if !errors.is_empty() {
            return Err(ApiError::invalid(Service::KIND, &service.metadata.name, errors));
        }
        let mut taken: Vec<u32> =
            service.spec.ports.iter().filter_map(|port| u32::try_from(port.node_port).ok()).collect();
        for port in service.spec.ports.iter_mut().filter(|port| port.node_port == 0) {
            let free = self
                .ports
                .free(&taken)
                .ok_or_else(|| ApiError::internal("failed to allocate a nodePort: range is full"))?;
            taken.push(free);
            // Ports of the pool are below 65536.
            port.node_port = free as i32;
        }
        Ok(())
    }
}

/// The keys of what a service holds.
pub(super) fn held_by(service: &Service) -> BTreeSet<String> {
    let address = service.spec.cluster_ip.parse().ok().map(address_key);
    let ports = service.spec.ports.iter().filter_map(|port| u32::try_from(port.node_port).ok());
    address.into_iter().chain(ports.filter(|port| *port != 0).map(port_key)).collect()
}

fn has_node_ports(service: &Service) -> bool {
    match service.spec.r#type.as_str() {
        "NodePort" => true,
        "LoadBalancer" => {
            service.spec.allocate_load_balancer_node_ports != Some(false)
                || service.spec.ports.iter().any(|port| port.node_port != 0)
        }
        _ => false,
    }
}
