//! Making new inputs of old ones.

use fastrand::Rng;

/// The longest input that is made, in bytes.
const LONGEST: usize = 4096;

/// What parsers of these formats have words for.
const WORDS: &[&str] = &[
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "{\"a\":",
    "[[[[[[[[",
    "-1",
    "0",
    "1e400",
    "1e-400",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0.1",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "é",
    "~1",
    "~0",
    "/-",
    "$patch",
    "$retainKeys",
    "$setElementOrder/",
    "$deleteFromPrimitiveList/",
    "replace",
    "delete",
    "merge",
    "kind",
    "apiVersion",
    "metadata",
    "name",
    "spec",
    "containers",
    "status",
    " in (",
    " notin (",
    "!",
    "==",
    "!=",
    ",",
    "&a",
    "*a",
    "- ",
    "\n",
    "\t",
    "---",
    "!!binary",
    "<<: ",
    "Ki",
    "E",
    "m",
    "n",
    "k8s\0",
    "\u{0}",
    "\u{7f}",
    "2026-02-30T25:61:61Z",
];

/// An input like `one`, maybe with something of `other`.
pub(crate) fn mutated(rng: &mut Rng, one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = one.to_vec();
    for _ in 0..rng.usize(1..6) {
        step(rng, &mut bytes, other);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn step(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = rng.usize(..=bytes.len());
    let end = (at + rng.usize(1..32)).min(bytes.len());
    match rng.u8(..9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
        1 if at < bytes.len() => {
            bytes[at] = *rng.choice(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b']']).unwrap_or(&0)
        }
        2 => bytes.insert(at, rng.u8(..)),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let word = rng.choice(WORDS).copied().unwrap_or_default();
            drop(bytes.splice(at..at, word.bytes()));
        }
        5 => {
            let word = rng.choice(WORDS).copied().unwrap_or_default();
            drop(bytes.splice(at..end, word.bytes()));
        }
        6 => {
            let copy = bytes[at..end].to_vec();
            let to = rng.usize(..=bytes.len());
            drop(bytes.splice(to..to, copy));
        }
        7 => {
            let from = rng.usize(..=other.len());
            let until = (from + rng.usize(1..64)).min(other.len());
            drop(bytes.splice(at..end, other[from..until].iter().copied()));
        }
        _ => bytes.truncate(at),
    }
}
