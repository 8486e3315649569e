//! The key that the tokens of service accounts are signed with, beside the certificates.

use std::path::PathBuf;

use rcgen::KeyPair;

use super::{Pki, TlsError, files};

/// The private key in an authority's directory.
pub const SIGNING_KEY: &str = "sa.key";
/// Its public half.
pub const SIGNING_KEY_PUBLIC: &str = "sa.pub";

// === impl Pki ===

impl Pki {
    /// Where the signing key is: made if there is none, and its public half written beside it. It is never renewed by
    /// itself: tokens that it has signed would end with it.
    ///
    /// # Errors
    /// If the files cannot be read or written, or hold no key.
    pub fn signing_key(&self) -> Result<PathBuf, TlsError> {
        let (key_path, public_path) = (self.dir().join(SIGNING_KEY), self.dir().join(SIGNING_KEY_PUBLIC));
        let _lock = files::lock(self.dir())?;
        let (key_pem, known) = match files::read(&key_path)? {
            Some(pem) => (pem, files::read(&public_path)?.is_some()),
            None => (KeyPair::generate().map_err(TlsError::issue(SIGNING_KEY))?.serialize_pem(), false),
        };
        // A key of another kind, put there by hand, is its owner's business.
        if let (false, Ok(key)) = (known, KeyPair::from_pem(&key_pem)) {
            let public = key.public_key_pem();
            files::write_pair((&key_path, &key_pem), (&public_path, &public))?;
        }
        Ok(key_path)
    }
}
