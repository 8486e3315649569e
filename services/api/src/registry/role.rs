//! Roles.

use std::sync::Arc;

use keelson_base_model::field::ErrorList;
use keelson_base_model::status::ApiError;
use keelson_base_model::{meta, rbac};
use keelson_proto::rbac::Role;

use crate::auth::{Access, Caller};
use crate::registry::Strategy;

/// What is particular to roles: nobody gives away what he does not have.
pub(crate) struct RoleStrategy {
    pub(crate) access: Arc<Access>,
}

// === impl RoleStrategy ===

impl Strategy for RoleStrategy {
    type Object = Role;
    const PREFIX: &'static str = "/registry/roles/";
    const FIELDS: &'static [&'static str] = rbac::FIELDS;

    fn fields(object: &Role) -> Vec<(&'static str, String)> {
        super::fields_of(rbac::FIELDS, |field| rbac::fields(object, field))
    }

    fn set_defaults(&self, object: &mut Role) {
        rbac::set_role_defaults(object);
    }

    fn validate_create(&self, object: &Role) -> ErrorList {
        rbac::validate_role(object, None)
    }

    fn prepare_update(&self, new: &mut Role, old: &Role) {
        meta::prepare_update(&mut new.metadata, &old.metadata);
    }

    fn validate_update(&self, new: &Role, old: &Role) -> ErrorList {
        rbac::validate_role(new, Some(old))
    }

    fn permits(&self, caller: &Caller, new: &Role, old: Option<&Role>) -> Result<(), ApiError> {
        self.access.permits_role(caller, new, old)
    }
}
