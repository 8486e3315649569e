//! `NamespaceExists`: nothing is written into a namespace that is not there. (`NamespaceLifecycle` says the same of what
//! is created, and more.)

use std::sync::Arc;

use keelson_api_store::Compare;
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::Namespace;

use super::{Ask, Lookups, Plugin, Subject};
use crate::cache::Cache;

/// Refuses objects of namespaces that are not there.
pub(super) struct NamespaceExists {
    namespaces: Arc<Cache>,
}

// === impl NamespaceExists ===

impl NamespaceExists {
    pub(super) fn new(lookups: &Lookups) -> Self {
        Self { namespaces: lookups.namespaces.clone() }
    }
}

impl Plugin for NamespaceExists {
    fn admit(&self, _: Ask<'_>, new: &mut dyn Subject, _: &mut Vec<Compare>) -> Result<(), ApiError> {
        let namespace = &new.meta().namespace;
        if new.kind().namespaced && self.namespaces.get(namespace).is_none() {
            return Err(ApiError::not_found(Namespace::KIND, namespace));
        }
        Ok(())
    }
}
