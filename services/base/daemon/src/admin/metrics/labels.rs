//! How the metrics of a family are told apart.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

/// The labels of one metric of a family. Few values each: every combination lives for ever.
pub type Labels = Vec<(&'static str, String)>;

/// The same where all values are words of the program or numbers: looking a metric up by them allocates nothing.
pub type Tags<const N: usize> = [(&'static str, Tag); N];

/// The value of a label that needs no memory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    /// A word of the program.
    Word(&'static str),
    /// A number, for instance a status code.
    Number(u32),
}

// === impl Tag ===

impl From<&'static str> for Tag {
    fn from(word: &'static str) -> Self {
        Self::Word(word)
    }
}

impl From<u16> for Tag {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl EncodeLabelValue for Tag {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Word(word) => word.encode(encoder),
            Self::Number(number) => number.encode(encoder),
        }
    }
}
