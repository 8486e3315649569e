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

use super::certificate::{self, Stale, Wanted};
use super::validity::Validity;
use super::{Identity, IdentitySpec, San, Subject, TlsError, Usage, files};

/// The file stem of the authority itself.
const CA: &str = "ca";

/// A certificate authority on disk: `ca.crt` and `ca.key`, beside `<name>.crt` and `<name>.key` of each identity.
///
/// Several processes may share the directory; they take turns by a lock file. `ca.crt` may hold further authorities
/// after the one that signs: they are trusted too, which is how one authority is replaced by the next.
pub struct Pki {
    dir: PathBuf,
    sans: BTreeSet<San>,
    ca_pem: String,
    ca_der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// An identity that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: Why,
}

/// Why an identity is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There was none.
    Missing,
    /// The one on disk is not good any more.
    Stale(Stale),
    /// It was asked for.
    Asked,
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

    /// The authority's directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
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
        match self.find(name)? {
            Some(found) if self.check(&wanted, &found).is_ok() => Ok(found),
            _ => self.replace(name, &wanted, validity),
        }
    }

    /// Makes the identities that are missing, stale, or, with `all`, every one of them; the others stay as they are.
    ///
    /// Unlike [`Pki::issue`], names that an identity has on disk and `specs` do not ask for are kept: whoever renews
    /// need not remember them all. To be rid of them, remove the identity's files.
    pub fn ensure(
        &self,
        specs: &[IdentitySpec],
        validity: Duration,
        all: bool,
    ) -> Result<Vec<Issued>, TlsError> {
        if let Some(bad) = specs.iter().find(|spec| !is_valid_name(&spec.name)) {
            return Err(TlsError::BadName(bad.name.clone()));
        }
        let _lock = files::lock(&self.dir)?;
        let mut issued = Vec::new();
        for spec in specs {
            let common = self.sans.iter().filter(|_| spec.usage.is_server());
            let sans = common.chain(&spec.sans).cloned().collect();
            let mut wanted = Wanted { subject: spec.subject.clone(), usage: spec.usage, sans };
            let found = self.find(&spec.name)?;
            if let Some((cert, authority)) =
                found.as_ref().and_then(|found| pem_der(&found.cert_pem)).zip(self.authority())
            {
                wanted = wanted.with_names_of(&cert, &authority);
            }
            let state = found.map(|found| self.check(&wanted, &found));
            if let Some(why) = Why::decide(state, all) {
                self.replace(&spec.name, &wanted, validity)?;
                issued.push(Issued { name: spec.name.clone(), why });
            }
        }
        Ok(issued)
    }

    /// From when until when the authority itself is valid.
    pub fn ca_validity(&self) -> Option<Validity> {
        Validity::of_pem(&self.ca_pem)
    }

    /// What is on disk under a name: half an identity is none.
    fn find(&self, name: &str) -> Result<Option<Identity>, TlsError> {
        let (cert_path, key_path) = paths(&self.dir, name);
        let pair = files::read(&cert_path)?.zip(files::read(&key_path)?);
        let identity = |(cert_pem, key_pem)| Identity { cert_pem, key_pem, ca_pem: self.ca_pem.clone() };
        Ok(pair.map(identity))
    }

    fn authority(&self) -> Option<X509Certificate<'_>> {
        X509Certificate::from_der(&self.ca_der).ok().map(|(_, authority)| authority)
    }

    fn check(&self, wanted: &Wanted, found: &Identity) -> Result<(), Stale> {
        let cert = pem_der(&found.cert_pem).ok_or(Stale::Unreadable)?;
        let key = KeyPair::from_pem(&found.key_pem).map_err(|_| Stale::Unreadable)?;
        let authority = self.authority().ok_or(Stale::Unreadable)?;
        wanted.check(&cert, &key, &authority, SystemTime::now())
    }

    fn replace(&self, name: &str, wanted: &Wanted, validity: Duration) -> Result<Identity, TlsError> {
        let end = self.ca_validity().map_or(i64::MAX, |validity| validity.not_after);
        let params = wanted.params(SystemTime::now(), validity, end)?;
        let key = KeyPair::generate().map_err(TlsError::issue(name))?;
        let cert = params.signed_by(&key, &self.issuer).map_err(TlsError::issue(name))?;
        let (cert_pem, key_pem) = (cert.pem(), key.serialize_pem());
        let (cert_path, key_path) = paths(&self.dir, name);
        files::write_pair((&key_path, &key_pem), (&cert_path, &cert_pem))?;
        Ok(Identity { cert_pem, key_pem, ca_pem: self.ca_pem.clone() })
    }
}

// === impl Why ===

impl Why {
    /// Whether to make an identity: by the state of what is there, if anything, and whether `all` were asked for.
    fn decide(found: Option<Result<(), Stale>>, all: bool) -> Option<Self> {
        match found {
            None => Some(Self::Missing),
            Some(Err(stale)) => Some(Self::Stale(stale)),
            Some(Ok(())) => all.then_some(Self::Asked),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there was none"),
            Self::Stale(stale) => stale.fmt(f),
            Self::Asked => f.write_str("as asked for"),
        }
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
    files::write_pair((key_path, &key_pem), (cert_path, &cert_pem))?;
    Ok((cert_pem, key_pem))
}

fn pem_der(pem: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

/// Certificate and key of `name`. Appended rather than set as extension: names may contain dots.
fn paths(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")))
}

fn is_valid_name(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name != CA && !name.starts_with('.') && name.bytes().all(valid)
}
