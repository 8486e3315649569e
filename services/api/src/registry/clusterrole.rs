//! Cluster roles.

use std::sync::Arc;

use keelson_base_model::field::ErrorList;
use keelson_base_model::status::ApiError;
use keelson_base_model::{meta, rbac};
use keelson_proto::rbac::ClusterRole;

use crate::auth::{Access, Caller};
use crate::registry::Strategy;

/// What is particular to cluster roles: nobody gives away what he does not have.
pub(crate) struct ClusterRoleStrategy {
    pub(crate) access: Arc<Access>,
}

// === impl ClusterRoleStrategy ===

impl Strategy for ClusterRoleStrategy {
    type Object = ClusterRole;
    const PREFIX: &'static str = "/registry/clusterroles/";
    const FIELDS: &'static [&'static str] = rbac::FIELDS;

    fn fields(object: &ClusterRole) -> Vec<(&'static str, String)> {
        super::fields_of(rbac::FIELDS, |field| rbac::fields(object, field))
    }

    fn set_defaults(&self, object: &mut ClusterRole) {
        rbac::set_cluster_role_defaults(object);
    }

    fn validate_create(&self, object: &ClusterRole) -> ErrorList {
        rbac::validate_cluster_role(object, None)
    }

    fn prepare_update(&self, new: &mut ClusterRole, old: &ClusterRole) {
        meta::prepare_update(&mut new.metadata, &old.metadata);
    }

    fn validate_update(&self, new: &ClusterRole, old: &ClusterRole) -> ErrorList {
        rbac::validate_cluster_role(new, Some(old))
    }

    fn permits(&self, caller: &Caller, new: &ClusterRole, old: Option<&ClusterRole>) -> Result<(), ApiError> {
        self.access.permits_cluster_role(caller, new, old)
    }
}
