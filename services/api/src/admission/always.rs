//! `AlwaysDeny`: nothing is written. (`AlwaysAdmit` has nothing to say, and so no plugin.)

use keelson_api_store::Compare;
use keelson_base_model::status::ApiError;

use super::{Ask, Connect, Plugin, Subject};

const WHY: &str = "admission control is denying all modifications";

/// Refuses everything.
pub(super) struct AlwaysDeny;

// === impl AlwaysDeny ===

impl Plugin for AlwaysDeny {
    fn admit(&self, _: Ask<'_>, new: &mut dyn Subject, _: &mut Vec<Compare>) -> Result<(), ApiError> {
        refuse(new)
    }

    fn update(&self, _: Ask<'_>, new: &dyn Subject, _: &dyn Subject) -> Result<(), ApiError> {
        refuse(new)
    }

    fn delete(&self, _: Ask<'_>, old: &dyn Subject) -> Result<(), ApiError> {
        refuse(old)
    }

    fn connect(&self, connect: &Connect<'_>) -> Result<(), ApiError> {
        Err(ApiError::forbidden(connect.kind, connect.name, WHY))
    }
}

fn refuse(subject: &dyn Subject) -> Result<(), ApiError> {
    Err(ApiError::forbidden(subject.kind(), &subject.meta().name, WHY))
}
