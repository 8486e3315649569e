//! Who presented a client certificate.

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

/// The subject of a verified client certificate: Kubernetes reads a user name and its groups out of it.
///
/// A request extension set by [`crate::serve`], or by an in-process connector; never read from a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The common name: the user.
    pub common_name: String,
    /// The organizations: the user's groups, in the certificate's order.
    pub organizations: Vec<String>,
}

// === impl Peer ===

impl Peer {
    /// Reads the subject; `None` if the certificate is unreadable or has no common name. Verifies nothing.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        Self::from_name(certificate.subject())
    }

    /// `None` if there is no common name, or if some part cannot be read: half a name would be another user's.
    pub(super) fn from_name(name: &X509Name<'_>) -> Option<Self> {
        let common_name = name.iter_common_name().next()?.as_str().ok()?.to_owned();
        let organizations =
            name.iter_organization().map(|o| o.as_str().map(str::to_owned)).collect::<Result<_, _>>().ok()?;
        (!common_name.is_empty()).then_some(Self { common_name, organizations })
    }
}
