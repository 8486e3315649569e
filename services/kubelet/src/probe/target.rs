//! Where a check goes: addresses, named ports, URLs. Pure.

use std::fmt;
use std::net::IpAddr;

use keelson_proto::core::{Container, HttpGetAction};
use keelson_proto::intstr::IntOrString;
use url::Url;

use super::Subject;

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
}

/// An HTTP request to make.
#[derive(Clone, Debug)]
pub(crate) struct HttpTarget {
    pub(super) url: Url,
    /// Headers, ours included.
    pub(super) headers: Vec<(String, String)>,
}

/// It is not known where the check should go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// No port of the container has this name.
    #[error("couldn't find port: {0:?} is no port of the container")]
    PortName(String),
    /// Ports go from 1 to 65535.
    #[error("invalid port number: {0}")]
    Port(String),
    /// The pod has no address yet.
    #[error("the pod has no address yet")]
    NoAddress,
    /// Not a URL.
    #[error("invalid URL: {0}")]
    Url(String),
}

/// The number of a port that is given by number or by name.
pub(super) fn port_of(port: &IntOrString, container: &Container) -> Result<u16, TargetError> {
    let number = match port.as_str() {
        None => port.as_int().unwrap_or_default(),
        Some(name) => {
            let named = container.ports.iter().find(|port| port.name == name).map(|port| port.container_port);
            let number = named.or_else(|| name.parse().ok());
            number.ok_or_else(|| TargetError::PortName(name.to_owned()))?
        }
    };
    let valid = u16::try_from(number).ok().filter(|port| *port > 0);
    valid.ok_or_else(|| TargetError::Port(number.to_string()))
}

// === impl Endpoint ===

impl Endpoint {
    /// `host`, or the pod itself if none is given.
    pub(super) fn new(host: &str, port: u16, subject: &Subject) -> Result<Self, TargetError> {
        let own = || subject.address.as_ref().map(IpAddr::to_string).ok_or(TargetError::NoAddress);
        let host = if host.is_empty() { own()? } else { host.to_owned() };
        Ok(Self { host, port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

// === impl HttpTarget ===

impl HttpTarget {
    /// The request that `action` describes. The headers `User-Agent` and `Accept` are ours unless it names them.
    pub(crate) fn new(action: &HttpGetAction, subject: &Subject, agent: &str) -> Result<Self, TargetError> {
        let port = port_of(&action.port, &subject.container)?;
        let endpoint = Endpoint::new(&action.host, port, subject)?;
        let scheme = if action.scheme.is_empty() { "http".to_owned() } else { action.scheme.to_lowercase() };
        let slash = if action.path.starts_with('/') { "" } else { "/" };
        let url = format!("{scheme}://{endpoint}{slash}{}", action.path);
        let url = Url::parse(&url).map_err(|error| TargetError::Url(format!("{url:?}: {error}")))?;
        let mut headers: Vec<(String, String)> =
            action.http_headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect();
        for (name, value) in [("User-Agent", agent), ("Accept", "*/*")] {
            if !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        // Given without a value these two are left out altogether, as Kubernetes does.
        let left_out =
            |name: &str| ["User-Agent", "Accept"].iter().any(|ours| name.eq_ignore_ascii_case(ours));
        headers.retain(|(name, value)| !(value.is_empty() && left_out(name)));
        Ok(Self { url, headers })
    }
}
