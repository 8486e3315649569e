//! A number or a text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::intstr::IntOrString;
use crate::json::{At, Value};
use crate::leaves::leaf;

/// `IntOrString.type` of a number.
const INT: i64 = 0;
/// `IntOrString.type` of a text.
const STRING: i64 = 1;

leaf!(IntOrString);

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

/// Reads either.
struct IntOrStringVisitor;

impl Visitor<'_> for IntOrStringVisitor {
    type Value = IntOrString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a string")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<IntOrString, E> {
        let number =
            i32::try_from(number).map_err(|_| E::custom(format!("{number} does not fit 32 bits")))?;
        Ok(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<IntOrString, E> {
        let number =
            i32::try_from(number).map_err(|_| E::custom(format!("{number} does not fit 32 bits")))?;
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<IntOrString, E> {
        Ok(text.to_owned().into())
    }
}
