//! The JSON form of the leaves: scalars, bytes, and the few messages whose form is not an object.

mod embedded;
mod int_or_string;
mod quantity;
mod time;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use crate::json::{At, Value};
use crate::meta::Verbs;

/// `Value` for a scalar, as serde has it.
macro_rules! scalar {
    ($type:ty, $empty:expr) => {
        impl Value for $type {
            fn is_empty(&self) -> bool {
                let empty: fn(&$type) -> bool = $empty;
                empty(self)
            }
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
            fn read<'de, D: Deserializer<'de>>(
                &mut self,
                deserializer: D,
                _: &At<'_>,
            ) -> Result<(), D::Error> {
                *self = Deserialize::deserialize(deserializer)?;
                Ok(())
            }
        }
    };
}

/// Serde's traits for a leaf, from its `Value`.
macro_rules! leaf {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.write(serializer)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut value = Self::default();
                value.read(deserializer, &At::root())?;
                Ok(value)
            }
        }
    };
}
use leaf;

scalar!(bool, |value| !*value);
scalar!(i32, |value| *value == 0);
scalar!(i64, |value| *value == 0);
scalar!(String, |value| value.is_empty());

impl Value for Vec<u8> {
    fn is_empty(&self) -> bool {
        Vec::is_empty(self)
    }

    fn is_nil(&self) -> bool {
        Vec::is_empty(self)
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self))
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
        let text = String::deserialize(deserializer)?;
        *self = STANDARD
            .decode(text.as_bytes())
            .map_err(|error| D::Error::custom(format!("illegal base64 data: {error}")))?;
        Ok(())
    }
}

/// `Value` for a message that is a list in JSON.
macro_rules! listed {
    ($type:ty) => {
        impl Value for $type {
            fn is_empty(&self) -> bool {
                self.items.is_empty()
            }

            fn is_nil(&self) -> bool {
                self.items.is_empty()
            }

            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.items.write(serializer)
            }

            fn read<'de, D: Deserializer<'de>>(
                &mut self,
                deserializer: D,
                at: &At<'_>,
            ) -> Result<(), D::Error> {
                self.items.read(deserializer, at)
            }
        }
    };
}

listed!(Verbs);
listed!(crate::authentication::ExtraValue);
listed!(crate::authorization::ExtraValue);
