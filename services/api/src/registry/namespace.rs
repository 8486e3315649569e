//! Namespaces: deleted in two phases, the second when their finalizers are gone.

use bytes::Bytes;
use keelson_base_model::field::ErrorList;
use keelson_base_model::namespace;
use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::core::Namespace;
use keelson_proto::meta::{DeleteOptions, Time};
use keelson_proto::v1::RawUpdateRequest;

use crate::errors::{dry_run, refused};
use crate::registry::mutate::Change;
use crate::registry::{Deletion, Registry, Strategy};

/// What is particular to namespaces.
pub(crate) struct NamespaceStrategy;

// === impl NamespaceStrategy ===

impl Strategy for NamespaceStrategy {
    type Object = Namespace;
    const PREFIX: &'static str = "/registry/namespaces/";
    const FIELDS: &'static [&'static str] = namespace::FIELDS;

    fn fields(object: &Namespace) -> Vec<(&'static str, String)> {
        super::fields_of(namespace::FIELDS, |field| namespace::fields(object, field))
    }

    fn set_defaults(&self, object: &mut Namespace) {
        namespace::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut Namespace) {
        namespace::prepare_create(object);
    }

    fn validate_create(&self, object: &Namespace) -> ErrorList {
        namespace::validate(object)
    }

    fn prepare_update(&self, new: &mut Namespace, old: &Namespace) {
        namespace::prepare_update(new, old);
    }

    fn validate_update(&self, new: &Namespace, old: &Namespace) -> ErrorList {
        namespace::validate_update(new, old)
    }

    fn has_status(&self) -> bool {
        true
    }

    fn prepare_status(&self, new: &mut Namespace, old: &Namespace) {
        namespace::prepare_status_update(new, old);
    }

    fn validate_status(&self, new: &Namespace, old: &Namespace) -> ErrorList {
        namespace::validate_status_update(new, old)
    }

    fn deletion(&self, object: &Namespace, _: &DeleteOptions) -> Result<Deletion<Namespace>, ApiError> {
        if object.metadata.deletion_timestamp.is_some() {
            if object.spec.finalizers.is_empty() {
                return Ok(Deletion::Now);
            }
            let why = "The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will automatically be purged by the system.";
            return Err(ApiError::conflict_because("namespaces", &object.metadata.name, why));
        }
        let mut marked = Box::new(object.clone());
        marked.metadata.deletion_timestamp = Some(Time::now());
        marked.metadata.deletion_grace_period_seconds = Some(0);
        marked.status.phase = "Terminating".to_owned();
        Ok(Deletion::Later(marked))
    }

    fn is_released(&self, object: &Namespace) -> bool {
        object.spec.finalizers.is_empty()
    }
}

// === impl Registry ===

impl Registry<NamespaceStrategy> {
    /// Replaces the finalizers of a namespace. One that is terminating and has none left is removed.
    ///
    /// # Errors
    /// BadRequest, NotFound, Conflict, Invalid.
    pub(crate) async fn finalize(&self, request: RawUpdateRequest) -> Result<Bytes, ApiError> {
        let wanted = Namespace::decode(request.object)
            .map_err(|error| ApiError::bad_request(format!("cannot decode the Namespace: {error}")))?;
        let dry_run = dry_run("UpdateOptions", &request.options.unwrap_or_default().dry_run)?;
        let name = if request.name.is_empty() { &wanted.metadata.name } else { &request.name };
        let finalized = self.mutate(name, dry_run, |old| {
            self.check_preconditions(&wanted.metadata, &old.metadata)?;
            let mut new = Box::new(wanted.clone());
            namespace::prepare_finalize(&mut new, old);
            refused(&*new, namespace::validate_finalize(&new, old))?;
            let meta = &new.metadata;
            let gone = meta.deletion_timestamp.is_some()
                && meta.finalizers.is_empty()
                && new.spec.finalizers.is_empty();
            Ok(if gone { Change::Remove(new) } else { Change::Write(new) })
        });
        Ok(finalized.await?.object)
    }
}
