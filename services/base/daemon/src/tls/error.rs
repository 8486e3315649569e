//! What can go wrong with keys and certificates, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no authority, identity or TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or written.
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was tried: `read`, `write`, ….
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A named file is not what it should be.
    #[error("{} is not usable: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key are not of one pair.
    #[error(
        "the key {} is not that of the certificate {}: make a new pair with `keelson pki`, or copy both again",
        key.display(), cert.display()
    )]
    Mismatch {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The certificate to present is not valid any more.
    #[error("the certificate {} expired at {since}: renew it with `keelson pki`", path.display())]
    Expired {
        /// The certificate.
        path: PathBuf,
        /// When its life ended.
        since: String,
    },
    /// The certificate to present is not valid yet.
    #[error(
        "the certificate {} is not valid yet, but from {from} on, and here it is {now}: set this host's clock right",
        path.display()
    )]
    NotYetValid {
        /// The certificate.
        path: PathBuf,
        /// When its life begins.
        from: String,
        /// This host's time.
        now: String,
    },
    /// The authority on disk is damaged. It is never replaced silently, since every client trusts it.
    #[error(
        "the certificate authority {} is not usable: {reason}; restore ca.crt and ca.key, or remove both \
         to make a new one that every client must then be given", path.display()
    )]
    DamagedCa {
        /// `ca.crt` or `ca.key`.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An identity was asked for under a name that cannot be a file's.
    #[error("{0:?} cannot name an identity: use letters, digits, `-`, `_` and `.`, and not `ca`")]
    BadName(String),
    /// rcgen can encode an organization twice at most.
    #[error("a certificate can name two organizations, not {0}")]
    TooManyOrganizations(usize),
    /// A certificate could not be made.
    #[error("cannot make the certificate {name:?}")]
    Issue {
        /// The identity's name.
        name: String,
        /// Why.
        source: rcgen::Error,
    },
    /// A TLS configuration could not be made of an identity.
    #[error("cannot set up TLS: {0}")]
    Config(String),
}

// === impl TlsError ===

impl TlsError {
    pub(super) fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { operation, path, source }
    }

    pub(super) fn issue(name: &str) -> impl FnOnce(rcgen::Error) -> Self {
        move |source| Self::Issue { name: name.to_owned(), source }
    }
}
