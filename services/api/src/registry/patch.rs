//! Changing part of an object: the patch is applied to the object's JSON, and what comes of it goes the way
//! of an update.

use bytes::Bytes;
use keelson_base_model::patch::{self, Form, Schema};
use keelson_base_model::status::ApiError;
use keelson_proto::v1::PatchRequest;
use keelson_proto::{Object, json};

use crate::auth::Caller;
use crate::errors::dry_run;
use crate::registry::update::Part;
use crate::registry::{Registry, Strategy};

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Changes part of an object and answers with all of it. A lost race is run again with the patch applied
    /// to the newer object, unless the patch names a resourceVersion.
    ///
    /// # Errors
    /// UnsupportedMediaType, BadRequest, Invalid, NotFound, Conflict, and what admission refuses.
    pub(crate) async fn patch(&self, caller: &Caller, request: PatchRequest) -> Result<Bytes, ApiError> {
        let part = match request.subresource.as_str() {
            "" => Part::Whole,
            "status" if self.strategy.has_status() => Part::Status,
            other => {
                return Err(ApiError::bad_request(format!(
                    "{} have no subresource {other:?} to patch",
                    S::Object::KIND.plural
                )));
            }
        };
        let dry_run = dry_run("PatchOptions", &request.options.unwrap_or_default().dry_run)?;
        let form = Form::from_content_type(&request.content_type).ok_or_else(|| {
            ApiError::unsupported_media_type(
                &[Form::Json, Form::Merge, Form::Strategic].map(Form::content_type),
            )
        })?;
        let path = Self::path(&request.namespace, &request.name);
        let patched = self.mutate(&path, dry_run, |old| {
            let new = patched(form, &request.patch, old)?;
            if new.metadata().name != request.name || new.metadata().namespace != old.metadata().namespace {
                return Err(ApiError::bad_request(
                    "a patch may not change the name or namespace of an object",
                ));
            }
            self.replaced(caller, new, old, part)
        });
        Ok(patched.await?.object)
    }
}

/// An object with a patch applied.
pub(super) fn patched<K: Object>(form: Form, patch: &[u8], old: &K) -> Result<K, ApiError> {
    let value = serde_json::to_value(old).map_err(|error| {
        ApiError::internal(format!("cannot write a stored {} as JSON: {error}", K::KIND.kind))
    })?;
    let value = patch::apply(form, Schema::of_kind(K::KIND), &value, patch)?;
    let (new, _) = json::from_deserializer::<K, _>(value).map_err(|error| {
        ApiError::bad_request(format!("the patched object is no {}: {error}", K::KIND.kind))
    })?;
    Ok(new)
}
