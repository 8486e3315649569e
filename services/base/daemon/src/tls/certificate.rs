//! What a certificate says, and whether the one on disk still says what is wanted.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use super::{Peer, TlsError};

/// Certificates begin to be valid this long before they are made, for peers whose clocks are behind.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// An authority serves ten years.
const CA_VALIDITY: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The object identifier of an organization name (X.520).
const ORGANIZATION_OID: [u64; 4] = [2, 5, 4, 10];

/// Whom a certificate names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The common name; for a client its user name.
    pub common_name: String,
    /// The organizations; for a client its groups. Two at most.
    pub organizations: Vec<String>,
}

/// What a certificate may be presented as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// By a server to its clients.
    Server,
    /// By a client to its servers.
    Client,
    /// By either.
    Both,
}

/// A name or address that a server is reached by (subject alternative name).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum San {
    /// An IP address.
    Ip(IpAddr),
    /// A DNS name.
    Dns(String),
}

/// Everything a certificate should say.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) subject: Subject,
    pub(super) usage: Usage,
    pub(super) sans: BTreeSet<San>,
}

/// Why a certificate on disk is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stale {
    Unreadable,
    ForeignAuthority,
    NotYetValid,
    Aging,
    OtherSubject,
    OtherUsage,
    OtherNames,
    OtherKey,
}

// === impl Subject ===

impl Subject {
    /// A subject without organizations.
    pub fn new(common_name: impl Into<String>) -> Self {
        Self { common_name: common_name.into(), organizations: Vec::new() }
    }

    /// A subject with one organization.
    pub fn in_organization(common_name: impl Into<String>, organization: impl Into<String>) -> Self {
        Self { common_name: common_name.into(), organizations: vec![organization.into()] }
    }

    fn to_dn(&self) -> Result<DistinguishedName, TlsError> {
        let mut dn = DistinguishedName::new();
        // rcgen keeps one value per type, so the second organization comes under the same identifier in disguise.
        let types = [DnType::OrganizationName, DnType::CustomDnType(ORGANIZATION_OID.to_vec())];
        if self.organizations.len() > types.len() {
            return Err(TlsError::TooManyOrganizations(self.organizations.len()));
        }
        for (dn_type, organization) in types.into_iter().zip(&self.organizations) {
            dn.push(dn_type, organization);
        }
        dn.push(DnType::CommonName, &self.common_name);
        Ok(dn)
    }
}

// === impl Usage ===

impl Usage {
    /// Whether a server may present it.
    pub fn is_server(self) -> bool {
        self != Self::Client
    }

    /// Whether a client may present it.
    pub fn is_client(self) -> bool {
        self != Self::Server
    }
}

// === impl San ===

impl FromStr for San {
    type Err = std::convert::Infallible;

    /// An address if it looks like one, else a DNS name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Dns(text.to_owned()), Self::Ip))
    }
}

impl From<IpAddr> for San {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Dns(name) => name.fmt(f),
        }
    }
}

// === impl Wanted ===

impl Wanted {
    /// How to make it, valid from about `now` for `validity`.
    pub(super) fn params(&self, now: SystemTime, validity: Duration) -> Result<CertificateParams, TlsError> {
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
        set_validity(&mut params, now, validity);
        Ok(params)
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
        if found.issuer() != authority.subject()
            || found.verify_signature(Some(authority.public_key())).is_err()
        {
            return Err(Stale::ForeignAuthority);
        }
        check_validity(&found, now)?;
        let subject = Peer::from_name(found.subject()).ok_or(Stale::Unreadable)?;
        if (&subject.common_name, &subject.organizations)
            != (&self.subject.common_name, &self.subject.organizations)
        {
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
    if seconds(now) >= found.validity().not_after.timestamp() {
        return Err("it has expired");
    }
    Ok(())
}

fn set_validity(params: &mut CertificateParams, now: SystemTime, validity: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    params.not_before = epoch + now.saturating_sub(CLOCK_SKEW);
    params.not_after = epoch + (now + validity);
}

fn check_validity(found: &X509Certificate<'_>, now: SystemTime) -> Result<(), Stale> {
    let now = seconds(now);
    let (begin, end) = (found.validity().not_before.timestamp(), found.validity().not_after.timestamp());
    if now < begin {
        return Err(Stale::NotYetValid);
    }
    if (end - now) * 3 <= end - begin {
        return Err(Stale::Aging);
    }
    Ok(())
}

fn seconds(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

fn is_key_of(key: &KeyPair, certificate: &X509Certificate<'_>) -> bool {
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
