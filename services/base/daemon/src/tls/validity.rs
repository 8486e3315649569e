//! From when until when a certificate is valid, and how much of that is left.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// From when until when a certificate is valid, in seconds since 1970, both ends included (RFC 5280, 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its first second.
    pub not_before: i64,
    /// Its last second.
    pub not_after: i64,
}

/// How far a certificate is into its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It is not valid yet: this host's clock, or that of the issuer, is wrong.
    NotYetValid,
    /// It is valid.
    Fresh,
    /// It is valid, and in the last third of its life: time to renew it.
    Aging,
    /// It is not valid any more.
    Expired,
}

// === impl Validity ===

impl Validity {
    /// Of the first certificate in a PEM text; `None` if there is none that can be read.
    pub fn of_pem(pem: &str) -> Option<Self> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        Some(Self::of(&certificate))
    }

    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self { not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() }
    }

    /// How far it is at `now`.
    pub fn age(self, now: SystemTime) -> Age {
        let now = seconds(now);
        if now < self.not_before {
            Age::NotYetValid
        } else if now > self.not_after {
            Age::Expired
        } else if now >= self.aging_from() {
            Age::Aging
        } else {
            Age::Fresh
        }
    }

    /// The second in which its last third begins.
    pub fn aging_from(self) -> i64 {
        self.not_after - (self.not_after - self.not_before) / 3
    }

    /// How long it is valid from `now` on; zero once it has expired.
    pub fn left(self, now: SystemTime) -> Duration {
        u64::try_from(self.not_after - seconds(now)).map(Duration::from_secs).unwrap_or_default()
    }
}

/// A time as RFC 3339 writes it.
pub(super) fn time_text(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| format!("second {seconds}"), |time| time.to_string())
}

/// A time in seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_table() {
        let validity = Validity { not_before: 1000, not_after: 1300 };
        let table = [
            (999, Age::NotYetValid, 301),
            (1000, Age::Fresh, 300),
            (1199, Age::Fresh, 101),
            (1200, Age::Aging, 100),
            (1300, Age::Aging, 0),
            (1301, Age::Expired, 0),
        ];
        for (now, age, left) in table {
            let at = UNIX_EPOCH + Duration::from_secs(now);
            assert_eq!((validity.age(at), validity.left(at).as_secs()), (age, left), "{now}");
        }
    }

    #[test]
    fn times_are_written_as_rfc_3339() {
        assert_eq!(time_text(0), "1970-01-01T00:00:00Z");
        assert_eq!(time_text(i64::MAX), format!("second {}", i64::MAX));
    }
}
