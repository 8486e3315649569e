//! An amount with a unit. It is kept as it was written; what it means is for base/model to say.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::json::{At, Value};
use crate::leaves::leaf;
use crate::resource::Quantity;

leaf!(Quantity);

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
