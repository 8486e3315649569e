//! The JSON form of the leaves: scalars, bytes, and the few messages whose form is not an object.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::intstr::IntOrString;
use crate::json::{At, Value};
use crate::meta::{Duration, FieldsV1, MicroTime, Time, Verbs};
use crate::resource::Quantity;
use crate::runtime::RawExtension;

/// `IntOrString.type` of a number; 1 is a string.
const INT: i64 = 0;
const STRING: i64 = 1;

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
            fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
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

scalar!(bool, |value| !*value);
scalar!(i32, |value| *value == 0);
scalar!(i64, |value| *value == 0);
scalar!(u32, |value| *value == 0);
scalar!(f64, |value| *value == 0.0);
scalar!(String, |value| value.is_empty());
leaf!(Time);
leaf!(MicroTime);
leaf!(Quantity);
leaf!(IntOrString);

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
        *self = STANDARD.decode(text.as_bytes()).map_err(|error| D::Error::custom(format!("illegal base64 data: {error}")))?;
        Ok(())
    }
}

// === impl Time ===

impl Time {
    /// Now, in whole seconds as all of Kubernetes' times are.
    pub fn now() -> Self {
        Self { seconds: Timestamp::now().as_second(), nanos: 0 }
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self { seconds: at.as_second(), nanos: 0 }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Timestamp::from_second(self.seconds).map_err(|_| fmt::Error)?;
        write!(f, "{at}")
    }
}

impl Value for Time {
    fn is_empty(&self) -> bool {
        false
    }

    /// Go's clients send an unset time as an empty message: it is none, not 1970.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.seconds, self.nanos) {
            (0, 0) => serializer.serialize_unit(),
            _ => serializer.collect_str(self),
        }
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
        let at = timestamp(deserializer)?;
        *self = Self { seconds: at.as_second(), nanos: 0 };
        Ok(())
    }
}

// === impl MicroTime ===

impl MicroTime {
    /// Now, in whole microseconds.
    pub fn now() -> Self {
        let now = Timestamp::now();
        Self { seconds: now.as_second(), nanos: now.subsec_nanosecond() / 1000 * 1000 }
    }
}

impl fmt::Display for MicroTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Timestamp::new(self.seconds, self.nanos).map_err(|_| fmt::Error)?;
        write!(f, "{at:.6}")
    }
}

impl Value for MicroTime {
    fn is_empty(&self) -> bool {
        false
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
        let at = timestamp(deserializer)?;
        *self = Self { seconds: at.as_second(), nanos: at.subsec_nanosecond() };
        Ok(())
    }
}

fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("{text:?} is not a time of RFC 3339, such as 2006-01-02T15:04:05Z")))
}

// === impl Duration ===

impl Value for Duration {
    fn is_empty(&self) -> bool {
        false
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}ns", self.duration))
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
        let text = String::deserialize(deserializer)?;
        let span: jiff::SignedDuration =
            text.parse().map_err(|_| D::Error::custom(format!("{text:?} is not a duration, such as 1m30s")))?;
        self.duration = i64::try_from(span.as_nanos()).map_err(|_| D::Error::custom("duration too long"))?;
        Ok(())
    }
}

// === impl Quantity ===

impl Value for Quantity {
    fn is_empty(&self) -> bool {
        false
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.string.is_empty() { "0" } else { &self.string })
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
        self.string = deserializer.deserialize_any(TextOrNumber)?;
        Ok(())
    }
}

// === impl IntOrString ===

impl From<i32> for IntOrString {
    fn from(number: i32) -> Self {
        Self { r#type: INT, int_val: number, str_val: String::new() }
    }
}

impl From<String> for IntOrString {
    fn from(text: String) -> Self {
        Self { r#type: STRING, int_val: 0, str_val: text }
    }
}

impl IntOrString {
    /// The text, if it holds one.
    pub fn as_str(&self) -> Option<&str> {
        (self.r#type == STRING).then_some(self.str_val.as_str())
    }

    /// The number, if it holds one.
    pub fn as_int(&self) -> Option<i32> {
        (self.r#type != STRING).then_some(self.int_val)
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => f.write_str(text),
            None => write!(f, "{}", self.int_val),
        }
    }
}

impl Value for IntOrString {
    fn is_empty(&self) -> bool {
        false
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_i32(self.int_val),
        }
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
        *self = deserializer.deserialize_any(IntOrStringVisitor)?;
        Ok(())
    }
}

struct IntOrStringVisitor;

impl Visitor<'_> for IntOrStringVisitor {
    type Value = IntOrString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a string")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<IntOrString, E> {
        let number = i32::try_from(number).map_err(|_| E::custom(format!("{number} does not fit 32 bits")))?;
        Ok(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<IntOrString, E> {
        let number = i32::try_from(number).map_err(|_| E::custom(format!("{number} does not fit 32 bits")))?;
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<IntOrString, E> {
        Ok(text.to_owned().into())
    }
}

/// Reads text, or a number as it would be written.
struct TextOrNumber;

impl Visitor<'_> for TextOrNumber {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity: a string such as 500m or 1Gi, or a number")
    }

    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E>(self, number: f64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

// === impl Verbs: a list in JSON, a message around one in protobuf ===

impl Value for Verbs {
    fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn is_nil(&self) -> bool {
        self.items.is_empty()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.items.write(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, at: &At<'_>) -> Result<(), D::Error> {
        self.items.read(deserializer, at)
    }
}

// === impl RawExtension, FieldsV1: JSON inside an object, kept as text ===

macro_rules! embedded {
    ($type:ty) => {
        impl Value for $type {
            fn is_empty(&self) -> bool {
                false
            }
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match serde_json::from_slice::<serde_json::Value>(&self.raw) {
                    Ok(value) => value.serialize(serializer),
                    Err(_) => serializer.serialize_unit(),
                }
            }
            fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
                let value = serde_json::Value::deserialize(deserializer)?;
                self.raw = serde_json::to_vec(&value).map_err(D::Error::custom)?;
                Ok(())
            }
        }
    };
}
embedded!(RawExtension);
embedded!(FieldsV1);
