//! Server-side apply: who set which field, and what becomes of an object when one of its managers applies a
//! configuration.
//!
//! A manager that applies owns the fields of its configuration. A later configuration without a field that it owns
//! removes the field, unless somebody else owns it too; a configuration that changes what somebody else owns is a
//! conflict, unless it is forced. Lists and maps are owned as a whole, or item by item, as the `.proto` files say
//! (`list_type`, `list_map_key`, `map_type`, `atomic`). Everything here is a function of JSON objects, field sets
//! and times.

mod compare;
mod conflict;
mod managers;
mod merge;
mod path;
mod set;
mod structure;

use keelson_proto::meta::{ManagedFieldsEntry, Time};
use serde_json::Value;

pub use self::managers::{Manager, Operation};
pub use self::set::Set;
use crate::patch::Schema;
use crate::status::ApiError;

use self::compare::Difference;
use self::conflict::Conflict;
use self::managers::Managers;
use self::structure::Structure;

/// What an application comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The JSON of the object, its `managedFields` not yet brought up to date.
    pub object: Value,
    /// Its new `managedFields`.
    pub managed: Vec<ManagedFieldsEntry>,
}

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// Name of the party.
    pub manager: &'a str,
    /// Subresource that it writes through; empty for the object itself.
    pub subresource: &'a str,
    /// `apiVersion` of what it writes.
    pub api_version: &'a str,
    /// The time of the request.
    pub now: Time,
}

/// Applies `config` to the `live` object, whose managers are `managed`; without a live object it begins to exist.
///
/// # Errors
/// BadRequest if the configuration does not fit the schema, Conflict (with a cause for each field) if it changes what
/// others own and is not forced.
pub fn apply(
    schema: Schema,
    live: Option<&Value>,
    managed: &[ManagedFieldsEntry],
    config: &Value,
    writer: Writer<'_>,
    force: bool,
) -> Result<Applied, ApiError> {
    let fields = Structure::Fields(schema);
    let given = Set::of_config(config, fields).map_err(|fault| fault.in_config())?;
    let me = Manager::new(writer.manager, Operation::Apply, writer.subresource);
    let Some(live) = live else {
        let mut managers = Managers::default();
        managers.set(&me, given.without_identity(), writer);
        return Ok(Applied { object: config.clone(), managed: managers.into_entries() });
    };
    let mut managers = match Managers::read(managed) {
        managers if managers.is_empty() => Managers::of_unmanaged(live, schema, writer.api_version),
        managers => managers,
    };
    let merged = merge::merged(live, config, fields);
    let before = managers.fields(&me);
    let kept = managers.fields_of_others(&me).union(&given).with_ancestors();
    let gone = before.with_ancestors().difference(&kept);
    let object = merge::without(&merged, &gone, fields);
    let change = Difference::between(live, &object, fields);
    let conflicts = managers.conflicts(&me, &change.written().without_identity());
    if !conflicts.is_empty() && !force && !was_applied_here(live, writer, &conflicts, fields) {
        return Err(Conflict::error(&conflicts));
    }
    managers.give_up(&me, &change);
    managers.set(&me, given.without_identity(), writer);
    Ok(Applied { object, managed: managers.into_entries() })
}

/// The managers of an object that somebody changed in another way than by applying. An object that nobody has applied
/// yet has none, and gets none: that costs nothing until an apply asks for it.
///
/// `managed` are the managers that the write gave, or the object had; `live` is the object before.
pub fn track(
    schema: Schema,
    live: &Value,
    new: &Value,
    managed: &[ManagedFieldsEntry],
    writer: Writer<'_>,
) -> Vec<ManagedFieldsEntry> {
    let mut managers = Managers::read(managed);
    if managers.is_empty() {
        return Vec::new();
    }
    let me = Manager::new(writer.manager, Operation::Update, writer.subresource);
    let change = Difference::between(live, new, Structure::Fields(schema)).without_identity();
    managers.give_up(&me, &change);
    let fields = managers.fields(&me).difference(&change.removed).union(&change.written());
    managers.set(&me, fields, writer);
    managers.limit_updates();
    managers.into_entries()
}

/// Whether a client's `managedFields` can be read; the others, and `[{}]`, count as none.
pub fn is_readable(managed: &[ManagedFieldsEntry]) -> bool {
    !Managers::read(managed).is_empty()
}

/// kubectl's name for itself when it applies on the server.
const KUBECTL: &str = "kubectl";

/// What kubectl keeps of the configuration when it applies on the client.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether kubectl conflicts only with what it has applied itself, on the client: then it may go on on the server.
fn was_applied_here(live: &Value, writer: Writer<'_>, conflicts: &[Conflict], fields: Structure) -> bool {
    if writer.manager != KUBECTL || !writer.subresource.is_empty() {
        return false;
    }
    last_applied(live, fields).is_some_and(|mine| {
        let unchanged = Difference::between(&mine.0, live, fields).modified;
        let own = mine.1.difference(&unchanged);
        conflicts.iter().all(|conflict| own.contains(conflict.path()))
    })
}

/// What was last applied on the client, and its fields.
fn last_applied(live: &Value, fields: Structure) -> Option<(Value, Set)> {
    let text = live.pointer("/metadata/annotations")?.get(LAST_APPLIED)?.as_str()?;
    let config: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
    let set = Set::of_config(&config, fields).ok()?;
    Some((config, set))
}

#[cfg(test)]
mod tests;
