//! What `kubectl get` shows of each kind: columns, and a row of cells for an object.
//!
//! The headings and their order are those that kubectl's users and scripts know; a column with a priority
//! above zero appears with `-o wide` only.

mod duration;
mod endpoints;
mod event;
mod lease;
mod namespace;
mod node;
mod pod;
mod replicationcontroller;
mod service;

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_proto::Object;
use keelson_proto::meta::{MicroTime, Time};
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

/// Labels as a selector is written on the command line.
fn labels(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    or_none(&pairs.join(",")).to_owned()
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
