//! What is wrong with a certificate, in words: whose it is, and what to do.

use std::io;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

use super::validity::time_text;

/// A handshake that led nowhere.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// A certificate, or its absence.
    #[error("{0}")]
    Refused(String),
    /// The connection ended, or what came over it was not TLS.
    #[error("no TLS handshake took place: {0}")]
    Io(io::Error),
}

// === impl HandshakeError ===

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        explain(&error).map_or_else(|| Self::Io(error), Self::Refused)
    }
}

/// What a failure of a TLS connection says of certificates; `None` if it was about something else.
pub fn explain(error: &io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(error) => Some(of_peer(error)),
        Error::NoCertificatesPresented => {
            Some("the peer presented no certificate, and one is required here".to_owned())
        }
        Error::AlertReceived(alert) => of_ours(*alert).map(str::to_owned),
        _ => None,
    }
}

/// We refuse the peer's certificate.
fn of_peer(error: &CertificateError) -> String {
    let text = |time: &UnixTime| time_text(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    match error {
        CertificateError::ExpiredContext { time, not_after } => format!(
            "the peer's certificate expired at {}, and here it is {}: renew it with `keelson pki`, or set the clocks \
             right",
            text(not_after),
            text(time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "the peer's certificate is not valid yet, but from {} on, and here it is {}: set the clocks of both hosts \
             right",
            text(not_before),
            text(time)
        ),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the peer's certificate is of an unknown authority: both sides need certificates of the same ca.crt"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented: Vec<&str> = presented.iter().map(|name| plain_name(name)).collect();
            format!(
                "the peer's certificate is not for the name {}, but for {}",
                expected.to_str(),
                presented.join(", ")
            )
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the peer's certificate may not be presented by this side (extended key usage)".to_owned()
        }
        other => format!("the peer's certificate is not acceptable: {other}"),
    }
}

/// The peer refuses our certificate: RFC 8446, section 6.2, and RFC 5246, section 7.2.2.
fn of_ours(alert: AlertDescription) -> Option<&'static str> {
    match alert {
        AlertDescription::CertificateExpired => Some(
            "the peer refused our certificate: by its clock it is not valid now, so either it has expired (renew it \
             with `keelson pki`) or the clocks differ",
        ),
        AlertDescription::UnknownCA | AlertDescription::DecryptError => Some(
            "the peer refused our certificate: it is of an authority unknown to it; both sides need certificates of \
             the same ca.crt",
        ),
        AlertDescription::CertificateRequired => {
            Some("the peer requires a client certificate, and none was presented")
        }
        AlertDescription::BadCertificate => {
            Some("the peer refused our certificate: it is malformed, or for another name")
        }
        AlertDescription::UnsupportedCertificate => Some(
            "the peer refused our certificate: it may not be presented by this side (extended key usage)",
        ),
        AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRevoked
        | AlertDescription::AccessDenied => Some("the peer refused our certificate"),
        _ => None,
    }
}

/// webpki shows names as its own types print: `DnsName("a")`, `IpAddress(::1)`.
fn plain_name(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn explanations_say_whose_certificate_it_is_and_what_is_wrong() {
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let refused = |error| Error::InvalidCertificate(error);
        let name = ServerName::try_from("keelson-api").unwrap();
        let table = [
            (
                refused(CertificateError::ExpiredContext { time: time(60), not_after: time(0) }),
                "the peer's certificate expired at 1970-01-01T00:00:00Z, and here it is 1970-01-01T00:01:00Z",
            ),
            (
                refused(CertificateError::NotValidYetContext { time: time(0), not_before: time(60) }),
                "not valid yet, but from 1970-01-01T00:01:00Z on",
            ),
            (refused(CertificateError::UnknownIssuer), "the peer's certificate is of an unknown authority"),
            (
                refused(CertificateError::NotValidForNameContext {
                    expected: name,
                    presented: vec!["DnsName(\"node-1\")".into(), "IpAddress(127.0.0.1)".into()],
                }),
                "not for the name keelson-api, but for node-1, 127.0.0.1",
            ),
            (refused(CertificateError::InvalidPurpose), "extended key usage"),
            (refused(CertificateError::Revoked), "the peer's certificate is not acceptable"),
            (Error::NoCertificatesPresented, "the peer presented no certificate"),
            (Error::AlertReceived(AlertDescription::CertificateExpired), "by its clock it is not valid now"),
            (Error::AlertReceived(AlertDescription::UnknownCA), "an authority unknown to it"),
            (Error::AlertReceived(AlertDescription::CertificateRequired), "none was presented"),
            (Error::AlertReceived(AlertDescription::BadCertificate), "refused our certificate"),
            (Error::AlertReceived(AlertDescription::UnsupportedCertificate), "extended key usage"),
        ];
        for (error, expected) in table {
            let name = format!("{error:?}");
            let text = explain(&io::Error::new(io::ErrorKind::InvalidData, error)).unwrap_or_default();
            assert!(text.contains(expected), "{name}: {text}");
        }
    }

    #[test]
    fn what_is_not_about_certificates_is_left_as_it_is() {
        let table = [
            io::Error::from(io::ErrorKind::UnexpectedEof),
            io::Error::other(Error::HandshakeNotComplete),
            io::Error::other(Error::AlertReceived(AlertDescription::InternalError)),
        ];
        for error in table {
            assert_eq!(explain(&error), None, "{error}");
            assert!(matches!(HandshakeError::from(error), HandshakeError::Io(_)));
        }
    }
}
