//! A certificate with its key and the authorities it trusts, as PEM and as TLS configurations.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::{TlsError, files, provider};

/// How often, and how far apart, a certificate is read whose key does not match.
const ATTEMPTS: u32 = 5;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(100);

/// A certificate, its key, and the authorities whose peers it trusts.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and intermediates if any.
    pub cert_pem: String,
    /// Its private key. A secret: `Debug` leaves it out.
    pub key_pem: String,
    /// The trusted authorities, and nobody else: the system's are never consulted.
    pub ca_pem: String,
}

/// Whether a server asks its clients for certificates. One from a foreign authority is refused in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Not asked for.
    None,
    /// Asked for; without one the client is anonymous (or has a token).
    Optional,
    /// Without one the handshake fails.
    Required,
}

// === impl Identity ===

impl Identity {
    /// Reads an identity issued elsewhere. Without `ca` no peer is trusted.
    ///
    /// If key and certificate do not match, somebody may be replacing them just now: this blocks for up to half a
    /// second to see whether they do then.
    pub fn from_files(cert: &Path, key: &Path, ca: Option<&Path>) -> Result<Self, TlsError> {
        for _ in 0..ATTEMPTS {
            match Self::from_files_once(cert, key, ca) {
                Err(TlsError::Mismatch { .. }) => std::thread::sleep(ATTEMPT_PAUSE),
                read => return read,
            }
        }
        Self::from_files_once(cert, key, ca)
    }

    /// The same without a second look.
    pub(super) fn from_files_once(cert: &Path, key: &Path, ca: Option<&Path>) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            let missing =
                || TlsError::BadFile { path: path.to_owned(), reason: "it does not exist".to_owned() };
            files::read(path)?.ok_or_else(missing)
        };
        let identity = Self {
            cert_pem: read(cert)?,
            key_pem: read(key)?,
            ca_pem: ca.map(read).transpose()?.unwrap_or_default(),
        };
        let bad = |path: &Path| {
            let path = path.to_owned();
            move |error: TlsError| TlsError::BadFile { path, reason: error.to_string() }
        };
        let chain = identity.certificates().map_err(bad(cert))?;
        let private = identity.key().map_err(bad(key))?;
        match CertifiedKey::from_der(chain, private, &provider()) {
            Ok(_) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(TlsError::Mismatch { cert: cert.to_owned(), key: key.to_owned() });
            }
            Err(error) => return Err(bad(key)(config(error))),
        }
        if let Some(ca) = ca {
            identity.roots().map_err(bad(ca))?;
        }
        Ok(identity)
    }

    /// A server that presents this certificate and offers `alpn`, best first.
    pub fn server_config(
        &self,
        client_auth: ClientAuth,
        alpn: &[&[u8]],
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(config)?;
        let builder = match client_auth {
            ClientAuth::None => builder.with_no_client_auth(),
            ClientAuth::Optional | ClientAuth::Required => {
                let roots = Arc::new(self.roots()?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                let verifier = match client_auth {
                    ClientAuth::Optional => verifier.allow_unauthenticated(),
                    _ => verifier,
                };
                builder.with_client_cert_verifier(verifier.build().map_err(config)?)
            }
        };
        let mut server = builder.with_single_cert(self.certificates()?, self.key()?).map_err(config)?;
        // A resumed session would skip the look at the client's certificate, which may have expired, or its authority
        // been replaced, since.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        server.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(server))
    }

    /// A client that presents this certificate and trusts our authorities only. ALPN is left to the HTTP stack.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(config)?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(self.certificates()?, self.key()?)
            .map_err(config)?;
        Ok(Arc::new(client))
    }

    /// A client that trusts the authorities in `ca_pem` and presents no certificate.
    pub fn anonymous_client_config(ca_pem: &str) -> Result<Arc<ClientConfig>, TlsError> {
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(config)?
            .with_root_certificates(roots(ca_pem)?)
            .with_no_client_auth();
        Ok(Arc::new(client))
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        certificates(&self.cert_pem)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let no_key = |error| TlsError::Config(format!("there is no usable private key in it ({error})"));
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(no_key)
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        roots(&self.ca_pem)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

fn roots(ca_pem: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(ca_pem)? {
        roots.add(authority).map_err(config)?;
    }
    Ok(roots)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Config(format!("a certificate in it is not PEM ({error})")))?;
    if certificates.is_empty() {
        return Err(TlsError::Config("there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}

fn config(error: impl fmt::Display) -> TlsError {
    TlsError::Config(error.to_string())
}
