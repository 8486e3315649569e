//! What is wrong with single fields of an object, in the words that Kubernetes clients know.

mod path;
mod quoted;

pub use self::path::Path;
pub(crate) use self::quoted::Quoted;

use std::fmt;

use keelson_proto::meta::StatusCause;
use serde_json::Value;

/// What kind of fault a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The field must be set, and is not.
    Required,
    /// The value breaks a rule.
    Invalid,
    /// The value is none of a fixed set.
    NotSupported,
    /// The value must be unique, and is not.
    Duplicate,
    /// The field may not be set (so), whatever its value.
    Forbidden,
    /// The value has too many bytes.
    TooLong,
    /// The list has too many items.
    TooMany,
    /// The value names something that does not exist.
    NotFound,
    /// The value has the wrong JSON type.
    TypeInvalid,
    /// The check itself failed.
    InternalError,
}

/// One fault of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// What kind of fault.
    pub kind: ErrorKind,
    /// Which field.
    pub path: Path,
    /// The value at fault; shown unless the kind is about absence, size or permission.
    pub value: Value,
    /// More words, "" if the kind says everything.
    pub detail: String,
}

/// The faults of one object, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorList(Vec<FieldError>);

// === impl ErrorKind ===

impl ErrorKind {
    /// The `reason` of a cause in a Status.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::NotFound => "FieldValueNotFound",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::InternalError => "InternalError",
        }
    }

    /// The words that a message starts with.
    pub fn words(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::NotFound => "Not found",
            Self::InternalError => "Internal error",
        }
    }

    fn shows_value(self) -> bool {
        !matches!(self, Self::Required | Self::Forbidden | Self::TooLong | Self::InternalError)
    }
}

// === impl FieldError ===

impl FieldError {
    fn new(kind: ErrorKind, path: &Path, value: Value, detail: impl Into<String>) -> Self {
        Self { kind, path: path.clone(), value, detail: detail.into() }
    }

    /// `Required value[: detail]`.
    pub fn required(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Required, path, Value::Null, detail)
    }

    /// `Invalid value: value: detail`.
    pub fn invalid(path: &Path, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, path, value.into(), detail)
    }

    /// `Invalid value: value: detail`, where the JSON type is wrong.
    pub fn type_invalid(path: &Path, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::TypeInvalid, path, value.into(), detail)
    }

    /// `Unsupported value: value: supported values: "a", "b"`; the values in the order given.
    pub fn not_supported(path: &Path, value: impl Into<Value>, supported: &[&str]) -> Self {
        let detail = match supported {
            [] => String::new(),
            all => {
                let quoted: Vec<_> = all.iter().map(|one| Quoted(one).to_string()).collect();
                format!("supported values: {}", quoted.join(", "))
            }
        };
        Self::new(ErrorKind::NotSupported, path, value.into(), detail)
    }

    /// `Duplicate value: value`.
    pub fn duplicate(path: &Path, value: impl Into<Value>) -> Self {
        Self::new(ErrorKind::Duplicate, path, value.into(), "")
    }

    /// `Forbidden: detail`.
    pub fn forbidden(path: &Path, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, path, Value::Null, detail)
    }

    /// `Too long: may not be more than max bytes`.
    pub fn too_long(path: &Path, max: usize) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        Self::new(ErrorKind::TooLong, path, Value::Null, format!("may not be more than {max} {unit}"))
    }

    /// `Too many: actual: must have at most max items`.
    pub fn too_many(path: &Path, actual: usize, max: usize) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        Self::new(ErrorKind::TooMany, path, actual.into(), format!("must have at most {max} {unit}"))
    }

    /// `Not found: value`.
    pub fn not_found(path: &Path, value: impl Into<Value>) -> Self {
        Self::new(ErrorKind::NotFound, path, value.into(), "")
    }

    /// `Internal error: detail`.
    pub fn internal(path: &Path, detail: impl fmt::Display) -> Self {
        Self::new(ErrorKind::InternalError, path, Value::Null, detail.to_string())
    }

    /// The message without the path: what a cause in a Status says.
    pub fn body(&self) -> String {
        let mut text = self.kind.words().to_owned();
        if self.kind.shows_value() {
            text.push_str(": ");
            match &self.value {
                Value::String(value) => text.push_str(&Quoted(value).to_string()),
                value => text.push_str(&value.to_string()),
            }
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }

    /// The fault as a cause in a Status.
    pub fn cause(&self) -> StatusCause {
        StatusCause {
            reason: self.kind.reason().to_owned(),
            message: self.body(),
            field: self.path.to_string(),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.body())
    }
}

impl std::error::Error for FieldError {}

// === impl ErrorList ===

impl ErrorList {
    /// A list without faults.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a fault.
    pub fn push(&mut self, error: FieldError) {
        self.0.push(error);
    }

    /// Adds one `Invalid value` fault per message: for the validators of [`crate::names`].
    pub fn push_invalid(&mut self, path: &Path, value: &str, messages: Vec<String>) {
        self.extend(messages.into_iter().map(|message| FieldError::invalid(path, value, message)));
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many faults there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The faults, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, FieldError> {
        self.0.iter()
    }

    /// The faults as causes of a Status.
    pub fn causes(&self) -> Vec<StatusCause> {
        self.iter().map(FieldError::cause).collect()
    }
}

impl Extend<FieldError> for ErrorList {
    fn extend<I: IntoIterator<Item = FieldError>>(&mut self, errors: I) {
        self.0.extend(errors);
    }
}

impl FromIterator<FieldError> for ErrorList {
    fn from_iter<I: IntoIterator<Item = FieldError>>(errors: I) -> Self {
        Self(errors.into_iter().collect())
    }
}

impl From<FieldError> for ErrorList {
    fn from(error: FieldError) -> Self {
        Self(vec![error])
    }
}

impl IntoIterator for ErrorList {
    type Item = FieldError;
    type IntoIter = std::vec::IntoIter<FieldError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a ErrorList {
    type Item = &'a FieldError;
    type IntoIter = std::slice::Iter<'a, FieldError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One fault as it is, several as `[a, b]`; a text that repeats is written once.
impl fmt::Display for ErrorList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts: Vec<String> = Vec::new();
        for error in self {
            let text = error.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        match texts.as_slice() {
            [one] => f.write_str(one),
            all => write!(f, "[{}]", all.join(", ")),
        }
    }
}

impl std::error::Error for ErrorList {}

#[cfg(test)]
mod tests;
