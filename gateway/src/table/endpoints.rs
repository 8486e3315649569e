//! The row of endpoints: the first few addresses.

use jiff::Timestamp;
use keelson_proto::core::Endpoints;

use super::{AGE, Cell, Column, NAME, Tabled, first_few, or_none, since, text};

impl Tabled for Endpoints {
    const COLUMNS: &'static [Column] =
        &[NAME, text("Endpoints", "Addresses and ports that take the service's traffic."), AGE];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            self.metadata.name.as_str().into(),
            addresses(self).into(),
            since(self.metadata.creation_timestamp, now).into(),
        ]
    }
}

fn addresses(endpoints: &Endpoints) -> String {
    let mut all = Vec::new();
    for subset in &endpoints.subsets {
        // A headless service need not have ports.
        if subset.ports.is_empty() {
            all.extend(subset.addresses.iter().map(|address| address.ip.clone()));
        }
        for port in &subset.ports {
            all.extend(subset.addresses.iter().map(|address| host_port(&address.ip, port.port)));
        }
    }
    or_none(&first_few(&all)).to_owned()
}

fn host_port(ip: &str, port: i32) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}
