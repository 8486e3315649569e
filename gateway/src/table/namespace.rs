//! The row of a namespace.

use jiff::Timestamp;
use keelson_proto::core::Namespace;

use super::{AGE, Cell, Column, NAME, Tabled, since, text};

impl Tabled for Namespace {
    const COLUMNS: &'static [Column] =
        &[NAME, text("Status", "Whether the namespace is active or on its way out."), AGE];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            self.metadata.name.as_str().into(),
            self.status.phase.as_str().into(),
            since(self.metadata.creation_timestamp, now).into(),
        ]
    }
}
