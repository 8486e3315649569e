//! Who is who: the certificates of everything that listens or connects.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keelson_base_daemon::tls::{Identity, Peer, Pki, San, Subject, TlsError, Usage};

use crate::cluster::ClusterConfig;
use crate::cluster::serving::Serving;
use crate::data_dir::DataDir;

/// How long certificates are valid; each start renews those that are past two thirds of it.
const VALIDITY: Duration = Duration::from_secs(365 * 24 * 3600);

/// A part of the system, as api knows it.
pub(super) struct Who {
    user: &'static str,
    group: Option<&'static str>,
}

/// The certificates of one cluster.
pub(super) struct Identities {
    pki: Pki,
    server: Identity,
    admin: Identity,
}

// === impl Who ===

impl Who {
    pub(super) const ADMIN: Self = Self { user: "system:admin", group: Some(keelson_api::MASTERS) };
    pub(super) const API: Self = Self { user: "system:apiserver", group: Some(keelson_api::MASTERS) };
    pub(super) const SCHEDULER: Self = Self { user: "system:kube-scheduler", group: None };
    pub(super) const CONTROLLERS: Self = Self { user: "system:kube-controller-manager", group: None };
    pub(super) const PROXY: Self = Self { user: "system:kube-proxy", group: None };
    pub(super) const GATEWAY: Self = Self { user: keelson_api::GATEWAY, group: None };

    /// The identity as a certificate would prove it.
    pub(super) fn peer(&self) -> Peer {
        Peer {
            common_name: self.user.to_owned(),
            organizations: self.group.map(str::to_owned).into_iter().collect(),
        }
    }
}

/// The kubelet of a node, as api knows it.
pub(super) fn kubelet(node: &str) -> Peer {
    Peer { common_name: format!("system:node:{node}"), organizations: vec![keelson_api::NODES.to_owned()] }
}

// === impl Identities ===

impl Identities {
    /// Reads or makes the certificates.
    ///
    /// # Errors
    /// If they cannot be read, or the directory not be written.
    pub(super) fn open(data: &DataDir, config: &ClusterConfig, serving: &Serving) -> Result<Self, TlsError> {
        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        let service = config.api.service_cluster_ip_range.hosts().next().map(IpAddr::V4);
        let mut sans: Vec<San> = names.iter().map(|name| San::Dns((*name).to_owned())).collect();
        sans.push(San::Ip(Ipv4Addr::LOCALHOST.into()));
        sans.extend(service.into_iter().chain(serving.hosts()).map(San::Ip));
        sans.sort();
        sans.dedup();
        let pki = Pki::open_or_create(&data.pki(), &sans)?;
        let server = pki.issue("server", Subject::new("keelson"), Usage::Server, &[], VALIDITY)?;
        let admin = Subject::in_organization(Who::ADMIN.user, keelson_api::MASTERS);
        let admin = pki.issue("admin", admin, Usage::Client, &[], VALIDITY)?;
        Ok(Self { pki, server, admin })
    }

    /// What the gateway and the gRPC services show.
    pub(super) fn server(&self) -> &Identity {
        &self.server
    }

    /// The administrator's.
    pub(super) fn admin(&self) -> &Identity {
        &self.admin
    }

    /// A kubelet's.
    ///
    /// # Errors
    /// As `open`.
    pub(super) fn kubelet(&self, node: &str) -> Result<Identity, TlsError> {
        let who = kubelet(node);
        let subject = Subject { common_name: who.common_name, organizations: who.organizations };
        self.pki.issue(
            &format!("kubelet-{node}"),
            subject,
            Usage::Both,
            &[San::Dns(node.to_owned())],
            VALIDITY,
        )
    }
}
