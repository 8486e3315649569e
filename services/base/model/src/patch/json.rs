//! JSON patch (RFC 6902), one operation after the other, so that each can be checked against the bounds.

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use super::{MAX_BYTES, MAX_DEPTH, MAX_OPERATIONS, size, too_large};
use crate::status::{ApiError, Reason};

/// The most values that all operations of a patch may touch: an object of a thousand values in each of them.
const MAX_VALUES: usize = 1000 * MAX_OPERATIONS;

/// What the operations so far have used of the bounds.
#[derive(Default)]
struct Used {
    /// Bytes that were copied.
    bytes: usize,
    /// Values that were added, moved or copied.
    values: usize,
}

/// Applies all operations, or fails; what `document` holds after a failure is of no use.
pub(super) fn apply(document: &mut Value, patch: &[u8]) -> Result<(), ApiError> {
    let Patch(operations) = serde_json::from_slice(patch)
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    let count = operations.len();
    if count > MAX_OPERATIONS {
        let why = format!("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {count}");
        return Err(too_large(why));
    }
    let mut used = Used::default();
    for (index, operation) in operations.iter().enumerate() {
        used.count(document, operation, index)?;
        if tests_that_nothing_is_there(document, operation) {
            continue;
        }
        json_patch::patch_unsafe(document, std::slice::from_ref(operation)).map_err(|error| {
            let path = operation.path().as_str();
            let why = format!("operation {index} of the JSON patch, at {path:?}: {}", error.kind);
            ApiError::new(Reason::Invalid, why)
        })?;
    }
    Ok(())
}

// === impl Used ===

impl Used {
    /// Counts an operation before it is applied; an error if it goes beyond a bound.
    fn count(&mut self, document: &Value, operation: &PatchOperation, index: usize) -> Result<(), ApiError> {
        let value = match operation {
            PatchOperation::Add(add) => Some(&add.value),
            PatchOperation::Replace(replace) => Some(&replace.value),
            PatchOperation::Move(step) => step.from.resolve(document).ok(),
            PatchOperation::Copy(copy) => copy.from.resolve(document).ok(),
            PatchOperation::Remove(_) | PatchOperation::Test(_) => None,
        };
        let Some(value) = value else { return Ok(()) };
        let (depth, values) = extent(value);
        if operation.path().count() + depth > MAX_DEPTH {
            let why = format!("operation {index} would nest values more than {MAX_DEPTH} deep");
            return Err(ApiError::bad_request(why));
        }
        self.values += values;
        if matches!(operation, PatchOperation::Copy(_)) {
            self.bytes += size(value);
        }
        if self.bytes > MAX_BYTES || self.values > MAX_VALUES {
            return Err(too_large(format!("operations up to {index} move or copy too much")));
        }
        Ok(())
    }
}

/// Whether this tests that a field is null, which is not there at all. To RFC 6902 that is a failure, to Kubernetes
/// (evanphx/json-patch) it is none, and operators rely on it: so kube-rs makes sure that its finalizer is the first.
fn tests_that_nothing_is_there(document: &Value, operation: &PatchOperation) -> bool {
    let PatchOperation::Test(test) = operation else { return false };
    let Some((parent, field)) = test.path.split_back().filter(|_| test.value.is_null()) else { return false };
    let fields = parent.resolve(document).ok().and_then(Value::as_object);
    fields.is_some_and(|fields| !fields.contains_key(field.decoded().as_ref()))
}

/// Levels of lists and objects, 0 for a scalar; and the number of values, itself included.
fn extent(value: &Value) -> (usize, usize) {
    let join = |(depth, values): (usize, usize), (below, more): (usize, usize)| {
        (depth.max(1 + below), values + more)
    };
    match value {
        Value::Array(items) => items.iter().map(extent).fold((1, 1), join),
        Value::Object(fields) => fields.values().map(extent).fold((1, 1), join),
        _ => (0, 1),
    }
}
