//! `NamespaceLifecycle`: nothing is created in a namespace that is gone or going, and some namespaces never go.

use std::sync::Arc;

use keelson_api_store::{Compare, Expect};
use keelson_base_model::namespace::TERMINATING;
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::Namespace;

use super::{Ask, Lookups, Plugin, Subject};
use crate::cache::Cache;
use crate::errors::with_cause;
use crate::registry::{NamespaceStrategy, Strategy as _};

/// Namespaces that the system cannot be without.
pub(crate) const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

/// Refuses objects of namespaces that are not open.
pub(super) struct NamespaceLifecycle {
    namespaces: Arc<Cache>,
}

// === impl NamespaceLifecycle ===

impl NamespaceLifecycle {
    pub(super) fn new(lookups: &Lookups) -> Self {
        Self { namespaces: lookups.namespaces.clone() }
    }
}

impl Plugin for NamespaceLifecycle {
    fn admit(&self, _: Ask<'_>, new: &mut dyn Subject, terms: &mut Vec<Compare>) -> Result<(), ApiError> {
        if !new.kind().namespaced {
            return Ok(());
        }
        let meta = new.meta();
        let Some(namespace) = self.namespaces.get(&meta.namespace) else {
            return Err(ApiError::not_found(Namespace::KIND, &meta.namespace));
        };
        if namespace.field("status.phase") == TERMINATING {
            let why = format!(
                "unable to create new content in namespace {} because it is being terminated",
                meta.namespace
            );
            let cause = format!("namespace {} is being terminated", meta.namespace);
            let error = ApiError::forbidden(new.kind(), &meta.name, why);
            return Err(with_cause(error, "NamespaceTerminating", &cause, "metadata.namespace"));
        }
        // It must be so still when the object is stored.
        let key = format!("{}{}", NamespaceStrategy::PREFIX, meta.namespace);
        terms.push(Compare { key, expect: Expect::ModRevision(namespace.revision) });
        Ok(())
    }

    fn delete(&self, _: Ask<'_>, old: &dyn Subject) -> Result<(), ApiError> {
        let name = old.meta().name.as_str();
        if old.kind() == Namespace::KIND && IMMORTAL.contains(&name) {
            return Err(ApiError::forbidden(Namespace::KIND, name, "this namespace may not be deleted"));
        }
        Ok(())
    }
}
