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

/// Replaces a file in one step and makes that durable. Needs the directory's [`lock`].
pub(super) fn write(path: &Path, text: &str, mode: Mode) -> Result<(), TlsError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let bits = match mode {
        Mode::Public => 0o644,
        Mode::Secret => 0o600,
    };
    let replace = || {
        // What a crash left behind may have another mode.
        if let Err(error) = fs::remove_file(&temporary)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(bits).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        match path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    };
    replace().map_err(TlsError::file("write", path))
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
