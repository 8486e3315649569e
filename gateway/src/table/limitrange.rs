//! The row of a limit range.

use jiff::Timestamp;
use keelson_proto::core::LimitRange;

use super::{Cell, Column, NAME, Tabled, UNKNOWN, date};

impl Tabled for LimitRange {
    const COLUMNS: &'static [Column] = &[NAME, date("Created At", "When the object was created.")];

    fn cells(&self, _: Timestamp) -> Vec<Cell> {
        let created = self.metadata.creation_timestamp;
        vec![
            self.metadata.name.as_str().into(),
            created.map_or_else(|| UNKNOWN.to_owned(), |created| created.to_string()).into(),
        ]
    }
}
