//! The row of a secret: how much it holds, never what.

use jiff::Timestamp;
use keelson_proto::core::Secret;

use super::{AGE, Cell, Column, NAME, Tabled, number, since, text};

impl Tabled for Secret {
    const COLUMNS: &'static [Column] =
        &[NAME, text("Type", "What the secret is for."), number("Data", "Number of entries."), AGE];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            self.metadata.name.as_str().into(),
            self.r#type.as_str().into(),
            self.data.len().into(),
            since(self.metadata.creation_timestamp, now).into(),
        ]
    }
}
