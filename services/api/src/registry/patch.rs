//! Changing part of an object: the patch is applied to the object's JSON, and what comes of it goes the way
//! of an update.

use bytes::Bytes;
use keelson_base_model::field::{FieldError, Path};
use keelson_base_model::patch::{self, Form, Schema};
use keelson_base_model::status::ApiError;
use keelson_proto::v1::PatchRequest;
use keelson_proto::{Object, json};

use crate::auth::Caller;
use crate::errors::{dry_run, invalid_options};
use crate::notes;
use crate::registry::managed::{self, Managing};
use crate::registry::update::Part;
use crate::registry::{Registry, Strategy, apply};

/// An object with a patch applied, and the fields of the patch that its kind does not have.
struct Patched<K> {
    object: K,
    unknown: Vec<String>,
}

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
        if request.content_type == apply::CONTENT_TYPE {
            return self.apply(caller, request, part).await;
        }
        let form = Form::from_content_type(&request.content_type).ok_or_else(|| {
            let forms = [Form::Json, Form::Merge, Form::Strategic].map(Form::content_type);
            ApiError::unsupported_media_type(&[&forms[..], &[apply::CONTENT_TYPE]].concat())
        })?;
        let options = request.options.unwrap_or_default();
        let dry_run = dry_run("PatchOptions", &options.dry_run)?;
        if options.force.is_some() {
            let why = "may not be specified for non-apply patch";
            return Err(invalid_options("PatchOptions", FieldError::forbidden(&Path::new("force"), why)));
        }
        let path = Self::path(&request.namespace, &request.name);
        let written = self.mutate(&path, dry_run, |old| {
            let Patched { object: new, unknown } = patched(form, &request.patch, old)?;
            if new.metadata().name != request.name || new.metadata().namespace != old.metadata().namespace {
                return Err(ApiError::bad_request(
                    "a patch may not change the name or namespace of an object",
                ));
            }
            match options.field_validation.as_str() {
                "Strict" if !unknown.is_empty() => {
                    let why = format!("strict decoding error: {}", unknown.join(", "));
                    let given = String::from_utf8_lossy(&request.patch).into_owned();
                    let error = FieldError::invalid(&Path::new("patch"), given, why);
                    return Err(ApiError::invalid(S::Object::KIND, &request.name, error.into()));
                }
                "Ignore" => {}
                _ => notes::warn(unknown),
            }
            self.replaced(caller, new, old, part, Managing::By(&options.field_manager))
        });
        Ok(written.await?.object)
    }
}

fn patched<K: Object>(form: Form, patch: &[u8], old: &K) -> Result<Patched<K>, ApiError> {
    let value = patch::apply(form, Schema::of_kind(K::KIND), &managed::json(old)?, patch)?;
    let (object, report) = json::from_deserializer::<K, _>(value).map_err(|error| {
        ApiError::bad_request(format!("the patched object is no {}: {error}", K::KIND.kind))
    })?;
    let unknown = report.unknown.iter().map(|path| format!("unknown field {path:?}"));
    Ok(Patched { object, unknown: unknown.collect() })
}
