//! The canonical form of subsets: each pair of address and port stands in one subset only, ports with the same
//! addresses share one, and everything is sorted. Equal endpoints are then equal byte by byte.

use std::collections::BTreeMap;

use keelson_proto::core::{EndpointAddress, EndpointPort, EndpointSubset};

/// What tells ports apart: number, name, protocol, application protocol.
type PortKey = (i32, String, String, Option<String>);

/// What tells addresses apart: the IP, and the uid of the pod behind it.
type AddressKey = (String, String);

/// Which addresses are behind a port, and whether each is ready.
type Behind = BTreeMap<AddressKey, bool>;

/// Each port with the addresses behind it; no port for a headless service without ports.
#[derive(Default)]
struct Ports {
    addresses: BTreeMap<AddressKey, EndpointAddress>,
    ports: BTreeMap<Option<PortKey>, (Option<EndpointPort>, Behind)>,
}

/// The subsets in canonical form. An address that is called both ready and not ready for a port is not ready; a
/// subset without addresses says nothing and is dropped.
pub fn repack(subsets: Vec<EndpointSubset>) -> Vec<EndpointSubset> {
    let mut all = Ports::default();
    for subset in subsets {
        all.add(subset);
    }
    let mut groups: BTreeMap<(Behind, bool), Vec<EndpointPort>> = BTreeMap::new();
    let ports = all.ports.into_values();
    for (port, behind) in ports.filter(|(_, behind)| !behind.is_empty()) {
        groups.entry((behind, port.is_some())).or_default().extend(port);
    }
    let groups = groups.into_iter();
    groups.map(|((behind, _), ports)| subset(&behind, ports, &all.addresses)).collect()
}

// === impl Ports ===

impl Ports {
    fn add(&mut self, subset: EndpointSubset) {
        let mut behind = Behind::new();
        for (list, ready) in [(subset.addresses, true), (subset.not_ready_addresses, false)] {
            for address in list {
                let key = address_key(&address);
                merge(&mut behind, &key, ready);
                self.addresses.entry(key).or_insert(address);
            }
        }
        let mut ports: Vec<_> = subset.ports.into_iter().map(Some).collect();
        if ports.is_empty() {
            ports.push(None);
        }
        for port in ports {
            let key = port.as_ref().map(port_key);
            let (_, all) = self.ports.entry(key).or_insert_with(|| (port, Behind::new()));
            for (key, ready) in &behind {
                merge(all, key, *ready);
            }
        }
    }
}

fn merge(behind: &mut Behind, key: &AddressKey, ready: bool) {
    let entry = behind.entry(key.clone()).or_insert(true);
    *entry &= ready;
}

fn subset(
    behind: &Behind,
    ports: Vec<EndpointPort>,
    addresses: &BTreeMap<AddressKey, EndpointAddress>,
) -> EndpointSubset {
    let of = |wanted: bool| {
        let keys = behind.iter().filter(move |(_, ready)| **ready == wanted);
        keys.filter_map(|(key, _)| addresses.get(key).cloned()).collect()
    };
    EndpointSubset { addresses: of(true), not_ready_addresses: of(false), ports }
}

fn address_key(address: &EndpointAddress) -> AddressKey {
    let uid = address.target_ref.as_ref().map(|target| target.uid.clone());
    (address.ip.clone(), uid.unwrap_or_default())
}

fn port_key(port: &EndpointPort) -> PortKey {
    (port.port, port.name.clone(), port.protocol.clone(), port.app_protocol.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A subset from `ready | not ready | ports`, each a list of words.
    fn mk_subset(text: &str) -> EndpointSubset {
        let parts: Vec<Vec<&str>> = text.split('|').map(|part| part.split_whitespace().collect()).collect();
        let address = |ip: &&str| EndpointAddress { ip: (*ip).to_owned(), ..EndpointAddress::default() };
        let port = |port: &&str| EndpointPort { port: port.parse().unwrap(), ..EndpointPort::default() };
        EndpointSubset {
            addresses: parts[0].iter().map(address).collect(),
            not_ready_addresses: parts[1].iter().map(address).collect(),
            ports: parts[2].iter().map(port).collect(),
        }
    }

    fn text(subset: &EndpointSubset) -> String {
        let words =
            |list: &[EndpointAddress]| list.iter().map(|one| one.ip.clone()).collect::<Vec<_>>().join(" ");
        let ports: Vec<_> = subset.ports.iter().map(|port| port.port.to_string()).collect();
        format!("{}|{}|{}", words(&subset.addresses), words(&subset.not_ready_addresses), ports.join(" "))
    }

    #[test]
    fn subsets_have_one_form() {
        type Lists = &'static [&'static str];
        let table: &[(Lists, Lists)] = &[
            (&["b a||81 80"], &["a b||80 81"]),
            (&["a||80", "b||80"], &["a b||80"]),
            (&["a||80", "a||81"], &["a||80 81"]),
            (&["a b||80", "a||81"], &["a b||80", "a||81"]),
            (&["a||80", "|a|80"], &["|a|80"]),
            (&["a|b|80"], &["a|b|80"]),
            (&["a a||80 80"], &["a||80"]),
            (&["||80"], &[]),
            (&["a||"], &["a||"]),
            (&["a||", "a||80"], &["a||", "a||80"]),
            (&[], &[]),
        ];
        for (given, expected) in table {
            let packed = repack(given.iter().map(|text| mk_subset(text)).collect());
            let mut found: Vec<_> = packed.iter().map(text).collect();
            let mut expected: Vec<_> = expected.iter().map(|&text| text.to_owned()).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{given:?}");
            assert_eq!(repack(packed.clone()), packed, "packing twice changes nothing");
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_matter() {
        let subsets = ["a b||80", "c||81", "a|c|82"].map(mk_subset);
        let mut turned = subsets.clone();
        turned.reverse();
        assert_eq!(repack(subsets.to_vec()), repack(turned.to_vec()));
    }
}
