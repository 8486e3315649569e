//! Who is who: one table of the users that the parts of the system are, which api's table of rights knows, and of the
//! certificates that prove it.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use keelson_base_daemon::tls::{IdentitySpec, Peer, San, Subject, Usage};

/// The name in the certificate of every api, whatever its address: what its clients expect.
pub(crate) const API_SERVER_NAME: &str = "keelson-api";

/// The beginning of the name of a kubelet's identity; the node's name follows.
pub(crate) const KUBELET: &str = "kubelet-";

/// A part of the system, as api knows it.
#[derive(Debug)]
pub(crate) struct Who {
    /// What its certificate and key are called, without `.crt` and `.key`.
    pub(crate) identity: &'static str,
    user: &'static str,
    group: Option<&'static str>,
    usage: Usage,
    /// The names that its certificate is good for, wherever it runs.
    names: &'static [&'static str],
}

// === impl Who ===

impl Who {
    pub(crate) const ADMIN: Self = Self {
        identity: "admin",
        user: "system:admin",
        group: Some(keelson_api::MASTERS),
        usage: Usage::Client,
        names: &[],
    };
    pub(crate) const API: Self = Self {
        identity: "api",
        user: "system:apiserver",
        group: Some(keelson_api::MASTERS),
        usage: Usage::Both,
        names: &[API_SERVER_NAME, "api"],
    };
    pub(crate) const SCHEDULER: Self = Self {
        identity: "scheduler",
        user: "system:kube-scheduler",
        group: None,
        usage: Usage::Both,
        names: &["keelson-scheduler", "scheduler"],
    };
    pub(crate) const CONTROLLERS: Self = Self {
        identity: "replication",
        user: "system:kube-controller-manager",
        group: None,
        usage: Usage::Both,
        names: &["keelson-replication", "replication"],
    };
    pub(crate) const PROXY: Self = Self {
        identity: "service-proxy",
        user: "system:kube-proxy",
        group: None,
        usage: Usage::Both,
        names: &["keelson-service-proxy", "service-proxy"],
    };
    pub(crate) const GATEWAY: Self = Self {
        identity: "gateway",
        user: keelson_api::GATEWAY,
        group: None,
        usage: Usage::Both,
        names: &[
            "keelson-gateway",
            "gateway",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ],
    };

    /// All of them but the kubelets, of which there is one for each node.
    pub(crate) const ALL: [Self; 6] =
        [Self::API, Self::GATEWAY, Self::SCHEDULER, Self::CONTROLLERS, Self::PROXY, Self::ADMIN];

    /// The identity as a certificate would prove it.
    pub(crate) fn peer(&self) -> Peer {
        Peer {
            common_name: self.user.to_owned(),
            organizations: self.group.map(str::to_owned).into_iter().collect(),
        }
    }

    /// The same as the subject of a certificate.
    pub(crate) fn subject(&self) -> Subject {
        subject(self.peer())
    }

    /// The certificate that proves it, good for `sans` besides its own names.
    pub(crate) fn spec(&self, sans: impl IntoIterator<Item = San>) -> IdentitySpec {
        let own = self.names.iter().map(|name| San::Dns((*name).to_owned()));
        IdentitySpec {
            name: self.identity.to_owned(),
            subject: self.subject(),
            usage: self.usage,
            sans: own.chain(sans).collect(),
        }
    }

    /// Whether those who are not of the system connect to it, by whatever names and addresses it has for them.
    pub(crate) fn is_front(&self) -> bool {
        [Self::API.identity, Self::GATEWAY.identity].contains(&self.identity)
    }
}

/// The kubelet of a node, as api knows it.
pub(crate) fn kubelet(node: &str) -> Peer {
    Peer { common_name: format!("system:node:{node}"), organizations: vec![keelson_api::NODES.to_owned()] }
}

/// The certificate that proves it. Its only name of its own is the node's: a kubelet's key may be stolen with its node,
/// and must not be good for more.
pub(crate) fn kubelet_spec(node: &str) -> IdentitySpec {
    IdentitySpec {
        name: format!("{KUBELET}{node}"),
        subject: subject(kubelet(node)),
        usage: Usage::Both,
        sans: vec![San::Dns(node.to_owned())],
    }
}

/// By which every server is reached on its own host.
pub(crate) fn loopback() -> [San; 2] {
    [San::Dns("localhost".to_owned()), San::Ip(Ipv4Addr::LOCALHOST.into())]
}

/// The address of the service `kubernetes`, which leads to the gateway: the first of the range.
pub(crate) fn kubernetes_service(range: Ipv4Net) -> Option<San> {
    range.hosts().next().map(|address| San::Ip(IpAddr::V4(address)))
}

fn subject(peer: Peer) -> Subject {
    Subject { common_name: peer.common_name, organizations: peer.organizations }
}
