//! What `kubectl get` shows of each kind: columns, and a row of cells for an object.
//!
//! The headings and their order are those that kubectl's users and scripts know; a column with a priority
//! above zero appears with `-o wide` only.

mod componentstatus;
mod configmap;
mod duration;
mod endpoints;
mod endpointslice;
mod event;
mod lease;
mod limitrange;
mod namespace;
mod node;
mod persistentvolume;
mod persistentvolumeclaim;
mod pod;
mod podtemplate;
mod question;
mod replicationcontroller;
mod resourcequota;
mod role;
mod rolebinding;
mod secret;
mod service;
mod serviceaccount;

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_proto::Object;
use keelson_proto::core::Container;
use keelson_proto::meta::{MicroTime, ObjectMeta, Time};
use keelson_proto::resource::Quantity;
use serde::Serialize;

/// A kind that can be shown as a table.
pub(crate) trait Tabled: Object {
    /// Its columns.
    const COLUMNS: &'static [Column];
    /// A cell for each column.
    fn cells(&self, now: Timestamp) -> Vec<Cell>;
}

/// One column.
#[derive(Debug, Serialize)]
pub(crate) struct Column {
    name: &'static str,
    r#type: &'static str,
    format: &'static str,
    description: &'static str,
    priority: i32,
}

/// One cell.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    Text(String),
    Number(i64),
}

/// Shown where there is nothing.
const NONE: &str = "<none>";

/// Shown where nobody has said anything.
const UNSET: &str = "<unset>";

/// Shown where it is not known what there is.
const UNKNOWN: &str = "<unknown>";

/// The column that every kind begins with.
const NAME: Column = Column {
    name: "Name",
    r#type: "string",
    format: "name",
    description: "Name of the object.",
    priority: 0,
};

/// The column that most kinds end with.
const AGE: Column = text("Age", "How long ago the object was created.");

const fn text(name: &'static str, description: &'static str) -> Column {
    Column { name, r#type: "string", format: "", description, priority: 0 }
}

/// A moment, as RFC 3339 writes it.
const fn date(name: &'static str, description: &'static str) -> Column {
    Column { name, r#type: "date", format: "", description, priority: 0 }
}

const fn number(name: &'static str, description: &'static str) -> Column {
    Column { name, r#type: "integer", format: "", description, priority: 0 }
}

/// A column that is shown with `-o wide` only.
const fn wide(column: Column) -> Column {
    Column { priority: 1, ..column }
}

// === impl Cell ===

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

/// The text, or what stands for nothing.
fn or_none(text: &str) -> &str {
    if text.is_empty() { NONE } else { text }
}

/// The text, or what stands for something unknown.
fn or_unknown(text: &str) -> &str {
    if text.is_empty() { UNKNOWN } else { text }
}

/// The first few of many, and how many more there are.
fn first_few(all: &[String]) -> String {
    const MOST: usize = 3;
    match all.len() {
        0..=MOST => all.join(","),
        count => format!("{} + {} more...", all[..MOST].join(","), count - MOST),
    }
}

/// Names and images of containers, each set apart by commas.
fn containers(all: &[Container]) -> [Cell; 2] {
    let join = |of: fn(&Container) -> &str| all.iter().map(of).collect::<Vec<_>>().join(",");
    [join(|container| &container.name).into(), join(|container| &container.image).into()]
}

/// Ways to mount a volume, in their short forms.
fn access_modes(modes: &[String]) -> String {
    const SHORT: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |name: &str| modes.iter().any(|mode| mode == name);
    let short: Vec<_> = SHORT.iter().filter(|(name, _)| has(name)).map(|(_, short)| *short).collect();
    short.join(",")
}

/// The storage class of a volume or claim: the annotation from before there was a field wins.
fn storage_class<'a>(metadata: &'a ObjectMeta, field: &'a str) -> &'a str {
    metadata.annotations.get("volume.beta.kubernetes.io/storage-class").map_or(field, String::as_str)
}

/// The quantity under a name, 0 if there is none.
fn quantity(list: &BTreeMap<String, Quantity>, name: &str) -> String {
    let text = list.get(name).map(|quantity| quantity.string.as_str()).unwrap_or_default();
    if text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

/// A phase, unless the object is on its way out.
fn phase<'a>(metadata: &ObjectMeta, phase: &'a str) -> &'a str {
    if metadata.deletion_timestamp.is_some() { "Terminating" } else { phase }
}

/// Labels as a selector is written on the command line.
fn labels(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    or_none(&pairs.join(",")).to_owned()
}

/// When an object was created, for kinds whose tables show no age.
fn created(then: Option<Time>) -> String {
    then.map_or_else(|| UNKNOWN.to_owned(), |then| then.to_string())
}

/// How long ago a moment was.
fn since(then: Option<Time>, now: Timestamp) -> String {
    match then {
        Some(then) if then != Time::default() => {
            duration::human(now.as_second().saturating_sub(then.seconds))
        }
        _ => UNKNOWN.to_owned(),
    }
}

/// How long ago a moment was.
fn since_micro(then: Option<MicroTime>, now: Timestamp) -> String {
    since(then.map(|then| Time { seconds: then.seconds, nanos: then.nanos }), now)
}

#[cfg(test)]
mod tests;
