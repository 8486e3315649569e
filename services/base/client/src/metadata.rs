//! Objects of which nothing but the metadata is read. Who follows a kind only to know what there is asks for no more,
//! and keeps no more in memory: of secrets, for instance, not what they hold.

use std::fmt;
use std::marker::PhantomData;

use bytes::{Buf, BufMut};
use keelson_proto::json::{self, At, Seen};
use keelson_proto::meta::{ObjectMeta, PartialObjectMetadata};
use keelson_proto::{Kind, Message, Object};
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType};
use serde::de::{Deserialize, Deserializer, MapAccess};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// The metadata of an object of kind `K`. To be read alone: written back, the object would lose the rest.
pub struct MetadataOf<K> {
    partial: PartialObjectMetadata,
    kind: PhantomData<fn() -> K>,
}

// === impl MetadataOf ===

impl<K> Default for MetadataOf<K> {
    fn default() -> Self {
        Self { partial: PartialObjectMetadata::default(), kind: PhantomData }
    }
}

impl<K> Clone for MetadataOf<K> {
    fn clone(&self) -> Self {
        Self { partial: self.partial.clone(), kind: PhantomData }
    }
}

impl<K> PartialEq for MetadataOf<K> {
    fn eq(&self, other: &Self) -> bool {
        self.partial == other.partial
    }
}

/// Shows the name alone: in annotations there may be all of an object, for instance of a secret.
impl<K> fmt::Debug for MetadataOf<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectMeta { namespace, name, uid, .. } = &self.partial.metadata;
        let mut shown = f.debug_struct("MetadataOf");
        shown.field("namespace", namespace).field("name", name).field("uid", uid).finish_non_exhaustive()
    }
}

impl<K: Object> Object for MetadataOf<K> {
    const KIND: &'static Kind = K::KIND;

    fn metadata(&self) -> &ObjectMeta {
        &self.partial.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.partial.metadata
    }
}

impl<K: Object> Message for MetadataOf<K> {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        self.partial.encode_raw(buffer);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.partial.merge_field(tag, wire_type, buffer, context)
    }

    fn encoded_len(&self) -> usize {
        self.partial.encoded_len()
    }

    fn clear(&mut self) {
        self.partial.clear();
    }
}

impl<K: Object> json::Value for MetadataOf<K> {
    fn is_empty(&self) -> bool {
        false
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json::write_message(self, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, at: &At<'_>) -> Result<(), D::Error> {
        json::read_message(self, deserializer, at)
    }
}

impl<K: Object> json::Message for MetadataOf<K> {
    const TYPE_META: Option<(&'static str, &'static str)> = PartialObjectMetadata::TYPE_META;
    const FIELDS: u32 = PartialObjectMetadata::FIELDS;

    fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.partial.write_fields(map)
    }

    fn read_field<'de, M: MapAccess<'de>>(
        &mut self,
        key: &str,
        base: u32,
        map: &mut M,
        seen: &mut Seen,
        at: &At<'_>,
    ) -> Result<bool, M::Error> {
        self.partial.read_field(key, base, map, seen, at)
    }
}

impl<K: Object> Serialize for MetadataOf<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.partial.serialize(serializer)
    }
}

impl<'de, K: Object> Deserialize<'de> for MetadataOf<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { partial: Deserialize::deserialize(deserializer)?, kind: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::Secret;

    use super::*;

    #[test]
    fn nothing_but_metadata_is_kept() {
        let mut secret = Secret::default();
        secret.metadata.name = "door".to_owned();
        secret.data.insert("key".to_owned(), b"hush".to_vec());
        let read = MetadataOf::<Secret>::decode(secret.encode_to_vec().as_slice()).unwrap();
        assert_eq!(read.metadata(), &secret.metadata);
        assert_eq!(MetadataOf::<Secret>::KIND, Secret::KIND);
        let kept = read.encode_to_vec();
        assert!(!kept.windows(4).any(|part| part == b"hush"));
        assert!(!serde_json::to_string(&read).unwrap().contains("\"data\""));
    }
}
