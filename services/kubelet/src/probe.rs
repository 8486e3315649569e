//! Doing what probes and hooks say: running a command in the container, asking it over HTTP, TCP or gRPC.
//!
//! When a probe is due, and what its findings mean, is decided in [`crate::plan`]; this is only the doing.

mod exec;
mod grpc;
mod http;
mod target;
mod tcp;

pub(crate) use self::exec::exec;
pub(crate) use self::http::{HttpError, fetch, get};
pub(crate) use self::target::{HttpTarget, TargetError};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keelson_proto::core::{Container, Probe};

use self::target::{Endpoint, port_of};
use crate::runtime::Runtime;

/// How we introduce ourselves to what we check.
pub(crate) const PROBE_AGENT: &str = "kube-probe/1.33";

/// Bytes that are kept of what a program or a server answers (Kubernetes' value).
const MAX_ANSWER: usize = 10 << 10;

/// A probe's time limit if nobody said (api fills it in).
const DEFAULT_TIMEOUT: i32 = 1;

/// A running container, as probes and hooks reach it.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) runtime: Arc<dyn Runtime>,
    /// Its id.
    pub(crate) id: String,
    /// Its definition.
    pub(crate) container: Container,
    /// Its pod's address; none if it has none yet.
    pub(crate) address: Option<IpAddr>,
}

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// All is well.
    Success,
    /// All is well, as far as can be told: the answer leads somewhere else.
    Warning(String),
    /// It is not well.
    Failure(String),
    /// The check could not be done.
    Unknown(String),
}

/// Does `probe` once, within its time limit.
pub(crate) async fn check(probe: &Probe, subject: &Subject) -> Finding {
    let limit = limit(probe);
    let handler = &probe.handler;
    if let Some(action) = &handler.exec {
        exec::check(subject, &action.command, limit).await
    } else if let Some(action) = &handler.http_get {
        match HttpTarget::new(action, subject, PROBE_AGENT) {
            Ok(target) => http::check(&target, limit).await,
            Err(error) => Finding::Unknown(error.to_string()),
        }
    } else if let Some(action) = &handler.tcp_socket {
        let port = port_of(&action.port, &subject.container);
        match port.and_then(|port| Endpoint::new(&action.host, port, subject)) {
            Ok(endpoint) => tcp::check(&endpoint, limit).await,
            Err(error) => Finding::Unknown(error.to_string()),
        }
    } else if let Some(action) = &handler.grpc {
        let port = u16::try_from(action.port).map_err(|_| TargetError::Port(action.port.to_string()));
        match port.and_then(|port| Endpoint::new("", port, subject)) {
            Ok(endpoint) => {
                grpc::check(&endpoint, action.service.as_deref().unwrap_or_default(), limit).await
            }
            Err(error) => Finding::Unknown(error.to_string()),
        }
    } else {
        Finding::Unknown("missing probe handler".to_owned())
    }
}

fn limit(probe: &Probe) -> Duration {
    let seconds = if probe.timeout_seconds > 0 { probe.timeout_seconds } else { DEFAULT_TIMEOUT };
    Duration::from_secs(u64::from(seconds.unsigned_abs()))
}

// === impl Finding ===

impl Finding {
    /// What it says of the container; nothing if the check could not be done.
    pub(crate) fn verdict(&self) -> Option<bool> {
        match self {
            Self::Success | Self::Warning(_) => Some(true),
            Self::Failure(_) => Some(false),
            Self::Unknown(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
