//! Replacing an object, or its status.

use bytes::Bytes;
use keelson_base_model::field::{FieldError, Path};
use keelson_base_model::meta;
use keelson_base_model::status::ApiError;
use keelson_proto::meta::{CreateOptions, ObjectMeta};
use keelson_proto::v1::RawUpdateRequest;
use keelson_proto::{Kind, Message, Object};

use crate::auth::Caller;
use crate::errors::{dry_run, refused};
use crate::registry::create::place;
use crate::registry::managed::{self, Managing};
use crate::registry::mutate::Change;
use crate::registry::{Registry, Strategy};

/// How often an update that creates runs again because somebody else created or deleted meanwhile.
const MOST_TRIES: usize = 8;

/// Which part of an object a write is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but the status, where the kind has one.
    Whole,
    /// The status alone.
    Status,
}

// === impl Part ===

impl Part {
    /// The subresource that the part is written through.
    pub(crate) fn subresource(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Status => "status",
        }
    }
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Replaces an object and answers with it.
    ///
    /// # Errors
    /// BadRequest, NotFound, Conflict, Invalid, and what admission refuses.
    pub(crate) async fn update(
        &self,
        caller: &Caller,
        request: RawUpdateRequest,
        part: Part,
    ) -> Result<Bytes, ApiError> {
        let mut new = S::Object::decode(request.object).map_err(|error| {
            ApiError::bad_request(format!("cannot decode the {}: {error}", S::Object::KIND.kind))
        })?;
        place::<S>(&mut new, &request.namespace)?;
        let options = request.options.unwrap_or_default();
        let dry_run = dry_run("UpdateOptions", &options.dry_run)?;
        let meta = new.metadata_mut();
        if meta.name.is_empty() {
            meta.name = request.name.clone();
        }
        if !request.name.is_empty() && meta.name != request.name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                meta.name, request.name
            )));
        }
        let path = Self::path(&new.metadata().namespace, &new.metadata().name);
        let creates = part == Part::Whole && self.strategy.create_on_update();
        let create = CreateOptions { dry_run: options.dry_run.clone(), ..CreateOptions::default() };
        for _ in 0..MOST_TRIES {
            let updated = self.mutate(&path, dry_run, |old| {
                self.replaced(caller, new.clone(), old, part, Managing::By(&options.field_manager))
            });
            match updated.await {
                Err(error) if error.is_not_found() && creates => {}
                written => return Ok(written?.object),
            }
            match self.create_missing(caller, &request.namespace, &new, &create).await {
                Err(error) if error.is_already_exists() => {}
                created => return created,
            }
        }
        Err(ApiError::conflict(S::Object::KIND, &new.metadata().name))
    }

    /// Creates what was to be replaced and is not there, unless the client means an object that was there once.
    async fn create_missing(
        &self,
        caller: &Caller,
        namespace: &str,
        new: &S::Object,
        options: &CreateOptions,
    ) -> Result<Bytes, ApiError> {
        check_uid(
            S::Object::KIND,
            new.metadata(),
            &ObjectMeta { name: new.metadata().name.clone(), ..ObjectMeta::default() },
        )?;
        let mut new = new.clone();
        new.metadata_mut().resource_version.clear();
        self.create_object(caller, namespace, new, options).await
    }

    /// What an update makes of an object: the checks that every way of changing one goes through.
    pub(super) fn replaced(
        &self,
        caller: &Caller,
        mut new: S::Object,
        old: &S::Object,
        part: Part,
        managing: Managing<'_>,
    ) -> Result<Change<S::Object>, ApiError> {
        self.check_preconditions(new.metadata(), old.metadata())?;
        if part == Part::Status && new.metadata().resource_version.is_empty() {
            // Who names no version may not have seen the metadata as they are now, a finalizer among them.
            new.metadata_mut().clone_from(old.metadata());
        }
        meta::prepare_update(new.metadata_mut(), old.metadata());
        self.strategy.set_defaults(&mut new);
        let errors = match part {
            Part::Whole => {
                self.strategy.prepare_update(&mut new, old);
                self.admission.update::<S::Object>(caller, &new, old)?;
                self.strategy.validate_update(&new, old)
            }
            Part::Status => {
                self.strategy.prepare_status(&mut new, old);
                self.admission.update::<S::Object>(caller, &new, old)?;
                self.strategy.validate_status(&new, old)
            }
        };
        refused(&new, errors)?;
        if part == Part::Whole {
            self.strategy.permits(caller, &new, Some(old))?;
        }
        self.strategy.canonicalize(&mut new);
        // Services speak gRPC and need not call themselves something: who they are will do.
        let managing = match managing {
            Managing::By("") => Managing::By(&caller.user),
            managing => managing,
        };
        managed::settle(&mut new, old, part, managing)?;
        let meta = new.metadata();
        let released = meta.deletion_timestamp.is_some()
            && meta.finalizers.is_empty()
            && self.strategy.is_released(&new);
        Ok(if released { Change::Remove(Box::new(new)) } else { Change::Write(Box::new(new)) })
    }

    /// That the client has seen the object that it replaces.
    pub(super) fn check_preconditions(&self, new: &ObjectMeta, old: &ObjectMeta) -> Result<(), ApiError> {
        let kind = S::Object::KIND;
        check_uid(kind, new, old)?;
        match new.resource_version.as_str() {
            "" if self.strategy.unconditional_update() => Ok(()),
            "" => {
                let path = Path::new("metadata").child("resourceVersion");
                let error = FieldError::invalid(&path, "", "must be specified for an update");
                Err(ApiError::invalid(kind, &old.name, error.into()))
            }
            version if version == old.resource_version => Ok(()),
            _ => Err(ApiError::conflict(kind, &old.name)),
        }
    }
}

/// That the object is the one that the client means.
fn check_uid(kind: &'static Kind, new: &ObjectMeta, old: &ObjectMeta) -> Result<(), ApiError> {
    if new.uid.is_empty() || new.uid == old.uid {
        return Ok(());
    }
    let why =
        format!("Precondition failed: UID in precondition: {}, UID in object meta: {}", new.uid, old.uid);
    Err(ApiError::conflict_because(kind, &old.name, why))
}
