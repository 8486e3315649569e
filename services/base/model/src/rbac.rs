//! Roles and their bindings: their defaults and rules, and what a policy rule covers.

mod rules;
mod validate;

use std::borrow::Cow;

use keelson_proto::Object;
use keelson_proto::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef, Subject};

pub use self::rules::{Asked, allows, allows_path, covers, covers_path, uncovered};
pub use self::validate::{
    validate_cluster_role, validate_cluster_role_binding, validate_role, validate_role_binding,
    validate_role_ref_update,
};
use crate::meta;

/// The API group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// What a subject is.
pub mod subject_kind {
    /// A user.
    pub const USER: &str = "User";
    /// A group of users.
    pub const GROUP: &str = "Group";
    /// A service account.
    pub const SERVICE_ACCOUNT: &str = "ServiceAccount";
}

/// The fields that roles and bindings can be selected by.
pub const FIELDS: &[&str] = meta::FIELDS;

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a, K: Object>(object: &'a K, field: &str) -> Option<Cow<'a, str>> {
    meta::fields(object.metadata(), field)
}

/// A role has no defaults; the function is here because every kind has it.
pub fn set_role_defaults(_: &mut Role) {}

/// A cluster role has no defaults; the function is here because every kind has it.
pub fn set_cluster_role_defaults(_: &mut ClusterRole) {}

/// Fills in the API groups of subjects and role.
pub fn set_role_binding_defaults(binding: &mut RoleBinding) {
    set_defaults(&mut binding.subjects, &mut binding.role_ref);
}

/// Fills in the API groups of subjects and role.
pub fn set_cluster_role_binding_defaults(binding: &mut ClusterRoleBinding) {
    set_defaults(&mut binding.subjects, &mut binding.role_ref);
}

fn set_defaults(subjects: &mut [Subject], role: &mut RoleRef) {
    for subject in subjects {
        let of_rbac = [subject_kind::USER, subject_kind::GROUP].contains(&subject.kind.as_str());
        if of_rbac && subject.api_group.is_empty() {
            subject.api_group = GROUP.to_owned();
        }
    }
    if role.api_group.is_empty() {
        role.api_group = GROUP.to_owned();
    }
}

#[cfg(test)]
mod tests;
