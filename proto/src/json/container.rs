//! What holds values: pointers, lists and maps.

use std::collections::BTreeMap;

use serde::de::Deserializer;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use crate::json::read::{ListVisitor, MapVisitor};
use crate::json::write::Written;
use crate::json::{At, Value};

impl<T: Value> Value for Option<T> {
    fn is_empty(&self) -> bool {
        self.is_none()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.write(serializer),
            None => serializer.serialize_unit(),
        }
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, at: &At<'_>) -> Result<(), D::Error> {
        self.insert(T::default()).read(deserializer, at)
    }
}

impl<T: Value> Value for Vec<T> {
    fn is_empty(&self) -> bool {
        Vec::is_empty(self)
    }

    fn is_nil(&self) -> bool {
        Vec::is_empty(self)
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for value in self {
            list.serialize_element(&Written(value))?;
        }
        list.end()
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, at: &At<'_>) -> Result<(), D::Error> {
        deserializer.deserialize_seq(ListVisitor { list: self, at })
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    fn is_empty(&self) -> bool {
        BTreeMap::is_empty(self)
    }

    fn is_nil(&self) -> bool {
        BTreeMap::is_empty(self)
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self {
            map.serialize_entry(key, &Written(value))?;
        }
        map.end()
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, at: &At<'_>) -> Result<(), D::Error> {
        deserializer.deserialize_map(MapVisitor { entries: self, at })
    }
}
