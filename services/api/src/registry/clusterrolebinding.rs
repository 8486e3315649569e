//! Cluster role bindings.

use std::sync::Arc;

use keelson_base_model::field::ErrorList;
use keelson_base_model::status::ApiError;
use keelson_base_model::{meta, rbac};
use keelson_proto::rbac::ClusterRoleBinding;

use crate::auth::{Access, Caller};
use crate::registry::Strategy;

/// What is particular to cluster role bindings: nobody gives away what he does not have.
pub(crate) struct ClusterRoleBindingStrategy {
    pub(crate) access: Arc<Access>,
}

// === impl ClusterRoleBindingStrategy ===

impl Strategy for ClusterRoleBindingStrategy {
    type Object = ClusterRoleBinding;
    const PREFIX: &'static str = "/registry/clusterrolebindings/";
    const FIELDS: &'static [&'static str] = rbac::FIELDS;

    fn fields(object: &ClusterRoleBinding) -> Vec<(&'static str, String)> {
        super::fields_of(rbac::FIELDS, |field| rbac::fields(object, field))
    }

    fn set_defaults(&self, object: &mut ClusterRoleBinding) {
        rbac::set_cluster_role_binding_defaults(object);
    }

    fn validate_create(&self, object: &ClusterRoleBinding) -> ErrorList {
        rbac::validate_cluster_role_binding(object, None)
    }

    fn prepare_update(&self, new: &mut ClusterRoleBinding, old: &ClusterRoleBinding) {
        meta::prepare_update(&mut new.metadata, &old.metadata);
    }

    fn validate_update(&self, new: &ClusterRoleBinding, old: &ClusterRoleBinding) -> ErrorList {
        rbac::validate_cluster_role_binding(new, Some(old))
    }

    fn permits(
        &self,
        caller: &Caller,
        new: &ClusterRoleBinding,
        old: Option<&ClusterRoleBinding>,
    ) -> Result<(), ApiError> {
        self.access.permits_cluster_role_binding(caller, new, old)
    }
}
