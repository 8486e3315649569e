//! How a value falls into parts that can have owners of their own.

use std::collections::HashSet;

use serde_json::Value;

use super::path::{Step, Written};
use crate::patch::{ListType, Schema};
use crate::status::ApiError;

/// How a value is owned.
#[derive(Clone, Copy, Debug)]
pub(super) enum Structure {
    /// As a whole.
    Whole,
    /// An object, field by field.
    Fields(Schema),
    /// A list of scalars, each by its value.
    Set,
    /// A list of objects, each by its key fields (with what they count as if they are left out).
    Map(&'static [(String, Option<String>)], Schema),
}

/// One part of a value.
pub(super) struct Part<'a> {
    /// The step that leads to it.
    pub(super) step: Step,
    /// What is there.
    pub(super) value: &'a Value,
    /// How that is owned in turn.
    pub(super) structure: Structure,
}

/// The parts of a value.
pub(super) enum Parts<'a> {
    /// It has none: a scalar, or something that is owned as a whole.
    Whole,
    /// The fields of an object.
    Fields(Vec<Part<'a>>),
    /// The items of a list.
    Items(Vec<Part<'a>>),
}

/// Why a configuration does not fit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    way: String,
    why: String,
}

// === impl Structure ===

impl Structure {
    /// That of a field of an object with this schema.
    fn of_field(schema: Schema, name: &str) -> Self {
        let Some(field) = schema.field(name) else { return Self::Fields(Schema::FREE) };
        match &field.list {
            ListType::None if field.atomic => Self::Whole,
            ListType::None => Self::of_message(field.schema()),
            ListType::Atomic => Self::Whole,
            ListType::Set => Self::Set,
            ListType::Map(keys) => Self::Map(keys, field.schema()),
        }
    }

    fn of_message(schema: Schema) -> Self {
        if schema.is_atomic() { Self::Whole } else { Self::Fields(schema) }
    }
}

// === impl Parts ===

impl<'a> Parts<'a> {
    /// The parts of a value as it is.
    pub(super) fn of(value: &'a Value, structure: Structure) -> Self {
        match (structure, value) {
            (Structure::Fields(schema), Value::Object(fields)) => Self::Fields(
                fields
                    .iter()
                    .map(|(name, value)| Part {
                        step: Step::Field(name.clone()),
                        value,
                        structure: Structure::of_field(schema, name),
                    })
                    .collect(),
            ),
            (Structure::Set, Value::Array(items)) => Self::Items(
                items
                    .iter()
                    .map(|value| Part { step: Step::value(value), value, structure: Structure::Whole })
                    .collect(),
            ),
            (Structure::Map(keys, schema), Value::Array(items)) => Self::Items(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, value)| Part {
                        step: key(value, keys).unwrap_or(Step::Index(index)),
                        value,
                        structure: Structure::of_message(schema),
                    })
                    .collect(),
            ),
            _ => Self::Whole,
        }
    }

    /// The parts of a value that must fit.
    pub(super) fn of_config(value: &'a Value, structure: Structure, way: &[Step]) -> Result<Self, Fault> {
        let fault = |why: String| Err(Fault { way: Written(way).to_string(), why });
        let parts = Self::of(value, structure);
        match (&parts, structure) {
            (Self::Fields(fields), Structure::Fields(schema)) if schema.is_known() => {
                for part in fields {
                    let Step::Field(name) = &part.step else { continue };
                    let told = way.is_empty() && ["apiVersion", "kind"].contains(&name.as_str());
                    if schema.field(name).is_none() && !told {
                        return fault(format!(".{name}: field not declared in schema"));
                    }
                }
            }
            (Self::Whole, Structure::Fields(schema)) if schema.is_known() && !value.is_null() => {
                return fault(format!(": expected map, got {}", named(value)));
            }
            (Self::Whole, Structure::Set | Structure::Map(..)) if !value.is_null() => {
                return fault(format!(": expected list, got {}", named(value)));
            }
            (Self::Items(items), Structure::Map(keys, _)) => {
                if let Some(part) = items.iter().find(|part| matches!(part.step, Step::Index(_))) {
                    let lacks = |(name, default): &&(String, Option<String>)| {
                        default.is_none() && part.value.get(name).is_none_or(Value::is_null)
                    };
                    let name = keys.iter().find(lacks).map_or("", |(name, _)| name);
                    return fault(format!(
                        ": element {}: associative list with keys has an element that omits key field {name:?} (and doesn't have default value)",
                        part.step.encode().trim_start_matches("i:")
                    ));
                }
            }
            _ => {}
        }
        if let Self::Items(items) = &parts {
            let mut seen = HashSet::new();
            if let Some(twice) = items.iter().find(|part| !seen.insert(&part.step)) {
                let which = Written(std::slice::from_ref(&twice.step)).to_string();
                return fault(format!(": duplicate entries for key {which}"));
            }
        }
        Ok(parts)
    }
}

/// What tells an item apart; `None` if it lacks a key field that has no default.
fn key(item: &Value, keys: &[(String, Option<String>)]) -> Option<Step> {
    let fields = keys.iter().map(|(name, default)| {
        let given = item.get(name).filter(|value| !value.is_null() && *value != "").cloned();
        let value = given.or_else(|| default.clone().map(Value::from))?;
        Some((name.as_str(), value))
    });
    item.as_object()?;
    fields.collect::<Option<Vec<_>>>().map(Step::key)
}

fn named(value: &Value) -> String {
    match value {
        Value::Object(_) => "map".to_owned(),
        Value::Array(_) => "list".to_owned(),
        scalar => format!("{scalar}"),
    }
}

// === impl Fault ===

impl Fault {
    /// As the answer to a request.
    pub(super) fn in_config(self) -> ApiError {
        ApiError::bad_request(format!("failed to create typed patch object: {}{}", self.way, self.why))
    }
}
