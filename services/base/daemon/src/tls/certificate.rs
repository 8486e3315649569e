//! What a certificate says, and whether the one on disk still says what is wanted.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use super::validity::{Age, Validity};
use super::{Peer, San, Subject, TlsError, Usage};

/// Certificates begin to be valid this long before they are made, for peers whose clocks are behind; short-lived ones
/// by a tenth of their life.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// An authority serves ten years.
const CA_VALIDITY: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Everything a certificate should say.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) subject: Subject,
    pub(super) usage: Usage,
    pub(super) sans: BTreeSet<San>,
}

/// Why a certificate on disk is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Certificate or key cannot be read.
    Unreadable,
    /// It is not of this authority.
    ForeignAuthority,
    /// It begins later: the clock went back since it was made.
    NotYetValid,
    /// It is in the last third of its life, or beyond.
    Aging,
    /// It names somebody else.
    OtherSubject,
    /// It may be presented by others than it should.
    OtherUsage,
    /// It is good for other names and addresses.
    OtherNames,
    /// The key is another certificate's.
    OtherKey,
}

// === impl Wanted ===

impl Wanted {
    /// How to make it, valid from about `now` for `validity`, but not beyond its authority's `end`, in seconds since
    /// 1970: nobody would believe it then.
    pub(super) fn params(
        &self,
        now: SystemTime,
        validity: Duration,
        end: i64,
    ) -> Result<CertificateParams, TlsError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = self.subject.to_dn()?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if self.usage.is_server() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        if self.usage.is_client() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        }
        let san_type = |san: &San| match san {
            San::Ip(address) => Ok(SanType::IpAddress(*address)),
            San::Dns(name) => name.as_str().try_into().map(SanType::DnsName).map_err(TlsError::issue(name)),
        };
        params.subject_alt_names = self.sans.iter().map(san_type).collect::<Result<_, _>>()?;
        let end = UNIX_EPOCH + Duration::from_secs(u64::try_from(end).unwrap_or_default());
        set_validity(&mut params, now, validity.min(end.duration_since(now).unwrap_or_default()));
        Ok(params)
    }

    /// The same, good for the names in `certificate` as well, if that is an earlier one of `authority` for the same
    /// subject.
    pub(super) fn with_names_of(mut self, certificate: &[u8], authority: &X509Certificate<'_>) -> Self {
        if let Ok((_, found)) = X509Certificate::from_der(certificate)
            && is_signed_by(&found, authority)
            && self.is_for(&found)
            && let Ok(names) = sans_of(&found)
        {
            self.sans.extend(names);
        }
        self
    }

    fn is_for(&self, found: &X509Certificate<'_>) -> bool {
        Peer::from_name(found.subject()).is_some_and(|subject| {
            (&subject.common_name, &subject.organizations)
                == (&self.subject.common_name, &self.subject.organizations)
        })
    }

    /// Whether `certificate` with `key` says exactly this, comes from `authority` and lasts for more than a third of
    /// its life from `now` on.
    pub(super) fn check(
        &self,
        certificate: &[u8],
        key: &KeyPair,
        authority: &X509Certificate<'_>,
        now: SystemTime,
    ) -> Result<(), Stale> {
        let (_, found) = X509Certificate::from_der(certificate).map_err(|_| Stale::Unreadable)?;
        if !is_signed_by(&found, authority) {
            return Err(Stale::ForeignAuthority);
        }
        match Validity::of(&found).age(now) {
            Age::NotYetValid => return Err(Stale::NotYetValid),
            Age::Aging | Age::Expired => return Err(Stale::Aging),
            Age::Fresh => {}
        }
        if !self.is_for(&found) {
            return Err(Stale::OtherSubject);
        }
        if usage_of(&found)? != Some(self.usage) {
            return Err(Stale::OtherUsage);
        }
        if sans_of(&found)? != self.sans {
            return Err(Stale::OtherNames);
        }
        if !is_key_of(key, &found) {
            return Err(Stale::OtherKey);
        }
        Ok(())
    }
}

// === impl Stale ===

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "it cannot be read",
            Self::ForeignAuthority => "it is of another authority",
            Self::NotYetValid => "it is not valid yet",
            Self::Aging => "it is in the last third of its life",
            Self::OtherSubject => "it names somebody else",
            Self::OtherUsage => "it has another usage",
            Self::OtherNames => "it has other names",
            Self::OtherKey => "its key is another certificate's",
        })
    }
}

/// How to make an authority. Its name is random, so that certificates of two clusters are never confused.
pub(super) fn ca_params(now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    let name = format!("keelson-ca-{:08x}", fastrand::u32(..));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now, CA_VALIDITY);
    params
}

/// Whether an authority's files belong together and may sign at `now`; else the reason why not.
pub(super) fn check_ca(certificate: &[u8], key: &KeyPair, now: SystemTime) -> Result<(), &'static str> {
    let (_, found) = X509Certificate::from_der(certificate).map_err(|_| "it is not a certificate")?;
    if !found.is_ca() {
        return Err("its certificate is not an authority's");
    }
    if !is_key_of(key, &found) {
        return Err("certificate and key do not belong together");
    }
    match Validity::of(&found).age(now) {
        Age::NotYetValid => Err("it is not valid yet: this host's clock is behind"),
        Age::Expired => Err("it has expired"),
        Age::Fresh | Age::Aging => Ok(()),
    }
}

fn set_validity(params: &mut CertificateParams, now: SystemTime, validity: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    params.not_before = epoch + now.saturating_sub(CLOCK_SKEW.min(validity / 10));
    params.not_after = epoch + (now + validity);
}

/// Whether `authority` has signed a certificate.
pub(super) fn is_signed_by(found: &X509Certificate<'_>, authority: &X509Certificate<'_>) -> bool {
    found.issuer() == authority.subject() && found.verify_signature(Some(authority.public_key())).is_ok()
}

pub(super) fn is_key_of(key: &KeyPair, certificate: &X509Certificate<'_>) -> bool {
    key.public_key_raw() == certificate.public_key().subject_public_key.data.as_ref()
}

fn usage_of(found: &X509Certificate<'_>) -> Result<Option<Usage>, Stale> {
    let usage = found.extended_key_usage().map_err(|_| Stale::Unreadable)?;
    Ok(usage.and_then(|usage| match (usage.value.server_auth, usage.value.client_auth) {
        (true, true) => Some(Usage::Both),
        (true, false) => Some(Usage::Server),
        (false, true) => Some(Usage::Client),
        (false, false) => None,
    }))
}

fn sans_of(found: &X509Certificate<'_>) -> Result<BTreeSet<San>, Stale> {
    let Some(sans) = found.subject_alternative_name().map_err(|_| Stale::Unreadable)? else {
        return Ok(BTreeSet::new());
    };
    let san = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Ok(San::Dns((*name).to_owned())),
        GeneralName::IPAddress(bytes) => address(bytes).map(San::Ip).ok_or(Stale::Unreadable),
        _ => Err(Stale::OtherNames),
    };
    sans.value.general_names.iter().map(san).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}
