//! Endpoint slices: how the endpoints that a service should have are spread over slices of bounded size.
//!
//! [`reconcile`] writes as little as it can: an endpoint that stays never moves to another slice, new ones go where
//! something changes anyhow, and a slice is made only if the others have no room.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_base_model::endpointslice::{MANAGED_BY, SERVICE_NAME};
use keelson_base_model::meta;
use keelson_proto::discovery::{Endpoint, EndpointPort, EndpointSlice};
use keelson_proto::meta::{ObjectMeta, OwnerReference};

/// The most endpoints of one slice: Kubernetes' own choice, below what a slice may hold.
const MOST: usize = 100;

/// What all slices of one service have in their metadata.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Their namespace.
    pub(super) namespace: String,
    /// The service that they are of.
    pub(super) service: String,
    /// Labels that they take over.
    pub(super) labels: BTreeMap<String, String>,
    /// With whom they go.
    pub(super) owner: OwnerReference,
    /// Who writes them.
    pub(super) manager: &'static str,
}

/// The endpoints that a service should have.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Types of addresses of which there is a slice even if there is no endpoint.
    address_types: Vec<String>,
    groups: BTreeMap<Common, Group>,
}

/// What the endpoints of one slice have in common: the type of their addresses, and their ports.
type Common = (String, Vec<PortKey>);

/// All that a port says: name, protocol, number, application protocol.
type PortKey = (Option<String>, Option<String>, Option<i32>, Option<String>);

/// What tells endpoints apart: addresses, and the uid of the pod behind them.
type Identity = (Vec<String>, String);

#[derive(Clone, Debug, Default)]
struct Group {
    ports: Vec<EndpointPort>,
    endpoints: BTreeMap<Identity, Endpoint>,
}

/// What is to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Slices to make; the server names them.
    pub(super) create: Vec<EndpointSlice>,
    /// Slices to replace, each based on the version that was seen.
    pub(super) update: Vec<EndpointSlice>,
    /// Slices that have nothing left to say.
    pub(super) delete: Vec<Arc<EndpointSlice>>,
}

/// A slice as it will be.
struct Draft {
    old: Option<Arc<EndpointSlice>>,
    address_type: String,
    ports: Vec<EndpointPort>,
    endpoints: Vec<Endpoint>,
}

/// What has to be written so that the slices say what is wanted. `existing` are those of this manager.
pub(super) fn reconcile(head: &Head, wanted: Wanted, existing: &[Arc<EndpointSlice>]) -> Plan {
    let Wanted { address_types, mut groups } = wanted;
    let mut seen: Vec<_> = existing.iter().filter(|slice| !meta::is_deleting(&slice.metadata)).collect();
    seen.sort_unstable_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    let mut drafts: BTreeMap<Common, Vec<Draft>> = BTreeMap::new();
    let mut spare = Vec::new();
    for slice in seen {
        let common = (slice.address_type.clone(), keys(&slice.ports));
        match groups.get_mut(&common) {
            Some(group) => drafts.entry(common).or_default().push(Draft::kept(slice, group)),
            None => spare.push(slice.clone()),
        }
    }
    let mut used = Vec::new();
    for (common, group) in groups {
        let mut drafts = drafts.remove(&common).unwrap_or_default();
        place(&common.0, group, &mut drafts);
        for draft in drafts {
            match draft.old {
                Some(old) if draft.endpoints.is_empty() => spare.push(old),
                _ => used.push(draft),
            }
        }
    }
    for address_type in address_types {
        if !used.iter().any(|draft| draft.address_type == address_type) {
            used.push(Draft::empty(address_type, &mut spare));
        }
    }
    let mut plan = Plan { delete: spare, ..Plan::default() };
    used.into_iter().for_each(|draft| draft.write(head, &mut plan));
    plan
}

/// Finds a place for the endpoints that have none yet.
fn place(address_type: &str, group: Group, drafts: &mut Vec<Draft>) {
    let Group { ports, endpoints } = group;
    let mut left = endpoints.into_values();
    for draft in drafts.iter_mut().filter(|draft| draft.is_touched()) {
        draft.endpoints.extend(left.by_ref().take(draft.room()));
    }
    while left.len() > 0 {
        let fits = |draft: &&mut Draft| draft.room() >= left.len();
        match drafts.iter_mut().filter(fits).min_by_key(|draft| draft.room()) {
            Some(fullest) => fullest.endpoints.extend(left.by_ref()),
            None => drafts.push(Draft {
                old: None,
                address_type: address_type.to_owned(),
                ports: ports.clone(),
                endpoints: left.by_ref().take(MOST).collect(),
            }),
        }
    }
}

fn keys(ports: &[EndpointPort]) -> Vec<PortKey> {
    let key = |port: &EndpointPort| {
        (port.name.clone(), port.protocol.clone(), port.port, port.app_protocol.clone())
    };
    let mut keys: Vec<_> = ports.iter().map(key).collect();
    keys.sort_unstable();
    keys
}

fn identity(endpoint: &Endpoint) -> Identity {
    let uid = endpoint.target_ref.as_ref().map(|target| target.uid.clone());
    (endpoint.addresses.clone(), uid.unwrap_or_default())
}

// === impl Head ===

impl Head {
    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        labels.insert(SERVICE_NAME.to_owned(), self.service.clone());
        labels.insert(MANAGED_BY.to_owned(), self.manager.to_owned());
        labels
    }
}

// === impl Wanted ===

impl Wanted {
    /// No endpoint yet; of addresses of these types there is a slice all the same.
    pub(super) fn of_types(address_types: Vec<String>) -> Self {
        Self { address_types, groups: BTreeMap::new() }
    }

    /// Adds an endpoint with these ports.
    pub(super) fn add(&mut self, address_type: &str, ports: &[EndpointPort], endpoint: Endpoint) {
        let group = self.groups.entry((address_type.to_owned(), keys(ports))).or_default();
        group.ports = ports.to_vec();
        group.endpoints.insert(identity(&endpoint), endpoint);
    }
}

// === impl Plan ===

impl Plan {
    /// Whether nothing is to be written.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

// === impl Draft ===

impl Draft {
    /// The slice with those of its endpoints that stay, which are taken out of the group.
    fn kept(slice: &Arc<EndpointSlice>, group: &mut Group) -> Self {
        let stay = slice.endpoints.iter().filter_map(|old| group.endpoints.remove(&identity(old)));
        let endpoints = stay.collect();
        Self {
            old: Some(slice.clone()),
            address_type: slice.address_type.clone(),
            ports: group.ports.clone(),
            endpoints,
        }
    }

    /// A slice that says that there is no endpoint: one that is there already, if there is one to spare.
    fn empty(address_type: String, spare: &mut Vec<Arc<EndpointSlice>>) -> Self {
        let found = spare.iter().position(|slice| slice.address_type == address_type);
        let old = found.map(|index| spare.remove(index));
        let ports = old.as_ref().map(|old| old.ports.clone()).unwrap_or_default();
        Self { old, address_type, ports, endpoints: Vec::new() }
    }

    /// Whether the slice is written anyhow.
    fn is_touched(&self) -> bool {
        self.old.as_ref().is_none_or(|old| old.endpoints != self.endpoints)
    }

    fn room(&self) -> usize {
        MOST.saturating_sub(self.endpoints.len())
    }

    fn write(self, head: &Head, plan: &mut Plan) {
        let mut slice = self.old.as_deref().cloned().unwrap_or_else(|| EndpointSlice {
            metadata: ObjectMeta {
                namespace: head.namespace.clone(),
                generate_name: format!("{}-", head.service),
                ..ObjectMeta::default()
            },
            address_type: self.address_type,
            ..EndpointSlice::default()
        });
        slice.metadata.labels = head.labels();
        slice.metadata.owner_references = vec![head.owner.clone()];
        slice.ports = self.ports;
        slice.endpoints = self.endpoints;
        match self.old {
            None => plan.create.push(slice),
            Some(old) if *old != slice => plan.update.push(slice),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
