//! The row of a service account.

use jiff::Timestamp;
use keelson_proto::core::ServiceAccount;

use super::{AGE, Cell, Column, NAME, Tabled, number, since};

impl Tabled for ServiceAccount {
    const COLUMNS: &'static [Column] =
        &[NAME, number("Secrets", "Number of secrets that pods of the account may use."), AGE];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            self.metadata.name.as_str().into(),
            self.secrets.len().into(),
            since(self.metadata.creation_timestamp, now).into(),
        ]
    }
}
