//! Bytes and text that nobody meant well with: refused or read, never a panic.

use std::fmt::Debug;

use keelson_proto::core::Pod;
use keelson_proto::json::{Message, from_slice};
use keelson_proto::{Bytes, envelope, wire};

use crate::random::{Fill, Random, descriptor};
use crate::table::{Pair, pairs};

/// Sends bytes of any content through a message and its JSON. What comes out the first time (without the
/// times that are none) comes out of every further round.
pub(crate) fn survive<T>(bytes: &[u8])
where
    T: Message + keelson_proto::Message + serde::Serialize + PartialEq + Debug,
{
    let Ok(message) = T::decode(bytes) else { return };
    let (once, _) = from_slice::<T>(&serde_json::to_vec(&message).unwrap()).unwrap();
    let (twice, _) = from_slice::<T>(&serde_json::to_vec(&once).unwrap()).unwrap();
    assert_eq!(once, twice);
}

fn pod() -> Pair {
    pairs().into_iter().find(|pair| pair.name == "Pod").unwrap()
}

/// Overwrites, removes or repeats a few bytes.
fn damage(rng: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..bytes.len());
        match rng.u8(..4) {
            0 => bytes.truncate(at.max(1)),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, rng.u8(..)),
            _ => bytes[at] = rng.u8(..),
        }
        if bytes.is_empty() {
            return bytes.push(0);
        }
    }
}

#[test]
fn values_of_any_size_survive_json() {
    for (seed, pair) in (0u64..).zip(pairs()) {
        let Some(json) = &pair.json else { continue };
        let descriptor = descriptor(&pair);
        for fill in [Fill::Whole, Fill::Sparse] {
            println!("{}", descriptor.full_name());
            (json.survive)(&Random::new(seed, fill).bytes(&descriptor));
        }
    }
}

#[test]
fn damaged_pods_survive() {
    let descriptor = descriptor(&pod());
    let mut rng = fastrand::Rng::with_seed(7);
    for seed in 0..4 {
        let bytes = Random::new(seed, Fill::SparseValid).bytes(&descriptor);
        for _ in 0..150 {
            let mut damaged = bytes.clone();
            damage(&mut rng, &mut damaged);
            survive::<Pod>(&damaged);
        }
    }
}

#[test]
fn random_bytes_survive() {
    let mut rng = fastrand::Rng::with_seed(8);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
        survive::<Pod>(&bytes);
        let _ = wire::metadata(&bytes);
        let _ = envelope::unwrap(&Bytes::from([envelope::MAGIC.as_slice(), &bytes].concat()));
    }
}

#[test]
fn damaged_json_survives() {
    let descriptor = descriptor(&pod());
    let mut rng = fastrand::Rng::with_seed(9);
    for seed in 0..4 {
        let bytes = Random::new(seed, Fill::SparseValid).bytes(&descriptor);
        let text =
            serde_json::to_vec(&<Pod as keelson_proto::Message>::decode(bytes.as_slice()).unwrap()).unwrap();
        for _ in 0..150 {
            let mut damaged = text.clone();
            damage(&mut rng, &mut damaged);
            if let Ok((pod, _)) = from_slice::<Pod>(&damaged) {
                serde_json::to_vec(&pod).unwrap();
            }
        }
    }
}

#[test]
fn deep_json_is_refused_or_passed_over() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    for value in [deep("[", "]"), deep(r#"{"a":"#, "}")] {
        for body in [
            format!(r#"{{"bogus":{value}}}"#),
            format!(r#"{{"spec":{{"containers":{value}}}}}"#),
            format!(r#"{{"metadata":{{"managedFields":[{{"fieldsV1":{value}}}]}}}}"#),
        ] {
            let read = from_slice::<Pod>(body.as_bytes());
            assert!(read.is_err() || read.is_ok_and(|(pod, _)| pod == Pod::default()));
        }
    }
}
