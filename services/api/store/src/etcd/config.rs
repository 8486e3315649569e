//! Where etcd is and how to reach it.

use crate::FanoutConfig;
use bytes::Bytes;
use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};
use std::time::Duration;

/// How long a connection to a member may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where etcd is and how to use it.
#[derive(Clone, Debug)]
pub struct EtcdConfig {
    /// The members' client addresses, such as `https://10.0.0.1:2379`.
    pub endpoints: Vec<String>,
    /// How to prove who is who; `None` for plain `http`.
    pub tls: Option<EtcdTls>,
    /// The keys that are ours: those that start with this. Others are neither listed nor delivered to watches.
    pub prefix: String,
    /// Keys with a time to live share a lease with those that end in the same span of this length, and so may
    /// end that much later. Each lease costs etcd memory and work.
    pub lease_bucket: Duration,
    /// How long etcd may take to answer.
    pub timeout: Duration,
    /// How much of the newest history is kept in memory for watches.
    pub fanout: FanoutConfig,
}

/// Certificates for etcd, all PEM.
#[derive(Clone)]
pub struct EtcdTls {
    /// The authority that signed etcd's certificate.
    pub ca: Bytes,
    /// Our certificate and its private key, when etcd asks for them.
    pub identity: Option<(Bytes, Bytes)>,
}

// === impl EtcdConfig ===

impl EtcdConfig {
    /// The usual bounds, without TLS, for Kubernetes' `/registry/`.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            tls: None,
            prefix: "/registry/".to_owned(),
            lease_bucket: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            fanout: FanoutConfig::default(),
        }
    }

    pub(super) fn connect_options(&self) -> ConnectOptions {
        // Without pings a broken connection, or a member that is stopped, would leave the watch silent for ever. etcd
        // takes more than one in 5 s for an attack (--grpc-keepalive-min-time), and any without a stream.
        let mut options = ConnectOptions::new()
            .with_keep_alive(Duration::from_secs(6), Duration::from_secs(3))
            .with_keep_alive_while_idle(false)
            .with_connect_timeout(self.timeout.min(CONNECT_TIMEOUT))
            .with_require_leader(true);
        if let Some(EtcdTls { ca, identity }) = &self.tls {
            let mut tls = TlsOptions::new().ca_certificate(Certificate::from_pem(ca));
            if let Some((certificate, key)) = identity {
                tls = tls.identity(Identity::from_pem(certificate, key));
            }
            options = options.with_tls(tls);
        }
        options
    }
}

impl std::fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdTls").finish_non_exhaustive()
    }
}
