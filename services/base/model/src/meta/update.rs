//! The rules for metadata that changes.

use keelson_proto::meta::{ObjectMeta, Time};
use serde_json::Value;

use crate::field::{ErrorList, FieldError, Path};

/// What a field says that may not change.
pub(crate) const IMMUTABLE: &str = "field is immutable";

/// Carries over what a client may leave out, or cannot change, from the stored object: uid, the timestamps and
/// the generation (which the kind's own rules raise).
pub fn prepare_update(new: &mut ObjectMeta, old: &ObjectMeta) {
    if new.uid.is_empty() {
        new.uid.clone_from(&old.uid);
    }
    if old.creation_timestamp.is_some() {
        new.creation_timestamp = old.creation_timestamp;
    }
    if old.deletion_timestamp.is_some() {
        new.deletion_timestamp = old.deletion_timestamp;
        if new.deletion_grace_period_seconds.is_none() {
            new.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
        }
    }
    new.generation = old.generation;
    new.self_link.clear();
}

/// Checks that what must stay has stayed: name, namespace, uid, timestamps; and that an object that is being
/// deleted gets no new finalizers. Call [`prepare_update`] first.
pub fn validate_update(new: &ObjectMeta, old: &ObjectMeta, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    validate_finalizers(new, old, path, &mut errors);
    if new.generation < old.generation {
        let path = path.child("generation");
        errors.push(FieldError::invalid(&path, new.generation, "must not be decremented"));
    }
    let grace = (new.deletion_grace_period_seconds, old.deletion_grace_period_seconds);
    let fixed: [(&str, Value, Value); 6] = [
        ("name", new.name.as_str().into(), old.name.as_str().into()),
        ("namespace", new.namespace.as_str().into(), old.namespace.as_str().into()),
        ("uid", new.uid.as_str().into(), old.uid.as_str().into()),
        ("creationTimestamp", time_value(new.creation_timestamp), time_value(old.creation_timestamp)),
        ("deletionTimestamp", time_value(new.deletion_timestamp), time_value(old.deletion_timestamp)),
        ("deletionGracePeriodSeconds", grace.0.into(), grace.1.into()),
    ];
    for (name, new, _) in fixed.into_iter().filter(|(_, new, old)| new != old) {
        errors.push(FieldError::invalid(&path.child(name), new, IMMUTABLE));
    }
    errors
}

fn validate_finalizers(new: &ObjectMeta, old: &ObjectMeta, path: &Path, errors: &mut ErrorList) {
    if old.deletion_timestamp.is_none() {
        return;
    }
    let fresh = |name: &&String| !old.finalizers.contains(name);
    let fresh: Vec<_> = new.finalizers.iter().filter(fresh).collect();
    if !fresh.is_empty() {
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers {fresh:?}"
        );
        errors.push(FieldError::forbidden(&path.child("finalizers"), why));
    }
}

fn time_value(time: Option<Time>) -> Value {
    time.map_or(Value::Null, |time| Value::String(time.to_string()))
}
