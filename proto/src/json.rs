//! What the generated JSON code stands on.
//!
//! The form is that of Kubernetes' own encoder: empty fields are left out unless their type holds them by
//! value, times are RFC 3339, bytes base64, and a field set to `null` is as good as absent. Reading never
//! fails for an unknown or repeated field (the last one wins); a [`Report`] collects them with their paths,
//! so that callers can warn or refuse.

mod at;
mod container;
mod read;
mod write;

pub use self::at::{At, Seen};
pub use self::read::{from_deserializer, from_slice, read, read_message};
pub use self::write::{write, write_always, write_list, write_message, write_object};

use serde::de::{Deserializer, MapAccess};
use serde::ser::{SerializeMap, Serializer};

/// A message with a JSON form: its fields, to and from an open JSON object.
pub trait Message: Value {
    /// `apiVersion` and `kind`, for a message that is a top-level kind.
    const TYPE_META: Option<(&'static str, &'static str)>;
    /// Fields of its JSON object, inlined ones included.
    const FIELDS: u32;
    /// Writes the fields into an open object.
    fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
    /// Reads the value of `key` if that is a field of this message, and tells whether it is. The bits of
    /// this message's fields in `seen` begin at `base`.
    fn read_field<'de, M: MapAccess<'de>>(
        &mut self,
        key: &str,
        base: u32,
        map: &mut M,
        seen: &mut Seen,
        at: &At<'_>,
    ) -> Result<bool, M::Error>;
}

/// A value with a JSON form.
pub trait Value: Default {
    /// Whether `omitempty` leaves the value out.
    fn is_empty(&self) -> bool;
    /// Whether the value is written as `null` where it must be written.
    fn is_nil(&self) -> bool {
        false
    }
    /// Writes the value.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    /// Reads a value that is not null.
    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, at: &At<'_>) -> Result<(), D::Error>;
}

/// What reading noticed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Paths of fields that the kind does not have.
    pub unknown: Vec<String>,
    /// Paths of fields that were given more than once.
    pub duplicate: Vec<String>,
    /// Path of the value that could not be read.
    pub failed: Option<String>,
    /// The object's `apiVersion`, if it gave one.
    pub api_version: Option<String>,
    /// The object's `kind`, if it gave one.
    pub kind: Option<String>,
}

/// A value that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", .path.as_deref().map(|path| format!("{path}: ")).unwrap_or_default())]
pub struct JsonError {
    /// Where it stands; None if the text is not JSON at all.
    pub path: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// Implements `Value` and serde's traits for a message.
macro_rules! message {
    ($path:path) => {
        const _: () = assert!(<$path as $crate::json::Message>::FIELDS <= $crate::json::Seen::MOST);
        impl $crate::json::Value for $path {
            fn is_empty(&self) -> bool {
                false
            }
            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::json::write_message(self, serializer)
            }
            fn read<'de, D: serde::Deserializer<'de>>(
                &mut self,
                deserializer: D,
                at: &$crate::json::At<'_>,
            ) -> Result<(), D::Error> {
                $crate::json::read_message(self, deserializer, at)
            }
        }
        impl serde::Serialize for $path {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::json::write_object(self, serializer)
            }
        }
        impl<'de> serde::Deserialize<'de> for $path {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut value = Self::default();
                $crate::json::Value::read(&mut value, deserializer, &$crate::json::At::root())?;
                Ok(value)
            }
        }
    };
}
pub(crate) use message;

#[cfg(test)]
mod tests;
