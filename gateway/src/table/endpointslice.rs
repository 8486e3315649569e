//! The row of an endpoint slice: the first few ports and addresses.

use jiff::Timestamp;
use keelson_proto::discovery::{EndpointPort, EndpointSlice};

use super::{AGE, Cell, Column, NAME, Tabled, UNSET, first_few, since, text};

impl Tabled for EndpointSlice {
    const COLUMNS: &'static [Column] = &[
        NAME,
        text("AddressType", "What the addresses are."),
        text("Ports", "Ports that each of the endpoints has."),
        text("Endpoints", "Addresses of the endpoints."),
        AGE,
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let ports: Vec<String> = self.ports.iter().map(port).collect();
        let addresses: Vec<String> =
            self.endpoints.iter().flat_map(|endpoint| &endpoint.addresses).cloned().collect();
        vec![
            self.metadata.name.as_str().into(),
            self.address_type.as_str().into(),
            or_unset(first_few(&ports)).into(),
            or_unset(first_few(&addresses)).into(),
            since(self.metadata.creation_timestamp, now).into(),
        ]
    }
}

/// A port's number; of one that means any port the name, if it has one.
fn port(port: &EndpointPort) -> String {
    match (port.port, &port.name) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => "*".to_owned(),
    }
}

fn or_unset(text: String) -> String {
    if text.is_empty() { UNSET.to_owned() } else { text }
}
