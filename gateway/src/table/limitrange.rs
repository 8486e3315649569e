//! The row of a limit range.

use jiff::Timestamp;
use keelson_proto::core::LimitRange;

use super::{Cell, Column, NAME, Tabled, created, date};

impl Tabled for LimitRange {
    const COLUMNS: &'static [Column] = &[NAME, date("Created At", "When the object was created.")];

    fn cells(&self, _: Timestamp) -> Vec<Cell> {
        vec![self.metadata.name.as_str().into(), created(self.metadata.creation_timestamp).into()]
    }
}
