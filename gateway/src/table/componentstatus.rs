//! The row of a component status.

use jiff::Timestamp;
use keelson_proto::core::ComponentStatus;

use super::{Cell, Column, NAME, Tabled, text};

impl Tabled for ComponentStatus {
    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Status", "Whether the component is healthy."),
        text("Message", "What the component says."),
        text("Error", "Why it could not be asked."),
    ];

    fn cells(&self, _: Timestamp) -> Vec<Cell> {
        let found = self.conditions.iter().find(|condition| condition.r#type == "Healthy");
        let status = match found.map(|condition| condition.status.as_str()) {
            Some("True") => "Healthy",
            Some("False") => "Unhealthy",
            _ => "Unknown",
        };
        let said =
            |text: fn(&keelson_proto::core::ComponentCondition) -> &str| found.map(text).unwrap_or_default();
        vec![
            self.metadata.name.as_str().into(),
            status.into(),
            said(|condition| &condition.message).into(),
            said(|condition| &condition.error).into(),
        ]
    }
}
