//! The managers of an object, and what each of them owns: `metadata.managedFields`, read.

use keelson_proto::meta::{FieldsV1, ManagedFieldsEntry, Time};
use serde_json::Value;

use super::compare::Difference;
use super::conflict::Conflict;
use super::set::Set;
use super::structure::Structure;
use super::{LAST_APPLIED, Writer, last_applied};
use crate::patch::Schema;

/// What the client's kubectl is called when it applies without the server's help.
const CLIENT_SIDE_APPLY: &str = "kubectl-client-side-apply";

/// Who counts as the owner of what stood in an object before anybody applied.
const BEFORE: &str = "before-first-apply";

/// Who counts as the owner of what those set that are not kept any more.
const ANCIENT: &str = "ancient-changes";

/// The most managers that update and are told apart, as in Kubernetes.
const MOST_UPDATERS: usize = 10;

/// How a manager sets fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By applying configurations.
    Apply,
    /// In any other way.
    Update,
}

/// A party, as far as it is told apart from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    name: String,
    operation: Operation,
    subresource: String,
}

/// A manager and what it owns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    manager: Manager,
    api_version: String,
    time: Option<Time>,
    fields: Set,
}

/// All managers of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Managers(Vec<Entry>);

// === impl Manager ===

impl Manager {
    /// A party.
    pub fn new(name: &str, operation: Operation, subresource: &str) -> Self {
        Self { name: name.to_owned(), operation, subresource: subresource.to_owned() }
    }
}

// === impl Operation ===

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

// === impl Entry ===

impl Entry {
    fn read(entry: &ManagedFieldsEntry) -> Option<Self> {
        let operation = match entry.operation.as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        let fields = match &entry.fields_v1 {
            Some(fields) if entry.fields_type == "FieldsV1" => {
                Set::decode(&serde_json::from_slice::<Value>(&fields.raw).ok()?)?
            }
            _ => return None,
        };
        Some(Self {
            manager: Manager::new(&entry.manager, operation, &entry.subresource),
            api_version: entry.api_version.clone(),
            time: entry.time,
            fields,
        })
    }

    fn write(self) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: self.manager.name,
            operation: self.manager.operation.as_str().to_owned(),
            api_version: self.api_version,
            time: self.time,
            fields_type: "FieldsV1".to_owned(),
            fields_v1: Some(FieldsV1 { raw: self.fields.encode().to_string().into() }),
            subresource: self.manager.subresource,
        }
    }

    /// As Kubernetes tells of it.
    pub(super) fn described(&self) -> String {
        let mut text = format!("{:?}", self.manager.name);
        if !self.manager.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.manager.subresource));
        }
        if self.manager.operation == Operation::Update {
            text.push_str(&format!(" using {}", self.api_version));
            if let Some(time) = self.time {
                text.push_str(&format!(" at {time}"));
            }
        }
        text
    }
}

// === impl Managers ===

impl Managers {
    /// Reads `managedFields`. If one entry cannot be read, none counts, as in Kubernetes.
    pub(super) fn read(entries: &[ManagedFieldsEntry]) -> Self {
        entries.iter().map(Entry::read).collect::<Option<Vec<_>>>().map(Self).unwrap_or_default()
    }

    /// The managers of an object that has none: what kubectl applied on the client is that kubectl's, and the rest is
    /// what stood there before.
    pub(super) fn of_unmanaged(live: &Value, schema: Schema, api_version: &str) -> Self {
        let structure = Structure::Fields(schema);
        let nothing = Value::Object(serde_json::Map::new());
        let mut before = Difference::between(&nothing, live, structure).added.without_identity();
        let mut managers = Self::default();
        let entry = |name: &str, fields: Set| Entry {
            manager: Manager::new(name, Operation::Update, ""),
            api_version: api_version.to_owned(),
            time: None,
            fields,
        };
        if let Some((_, applied)) = last_applied(live, structure) {
            let annotation = serde_json::json!({ "metadata": { "annotations": { LAST_APPLIED: "" } } });
            let applied = applied.union(&Set::of(&annotation, structure)).without_identity();
            before = before.difference(&applied);
            managers.0.push(entry(CLIENT_SIDE_APPLY, applied));
        }
        if !before.is_empty() {
            managers.0.push(entry(BEFORE, before));
        }
        managers
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As `managedFields`, those that apply first, each kind by time.
    pub(super) fn into_entries(mut self) -> Vec<ManagedFieldsEntry> {
        self.0.retain(|entry| !entry.fields.is_empty());
        self.0.sort_by(|one, other| {
            let key = |entry: &Entry| (entry.manager.operation, entry.time.map(|time| time.to_string()));
            key(one).cmp(&key(other)).then_with(|| one.manager.name.cmp(&other.manager.name))
        });
        self.0.into_iter().map(Entry::write).collect()
    }

    /// What a manager owns.
    pub(super) fn fields(&self, manager: &Manager) -> Set {
        let found = self.0.iter().find(|entry| entry.manager == *manager);
        found.map(|entry| entry.fields.clone()).unwrap_or_default()
    }

    /// What all but one own.
    pub(super) fn fields_of_others(&self, manager: &Manager) -> Set {
        let others = self.0.iter().filter(|entry| entry.manager != *manager);
        others.fold(Set::default(), |all, entry| all.union(&entry.fields))
    }

    /// The fields of a write that others own.
    pub(super) fn conflicts(&self, manager: &Manager, written: &Set) -> Vec<Conflict> {
        let others = self.0.iter().filter(|entry| entry.manager != *manager);
        let of = |entry| {
            let ways = Entry::owned(entry, written).ways();
            ways.into_iter().map(|way| Conflict::with(entry, way))
        };
        others.flat_map(of).collect()
    }

    /// Takes from all but one what was changed or removed.
    pub(super) fn give_up(&mut self, manager: &Manager, change: &Difference) {
        let lost = change.written().union(&change.removed);
        for entry in self.0.iter_mut().filter(|entry| entry.manager != *manager) {
            entry.fields = entry.fields.difference(&lost);
        }
    }

    /// Says what a manager owns from now on. Its time is that of the last request that changed this.
    pub(super) fn set(&mut self, manager: &Manager, fields: Set, writer: Writer<'_>) {
        let known = self.0.iter_mut().find(|entry| entry.manager == *manager);
        match known {
            Some(entry) if entry.fields == fields && entry.api_version == writer.api_version => {}
            Some(entry) => {
                entry.fields = fields;
                entry.api_version = writer.api_version.to_owned();
                entry.time = Some(writer.now);
            }
            None => self.0.push(Entry {
                manager: manager.clone(),
                api_version: writer.api_version.to_owned(),
                time: Some(writer.now),
                fields,
            }),
        }
    }

    /// Keeps the managers that update to a number, the latest ones; the others become one.
    pub(super) fn limit_updates(&mut self) {
        self.0.retain(|entry| !entry.fields.is_empty());
        let is_updater = |entry: &Entry| {
            entry.manager.operation == Operation::Update && entry.manager.subresource.is_empty()
        };
        let (mut updaters, mut rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.0).into_iter().partition(is_updater);
        if updaters.len() > MOST_UPDATERS {
            updaters.sort_by_key(|entry| entry.time.map(|time| time.to_string()));
            let kept = updaters.split_off(updaters.len() + 1 - MOST_UPDATERS);
            let merged = updaters.into_iter().reduce(|mut all, entry| {
                all.fields = all.fields.union(&entry.fields);
                all.time = entry.time;
                all
            });
            rest.extend(merged.map(|mut all| {
                ANCIENT.clone_into(&mut all.manager.name);
                all
            }));
            updaters = kept;
        }
        rest.extend(updaters);
        self.0 = rest;
    }
}

impl Entry {
    fn owned(&self, written: &Set) -> Set {
        self.fields.intersection(written)
    }
}
