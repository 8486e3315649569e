//! Files that are whole or absent, also after a crash, and secret where they must be.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::TlsError;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Everybody: certificates.
    Public,
    /// The owner: keys.
    Secret,
}

/// The text of a file; `None` if there is none, or if it is not UTF-8 (PEM always is).
pub(super) fn read(path: &Path) -> Result<Option<String>, TlsError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Some(String::new())),
        Err(error) => Err(TlsError::file("read", path)(error)),
    }
}

/// A file's new content, written beside it and durable, but not in its place yet.
pub(super) struct Draft {
    temporary: PathBuf,
    path: PathBuf,
}

// === impl Draft ===

impl Draft {
    /// Writes what is to become the file `path`. Needs the directory's [`lock`].
    pub(super) fn write(path: &Path, text: &str, mode: Mode) -> Result<Self, TlsError> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let bits = match mode {
            Mode::Public => 0o644,
            Mode::Secret => 0o600,
        };
        let write = || {
            // What a crash left behind may have another mode.
            if let Err(error) = fs::remove_file(&temporary)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(bits).open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(TlsError::file("write", path))?;
        Ok(Self { temporary, path: path.to_owned() })
    }

    /// Replaces the file in one step.
    pub(super) fn publish(self) -> Result<(), TlsError> {
        fs::rename(&self.temporary, &self.path).map_err(TlsError::file("write", &self.path))
    }
}

/// Replaces a key and its certificate, durably. Each is replaced in one step, and the two directly after one another:
/// a reader that falls between them sees that they do not match, and reads again.
pub(super) fn write_pair(key: (&Path, &str), cert: (&Path, &str)) -> Result<(), TlsError> {
    let drafts = [Draft::write(key.0, key.1, Mode::Secret)?, Draft::write(cert.0, cert.1, Mode::Public)?];
    // The key first: alone, it is what a crash left of a first start.
    drafts.into_iter().try_for_each(Draft::publish)?;
    let sync = |dir: &Path| File::open(dir)?.sync_all();
    cert.0.parent().map_or(Ok(()), sync).map_err(TlsError::file("write", cert.0))
}

/// Keeps other processes from writing in `dir` until dropped.
pub(super) fn lock(dir: &Path) -> Result<File, TlsError> {
    let path = dir.join(".lock");
    let lock = || {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        file.lock()?;
        Ok(file)
    };
    lock().map_err(TlsError::file("lock", &path))
}
