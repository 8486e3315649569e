//! What comes with an answer besides its message: warnings for people, and whether something began to exist.

use tonic::metadata::{MetadataMap, MetadataValue};

const CREATED: &str = "keelson-created";
const WARNING: &str = "keelson-warning-bin";

/// The most warnings that travel, and the most bytes of each: metadata is limited.
const MOST: usize = 64;
const LONGEST: usize = 512;

/// What comes with an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Whether the object was not there before.
    pub created: bool,
    /// What the client should be warned of.
    pub warnings: Vec<String>,
}

// === impl Notes ===

impl Notes {
    /// Writes them into the metadata of a response.
    pub fn write(&self, metadata: &mut MetadataMap) {
        if self.created {
            metadata.insert(CREATED, MetadataValue::from_static("true"));
        }
        for warning in self.warnings.iter().take(MOST) {
            let short: String = warning.chars().take(LONGEST).collect();
            metadata.append_bin(WARNING, MetadataValue::from_bytes(short.as_bytes()));
        }
    }

    /// Reads them from the metadata of a response.
    pub fn read(metadata: &MetadataMap) -> Self {
        let warnings = metadata
            .get_all_bin(WARNING)
            .iter()
            .filter_map(|value| Some(String::from_utf8_lossy(&value.to_bytes().ok()?).into_owned()));
        Self { created: metadata.contains_key(CREATED), warnings: warnings.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive_their_journey() {
        let warnings = vec!["unknown field \"spec.fóo\"".to_owned(), "second, with % and \n".to_owned()];
        let notes = Notes { created: true, warnings };
        let mut metadata = MetadataMap::new();
        notes.write(&mut metadata);
        assert_eq!(Notes::read(&metadata), notes);
        assert_eq!(Notes::read(&MetadataMap::new()), Notes::default());
    }
}
