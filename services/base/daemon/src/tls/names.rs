//! What a certificate may say of its holder: subject, usage, names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rcgen::{DistinguishedName, DnType};

use super::TlsError;

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

/// An identity that the directory of an authority should hold: `<name>.crt` and `<name>.key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySpec {
    /// The files' stem.
    pub name: String,
    /// Whom the certificate names.
    pub subject: Subject,
    /// What it may be presented as.
    pub usage: Usage,
    /// The names and addresses it is good for.
    pub sans: Vec<San>,
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

    pub(super) fn to_dn(&self) -> Result<DistinguishedName, TlsError> {
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
