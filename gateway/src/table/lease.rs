//! The row of a lease.

use jiff::Timestamp;
use keelson_proto::coordination::Lease;

use super::{AGE, Cell, Column, NAME, Tabled, since, text};

impl Tabled for Lease {
    const COLUMNS: &'static [Column] = &[NAME, text("Holder", "Who holds the lease."), AGE];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            self.metadata.name.as_str().into(),
            self.spec.holder_identity.as_deref().unwrap_or_default().into(),
            since(self.metadata.creation_timestamp, now).into(),
        ]
    }
}
