//! Edits of encoded objects that need no decoding.
//!
//! Every parser of protobuf merges a message field that occurs twice, so the bytes of
//! `metadata { resourceVersion }` appended to an object set that one field.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::meta::{ObjectMeta, PartialObjectMetadata};

/// Tag of `metadata`, field 1 of every object; then of `ObjectMeta.resourceVersion`, field 6.
const METADATA: u8 = 0x0a;
const RESOURCE_VERSION: u8 = 0x32;

/// The object with its resourceVersion set to `revision`.
pub fn with_resource_version(object: &[u8], revision: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(object.len() + 24);
    out.put_slice(object);
    put_resource_version(&mut out, revision);
    out.freeze()
}

/// Appends what sets an encoded object's resourceVersion.
pub fn put_resource_version(object: &mut impl BufMut, revision: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = revision;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let digits = &digits[at..];
    object.put_slice(&[METADATA, digits.len() as u8 + 2, RESOURCE_VERSION, digits.len() as u8]);
    object.put_slice(digits);
}

/// How many bytes an encoded object of this length takes as an item of a list: `items` is field 2 of every list.
pub fn item_len(object: usize) -> u64 {
    (1 + prost::length_delimiter_len(object) + object) as u64
}

/// The metadata of an encoded object of any kind; the rest is passed over.
pub fn metadata(object: &[u8]) -> Result<ObjectMeta, prost::DecodeError> {
    Ok(PartialObjectMetadata::decode(object)?.metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Pod;

    #[test]
    fn an_item_is_as_long_as_it_is_said_to_be() {
        for len in [0, 1, 127, 128, 20_000] {
            let list = crate::v1::RawList { items: vec![vec![b'x'; len].into()], ..Default::default() };
            assert_eq!(item_len(len), list.encoded_len() as u64);
        }
    }

    #[test]
    fn an_appended_revision_is_merged_into_the_metadata() {
        let mut pod = Pod::default();
        pod.metadata.name = "web".into();
        pod.spec.node_name = "n1".into();
        for revision in [0, 7, 10, 1234567890, u64::MAX] {
            let bytes = with_resource_version(&pod.encode_to_vec(), revision);
            let mut expected = pod.clone();
            expected.metadata.resource_version = revision.to_string();
            assert_eq!(Pod::decode(bytes.clone()).unwrap(), expected);
            assert_eq!(metadata(&bytes).unwrap(), expected.metadata);
        }
    }
}
