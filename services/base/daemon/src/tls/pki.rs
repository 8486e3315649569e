//! A certificate authority in a directory, and the identities it has issued there.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::certificate::{self, San, Stale, Subject, Usage, Wanted};
use super::files::{self, Mode};
use super::{Identity, TlsError};

/// The file stem of the authority itself.
const CA: &str = "ca";

/// A certificate authority on disk: `ca.crt` and `ca.key`, beside `<name>.crt` and `<name>.key` of each identity.
///
/// Several processes may share the directory; they take turns by a lock file.
pub struct Pki {
    dir: PathBuf,
    sans: BTreeSet<San>,
    ca_pem: String,
    ca_der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

// === impl Pki ===

impl Pki {
    /// Opens the authority in `dir`, or makes one if there is none. `sans` are put into every server certificate.
    ///
    /// A damaged or expired authority is an error: to replace it would lock out every client.
    pub fn open_or_create(dir: &Path, sans: &[San]) -> Result<Self, TlsError> {
        fs::create_dir_all(dir).map_err(TlsError::file("create", dir))?;
        let _lock = files::lock(dir)?;
        let (cert_path, key_path) = paths(dir, CA);
        let (ca_pem, key_pem) = match (files::read(&cert_path)?, files::read(&key_path)?) {
            (Some(cert), Some(key)) => (cert, key),
            (Some(_), None) => return Err(damaged(&key_path)("it does not exist")),
            // The key is written first: alone, it is what a crash left of a first start.
            (None, _) => create_ca(&cert_path, &key_path)?,
        };
        let key = KeyPair::from_pem(&key_pem).map_err(|_| damaged(&key_path)("it is not a private key"))?;
        let damaged = damaged(&cert_path);
        let ca_der = CertificateDer::from_pem_slice(ca_pem.as_bytes())
            .map_err(|_| damaged("it is not a certificate"))?;
        certificate::check_ca(&ca_der, &key, SystemTime::now()).map_err(&damaged)?;
        let issuer =
            Issuer::from_ca_cert_der(&ca_der, key).map_err(|_| damaged("its subject cannot be read"))?;
        Ok(Self { dir: dir.to_owned(), sans: sans.iter().cloned().collect(), ca_pem, ca_der, issuer })
    }

    /// The authority's certificate: what clients are given to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The identity `name`: the one on disk if it still says what is asked for here, comes from this authority, and
    /// lasts for more than a third of its life; else a new one, valid for `validity` and written to disk.
    ///
    /// `sans` come on top of the authority's own if `usage` includes [`Usage::Server`].
    pub fn issue(
        &self,
        name: &str,
        subject: Subject,
        usage: Usage,
        sans: &[San],
        validity: Duration,
    ) -> Result<Identity, TlsError> {
        if !is_valid_name(name) {
            return Err(TlsError::BadName(name.to_owned()));
        }
        let common = self.sans.iter().filter(|_| usage.is_server());
        let wanted = Wanted { subject, usage, sans: common.chain(sans).cloned().collect() };
        let _lock = files::lock(&self.dir)?;
        let (cert_path, key_path) = paths(&self.dir, name);
        if let (Some(cert_pem), Some(key_pem)) = (files::read(&cert_path)?, files::read(&key_path)?) {
            match self.check(&wanted, &cert_pem, &key_pem) {
                Ok(()) => {
                    return Ok(Identity { cert_pem, key_pem, ca_pem: self.ca_pem.clone() });
                }
                Err(stale) => tracing::info!(name, ?stale, "issuing a new certificate"),
            }
        }
        let identity = self.make(name, &wanted, validity)?;
        files::write(&key_path, &identity.key_pem, Mode::Secret)?;
        files::write(&cert_path, &identity.cert_pem, Mode::Public)?;
        Ok(identity)
    }

    fn check(&self, wanted: &Wanted, cert_pem: &str, key_pem: &str) -> Result<(), Stale> {
        let cert = CertificateDer::from_pem_slice(cert_pem.as_bytes()).map_err(|_| Stale::Unreadable)?;
        let key = KeyPair::from_pem(key_pem).map_err(|_| Stale::Unreadable)?;
        let (_, authority) = X509Certificate::from_der(&self.ca_der).map_err(|_| Stale::Unreadable)?;
        wanted.check(&cert, &key, &authority, SystemTime::now())
    }

    fn make(&self, name: &str, wanted: &Wanted, validity: Duration) -> Result<Identity, TlsError> {
        let params = wanted.params(SystemTime::now(), validity)?;
        let key = KeyPair::generate().map_err(TlsError::issue(name))?;
        let cert = params.signed_by(&key, &self.issuer).map_err(TlsError::issue(name))?;
        Ok(Identity { cert_pem: cert.pem(), key_pem: key.serialize_pem(), ca_pem: self.ca_pem.clone() })
    }
}

impl fmt::Debug for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pki").field("dir", &self.dir).field("sans", &self.sans).finish_non_exhaustive()
    }
}

fn damaged(path: &Path) -> impl Fn(&str) -> TlsError {
    |reason| TlsError::DamagedCa { path: path.to_owned(), reason: reason.to_owned() }
}

fn create_ca(cert_path: &Path, key_path: &Path) -> Result<(String, String), TlsError> {
    let key = KeyPair::generate().map_err(TlsError::issue(CA))?;
    let cert = certificate::ca_params(SystemTime::now()).self_signed(&key).map_err(TlsError::issue(CA))?;
    let (cert_pem, key_pem) = (cert.pem(), key.serialize_pem());
    files::write(key_path, &key_pem, Mode::Secret)?;
    files::write(cert_path, &cert_pem, Mode::Public)?;
    Ok((cert_pem, key_pem))
}

/// Certificate and key of `name`. Appended rather than set as extension: names may contain dots.
fn paths(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")))
}

fn is_valid_name(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name != CA && !name.starts_with('.') && name.bytes().all(valid)
}
