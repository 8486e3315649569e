//! The row of a config map.

use jiff::Timestamp;
use keelson_proto::core::ConfigMap;

use super::{AGE, Cell, Column, NAME, Tabled, number, since};

impl Tabled for ConfigMap {
    const COLUMNS: &'static [Column] = &[NAME, number("Data", "Number of entries."), AGE];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        vec![
            self.metadata.name.as_str().into(),
            (self.data.len() + self.binary_data.len()).into(),
            since(self.metadata.creation_timestamp, now).into(),
        ]
    }
}
