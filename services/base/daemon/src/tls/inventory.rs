//! What certificates a directory holds, for people.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::certificate::{is_key_of, is_signed_by};
use super::validity::time_text;
use super::{Age, Peer, TlsError, Validity, files};

/// A certificate in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file's stem: `api` of `api.crt`.
    pub name: String,
    /// Whom it names: the common name, and the organizations as Kubernetes' groups.
    pub subject: String,
    /// From when until when it is valid, if that can be read.
    pub validity: Option<Validity>,
    /// Whether it can be used.
    pub state: State,
}

/// Whether a certificate can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is what its age says.
    Aged(Age),
    /// The file is no certificate.
    Unreadable,
    /// Nobody who trusts the directory's authority believes it.
    ForeignAuthority,
    /// The file `<name>.key` is missing, is no key, or is another certificate's.
    NoKey,
}

// === impl Entry ===

impl Entry {
    /// When it ends, as RFC 3339 writes it.
    pub fn expires(&self) -> String {
        self.validity.map_or_else(|| "-".to_owned(), |validity| time_text(validity.not_after))
    }

    /// How long it is valid from `now` on.
    pub fn left(&self, now: SystemTime) -> Duration {
        self.validity.map(|validity| validity.left(now)).unwrap_or_default()
    }

    fn read(name: &str, cert_pem: &str, key_pem: Option<&str>, authority: Option<&[u8]>) -> Self {
        let unreadable = || Self {
            name: name.to_owned(),
            subject: "-".to_owned(),
            validity: None,
            state: State::Unreadable,
        };
        let Ok(der) = CertificateDer::from_pem_slice(cert_pem.as_bytes()) else { return unreadable() };
        let Ok((_, found)) = X509Certificate::from_der(&der) else { return unreadable() };
        let validity = Validity::of(&found);
        let authority = authority.and_then(|der| X509Certificate::from_der(der).ok());
        let state = if !authority.is_some_and(|(_, authority)| is_signed_by(&found, &authority)) {
            State::ForeignAuthority
        } else if !key_pem
            .and_then(|pem| KeyPair::from_pem(pem).ok())
            .is_some_and(|key| is_key_of(&key, &found))
        {
            State::NoKey
        } else {
            State::Aged(validity.age(SystemTime::now()))
        };
        let subject = Peer::from_name(found.subject()).map_or_else(|| "-".to_owned(), subject_text);
        Self { name: name.to_owned(), subject, validity: Some(validity), state }
    }
}

// === impl State ===

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aged(Age::Fresh) => "valid",
            Self::Aged(Age::Aging) => "valid, in its last third",
            Self::Aged(Age::Expired) => "EXPIRED",
            Self::Aged(Age::NotYetValid) => "NOT YET VALID",
            Self::Unreadable => "NOT A CERTIFICATE",
            Self::ForeignAuthority => "OF ANOTHER AUTHORITY",
            Self::NoKey => "WITHOUT ITS KEY",
        })
    }
}

/// The certificates in a directory, `ca` first, the others by name. Changes nothing, and needs no key of the authority.
///
/// # Errors
/// If the directory or a file in it cannot be read.
pub fn inventory(dir: &Path) -> Result<Vec<Entry>, TlsError> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir).map_err(TlsError::file("read", dir))? {
        let entry = entry.map_err(TlsError::file("read", dir))?;
        let name = entry.file_name().into_string().unwrap_or_default();
        // A Kubernetes mount keeps its own below names that begin with a dot.
        if let Some(stem) = name.strip_suffix(".crt").filter(|stem| !stem.starts_with('.')) {
            names.insert(stem.to_owned());
        }
    }
    let ca_pem = files::read(&dir.join("ca.crt"))?;
    let authority = ca_pem.and_then(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok());
    let mut entries = Vec::with_capacity(names.len());
    for name in &names {
        let cert_pem = files::read(&dir.join(format!("{name}.crt")))?.unwrap_or_default();
        let key_pem = files::read(&dir.join(format!("{name}.key")))?;
        entries.push(Entry::read(name, &cert_pem, key_pem.as_deref(), authority.as_deref()));
    }
    entries.sort_by_key(|entry| entry.name != "ca");
    Ok(entries)
}

fn subject_text(subject: Peer) -> String {
    match subject.organizations.as_slice() {
        [] => subject.common_name,
        groups => format!("{} ({})", subject.common_name, groups.join(", ")),
    }
}
