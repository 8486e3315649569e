//! The row of a resource quota: what is used of what may be.

use jiff::Timestamp;
use keelson_proto::core::ResourceQuota;

use super::{AGE, Cell, Column, NAME, Tabled, quantity, since, text};

impl Tabled for ResourceQuota {
    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Request", "What is used and what may be, of objects and of what containers request."),
        text("Limit", "What is used and what may be, of what containers are limited to."),
        AGE,
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let status = &self.status;
        let (limits, requests): (Vec<_>, Vec<_>) =
            status.hard.keys().partition(|name| name.starts_with("limits."));
        let list = |names: Vec<&String>| {
            let one = |name: &String| {
                format!("{name}: {}/{}", quantity(&status.used, name), quantity(&status.hard, name))
            };
            names.into_iter().map(one).collect::<Vec<_>>().join(", ")
        };
        vec![
            self.metadata.name.as_str().into(),
            list(requests).into(),
            list(limits).into(),
            since(self.metadata.creation_timestamp, now).into(),
        ]
    }
}
