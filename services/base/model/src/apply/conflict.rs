//! Telling an applier whose fields it would change.

use keelson_proto::meta::StatusCause;

use super::managers::Entry;
use super::path::{Step, Written};
use crate::status::{ApiError, Reason};

/// A field that somebody else owns, and the configuration would change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conflict {
    /// Who owns it, as people are told.
    who: String,
    way: Vec<Step>,
}

// === impl Conflict ===

impl Conflict {
    /// The conflict with the owner of a field.
    pub(super) fn with(owner: &Entry, way: Vec<Step>) -> Self {
        Self { who: owner.described(), way }
    }

    /// The way to the field.
    pub(super) fn path(&self) -> &[Step] {
        &self.way
    }

    /// The refusal, in Kubernetes' words: kubectl shows them, and counts the causes.
    pub(super) fn error(conflicts: &[Self]) -> ApiError {
        let mut message = match conflicts {
            [one] => {
                format!("Apply failed with 1 conflict: conflict with {}: {}", one.who, Written(&one.way))
            }
            many => format!("Apply failed with {} conflicts: ", many.len()),
        };
        if conflicts.len() > 1 {
            let mut owners: Vec<&str> = conflicts.iter().map(|conflict| conflict.who.as_str()).collect();
            owners.sort_unstable();
            owners.dedup();
            let mut lines = Vec::new();
            for owner in owners {
                lines.push(format!("conflicts with {owner}:"));
                let theirs = conflicts.iter().filter(|conflict| conflict.who == owner);
                lines.extend(theirs.map(|conflict| format!("- {}", Written(&conflict.way))));
            }
            message.push_str(&lines.join("\n"));
        }
        let causes = conflicts.iter().map(|conflict| StatusCause {
            reason: "FieldManagerConflict".to_owned(),
            message: format!("conflict with {}", conflict.who),
            field: Written(&conflict.way).to_string(),
        });
        let mut status = ApiError::new(Reason::Conflict, message).into_status();
        status.details.get_or_insert_default().causes = causes.collect();
        ApiError::from_status(status)
    }
}
