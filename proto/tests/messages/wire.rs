//! The bytes: ours are theirs, for every field and both ways.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Debug;

use keelson_proto::Message;
use prost_reflect::DynamicMessage;

use crate::random::{Fill, MESSAGES, POOL, Random, descriptor};
use crate::table::pairs;

/// Numbers of the fields that a type knows.
pub(crate) type Tags = BTreeSet<u32>;

/// Highest field number looked for; v1's highest is below 50.
const HIGHEST_TAG: u32 = 1000;

/// Sends an encoded message through our type `O` and their type `T`, in both orders. Where a field is not set,
/// ours holds its zero value instead, which only theirs can tell apart.
pub(crate) fn both_ways<O, T>(bytes: &[u8], whole: bool)
where
    O: Message + Default + PartialEq + Debug,
    T: Message + Default + PartialEq + Debug,
{
    let ours = O::decode(bytes).unwrap();
    let theirs = T::decode(bytes).unwrap();
    assert_eq!(O::decode(theirs.encode_to_vec().as_slice()).unwrap(), ours, "they wrote it");
    let through = T::decode(ours.encode_to_vec().as_slice()).unwrap();
    assert_eq!(
        O::decode(through.encode_to_vec().as_slice()).unwrap(),
        ours,
        "we wrote it, they wrote it again"
    );
    if whole {
        assert_eq!(through, theirs, "we wrote it");
    }
}

/// The fields that a type knows: setting one changes the message, or fails because it has another wire type.
pub(crate) fn tags<T: Message + Default + PartialEq>() -> Tags {
    const VARINT: u32 = 0;
    const LENGTH_DELIMITED: u32 = 2;
    let known = |tag: u32, wire: u32, value: u8| {
        let mut bytes = Vec::new();
        prost::encoding::encode_varint((tag << 3 | wire).into(), &mut bytes);
        bytes.push(value);
        T::decode(bytes.as_slice()).map_or(true, |message| message != T::default())
    };
    (1..=HIGHEST_TAG).filter(|&tag| known(tag, VARINT, 1) || known(tag, LENGTH_DELIMITED, 0)).collect()
}

#[test]
fn the_table_misses_no_message() {
    let listed: Vec<_> = pairs().iter().map(|pair| (pair.package.to_owned(), pair.name.to_owned())).collect();
    let distinct: HashSet<_> = listed.iter().cloned().collect();
    assert_eq!(distinct, MESSAGES.keys().cloned().collect());
    assert_eq!(distinct.len(), listed.len());
}

#[test]
fn whole_messages_mean_the_same_to_both() {
    for (seed, pair) in (0u64..).zip(pairs()) {
        let descriptor = descriptor(&pair);
        let mut random = Random::new(seed, Fill::Whole);
        for _ in 0..4 {
            println!("{}", descriptor.full_name());
            (pair.wire)(&random.bytes(&descriptor), true);
        }
    }
}

#[test]
fn messages_with_fields_unset_mean_the_same_to_both() {
    for (seed, pair) in (1000u64..).zip(pairs()) {
        let descriptor = descriptor(&pair);
        let mut random = Random::new(seed, Fill::Sparse);
        (pair.wire)(&[], false);
        for _ in 0..4 {
            println!("{}", descriptor.full_name());
            (pair.wire)(&random.bytes(&descriptor), false);
        }
    }
}

#[test]
fn neither_side_has_a_field_that_the_other_lacks() {
    for pair in pairs() {
        let descriptor = descriptor(&pair);
        let published: Tags = descriptor.fields().map(|field| field.number()).collect();
        let [ours, theirs] = (pair.tags)();
        assert_eq!(ours, published, "{}", descriptor.full_name());
        assert_eq!(theirs, published, "{}", descriptor.full_name());
    }
}

#[test]
fn the_generated_types_lose_nothing_of_what_the_published_descriptors_say() {
    let pod = POOL.get_message_by_name("k8s.io.api.core.v1.Pod").unwrap();
    for seed in 0..8 {
        let message = Random::new(seed, Fill::Whole).message(&pod);
        let ours = keelson_proto::core::Pod::decode(message.encode_to_vec().as_slice()).unwrap();
        assert_eq!(DynamicMessage::decode(pod.clone(), ours.encode_to_vec().as_slice()).unwrap(), message);
    }
}
