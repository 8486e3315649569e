//! JSON inside an object, kept as text.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use crate::json::{At, Value};
use crate::meta::FieldsV1;
use crate::runtime::RawExtension;

/// `Value` for a message around JSON text; text that is not JSON is written as `null`.
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
            fn read<'de, D: Deserializer<'de>>(
                &mut self,
                deserializer: D,
                _: &At<'_>,
            ) -> Result<(), D::Error> {
                let value = serde_json::Value::deserialize(deserializer)?;
                self.raw = serde_json::to_vec(&value).map_err(D::Error::custom)?;
                Ok(())
            }
        }
    };
}
embedded!(RawExtension);
embedded!(FieldsV1);
