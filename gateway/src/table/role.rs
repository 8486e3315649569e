//! The rows of roles.

use jiff::Timestamp;
use keelson_proto::rbac::{ClusterRole, Role};

use super::{Cell, Column, NAME, Tabled, created, date};

impl Tabled for ClusterRole {
    const COLUMNS: &'static [Column] = &[NAME, date("Created At", "When the object was created.")];

    fn cells(&self, _: Timestamp) -> Vec<Cell> {
        vec![self.metadata.name.as_str().into(), created(self.metadata.creation_timestamp).into()]
    }
}

impl Tabled for Role {
    const COLUMNS: &'static [Column] = &[NAME, date("Created At", "When the object was created.")];

    fn cells(&self, _: Timestamp) -> Vec<Cell> {
        vec![self.metadata.name.as_str().into(), created(self.metadata.creation_timestamp).into()]
    }
}
