//! The inputs that a target begins with.

use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

/// The inputs of one target, in the order of their files' names.
#[derive(Clone, Debug, Default)]
pub struct Corpus(pub Vec<Vec<u8>>);

// === impl Corpus ===

impl Corpus {
    /// Reads the files of `corpus/<target>/`.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn read(target: &str) -> io::Result<Self> {
        let entries = std::fs::read_dir(directory(target))?;
        let mut files: Vec<PathBuf> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.sort();
        files.iter().map(std::fs::read).collect::<Result<_, _>>().map(Self)
    }
}

/// Keeps an input that broke a target beside its corpus, for the next run to begin with.
///
/// # Errors
/// If the file cannot be written.
pub fn keep(target: &str, input: &[u8]) -> io::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    hasher.write(input);
    let path = directory(target).join(format!("broke-{:016x}", hasher.finish()));
    std::fs::write(&path, input)?;
    Ok(path)
}

fn directory(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}
