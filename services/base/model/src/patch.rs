//! Patches: how a change that a client describes becomes a new object.
//!
//! Three forms exist (RFC 6902, RFC 7396 and Kubernetes' strategic merge), all of them functions from a JSON
//! object and a patch to a JSON object. A patch that cannot be applied changes nothing. What a patch can make
//! of a small request is bounded: operations, depth and size of the result.

mod json;
mod schema;
mod strategic;

use std::io;

use serde_json::Value;

pub(crate) use self::schema::ListType;
pub use self::schema::Schema;
use crate::status::ApiError;

/// The most operations of one JSON patch; Kubernetes has the same bound.
pub const MAX_OPERATIONS: usize = 10_000;

/// The most bytes of a patched object's JSON, and of what `copy` operations add up to; Kubernetes' bound for
/// a request body.
pub const MAX_BYTES: usize = 3 << 20;

/// The deepest nesting of a patched object: what JSON readers accept.
const MAX_DEPTH: usize = 128;

/// The form of a patch: its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A list of operations, RFC 6902.
    Json,
    /// A partial object, RFC 7396: null removes, lists are replaced.
    Merge,
    /// A partial object with directives, whose lists merge by the keys that the types declare.
    Strategic,
}

/// Applies `patch` to `object`, the JSON of the message that `schema` describes.
///
/// Fails with `BadRequest` when the patch cannot be read or breaks its own rules, with `Invalid` when its
/// operations do not fit the object, with `RequestEntityTooLarge` beyond the bounds.
pub fn apply(form: Form, schema: Schema, object: &Value, patch: &[u8]) -> Result<Value, ApiError> {
    let mut patched = object.clone();
    match form {
        Form::Json => json::apply(&mut patched, patch)?,
        Form::Merge => json_patch::merge(&mut patched, &partial_object(patch)?),
        Form::Strategic => strategic_merge(&mut patched, &partial_object(patch)?, schema)?,
    }
    if size(&patched) > MAX_BYTES {
        return Err(too_large(format!("the patched object has more than {MAX_BYTES} bytes")));
    }
    Ok(patched)
}

/// Merges `patch` into `original` as `schema` says; on failure `original` is as before.
pub fn strategic_merge(original: &mut Value, patch: &Value, schema: Schema) -> Result<(), ApiError> {
    let merged = strategic::merge(original, patch, schema)
        .map_err(|fault| ApiError::bad_request(fault.to_string()))?;
    *original = merged;
    Ok(())
}

fn partial_object(patch: &[u8]) -> Result<Value, ApiError> {
    let value: Value = serde_json::from_slice(patch)
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    if value.is_object() {
        return Ok(value);
    }
    Err(ApiError::bad_request("error decoding patch: a merge patch is a JSON object".to_owned()))
}

fn too_large(message: String) -> ApiError {
    ApiError::request_entity_too_large(message)
}

/// Bytes of the value's JSON.
fn size(value: &Value) -> usize {
    let mut count = Count(0);
    // A Count accepts every write.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Counts what is written to it.
struct Count(usize);

// === impl Form ===

impl Form {
    /// All forms, in the order in which servers name them.
    pub const ALL: [Self; 3] = [Self::Json, Self::Merge, Self::Strategic];

    /// The form with this media type; parameters such as a charset do not matter.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let name = content_type.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|form| name.eq_ignore_ascii_case(form.content_type()))
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
        }
    }
}

// === impl Count ===

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
