//! Role bindings.

use std::sync::Arc;

use keelson_base_model::field::ErrorList;
use keelson_base_model::status::ApiError;
use keelson_base_model::{meta, rbac};
use keelson_proto::rbac::RoleBinding;

use crate::auth::{Access, Caller};
use crate::registry::Strategy;

/// What is particular to role bindings: nobody gives away what he does not have.
pub(crate) struct RoleBindingStrategy {
    pub(crate) access: Arc<Access>,
}

// === impl RoleBindingStrategy ===

impl Strategy for RoleBindingStrategy {
    type Object = RoleBinding;
    const PREFIX: &'static str = "/registry/rolebindings/";
    const FIELDS: &'static [&'static str] = rbac::FIELDS;

    fn fields(object: &RoleBinding) -> Vec<(&'static str, String)> {
        super::fields_of(rbac::FIELDS, |field| rbac::fields(object, field))
    }

    fn set_defaults(&self, object: &mut RoleBinding) {
        rbac::set_role_binding_defaults(object);
    }

    fn validate_create(&self, object: &RoleBinding) -> ErrorList {
        rbac::validate_role_binding(object, None)
    }

    fn prepare_update(&self, new: &mut RoleBinding, old: &RoleBinding) {
        meta::prepare_update(&mut new.metadata, &old.metadata);
    }

    fn validate_update(&self, new: &RoleBinding, old: &RoleBinding) -> ErrorList {
        rbac::validate_role_binding(new, Some(old))
    }

    fn permits(&self, caller: &Caller, new: &RoleBinding, old: Option<&RoleBinding>) -> Result<(), ApiError> {
        self.access.permits_role_binding(caller, new, old)
    }
}
