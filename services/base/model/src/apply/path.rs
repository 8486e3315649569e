//! One step of the way to a field, and how ways are written for people.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

/// One step: into an object, or to an item of a list. The order is that of Kubernetes' field sets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// A field of an object, or a key of a map.
    Field(String),
    /// The item with these key fields: their JSON, names sorted.
    Key(String),
    /// The item with this value: its JSON.
    Value(String),
    /// The item at this place.
    Index(usize),
}

/// A way, written as `.spec.containers[name="web"].image`.
pub(super) struct Written<'a>(pub(super) &'a [Step]);

// === impl Step ===

impl Step {
    /// The step to the item with these key fields.
    pub(super) fn key(mut fields: Vec<(&str, Value)>) -> Self {
        fields.sort_by(|one, other| one.0.cmp(other.0));
        let fields: Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self::Key(Value::Object(fields).to_string())
    }

    /// The step to the item with this value.
    pub(super) fn value(value: &Value) -> Self {
        Self::Value(value.to_string())
    }

    /// As `fieldsV1` writes it.
    pub(super) fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(fields) => format!("k:{fields}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    /// Reads what [`Self::encode`] writes; `None` for anything else.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let (form, rest) = text.split_once(':')?;
        match form {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => {
                let fields: Map<String, Value> = serde_json::from_str(rest).ok()?;
                Some(Self::key(fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()))
            }
            "v" => Some(Self::value(&serde_json::from_str(rest).ok()?)),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }
}

// === impl Written ===

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.0 {
            match step {
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Value(value) => write!(f, "[={value}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(fields) => {
                    let fields: Map<String, Value> = serde_json::from_str(fields).unwrap_or_default();
                    f.write_char('[')?;
                    for (index, (name, value)) in fields.iter().enumerate() {
                        write!(f, "{}{name}={value}", if index == 0 { "" } else { "," })?;
                    }
                    f.write_char(']')?;
                }
            }
        }
        Ok(())
    }
}
