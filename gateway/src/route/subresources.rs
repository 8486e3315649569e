//! What hangs below an object's path, and what can be done there.

use http::Method;
use keelson_proto::Kind;

use super::Verb;

/// One subresource of a kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subresource {
    /// The last part of its path.
    pub(crate) name: &'static str,
    /// Group, version and kind of what it holds; `None` if that is the parent's.
    pub(crate) holds: Option<(&'static str, &'static str, &'static str)>,
    /// What each method does.
    pub(crate) methods: &'static [(Method, Verb)],
}

const STATUS: Subresource = Subresource {
    name: "status",
    holds: None,
    methods: &[
        (Method::GET, Verb::Get),
        (Method::PUT, Verb::UpdateStatus),
        (Method::PATCH, Verb::PatchStatus),
    ],
};

const FINALIZE: Subresource =
    Subresource { name: "finalize", holds: None, methods: &[(Method::PUT, Verb::Finalize)] };

const SCALE: Subresource = Subresource {
    name: "scale",
    holds: Some(("autoscaling", "v1", "Scale")),
    methods: &[
        (Method::GET, Verb::GetScale),
        (Method::PUT, Verb::UpdateScale),
        (Method::PATCH, Verb::PatchScale),
    ],
};

const LOG: Subresource = Subresource { name: "log", holds: None, methods: &[(Method::GET, Verb::Log)] };

const ATTACH: Subresource =
    connected("attach", "PodAttachOptions", &[(Method::GET, Verb::Attach), (Method::POST, Verb::Attach)]);

const EXEC: Subresource =
    connected("exec", "PodExecOptions", &[(Method::GET, Verb::Exec), (Method::POST, Verb::Exec)]);

const PORTFORWARD: Subresource = connected(
    "portforward",
    "PodPortForwardOptions",
    &[(Method::GET, Verb::PortForward), (Method::POST, Verb::PortForward)],
);

/// What is passed on, whatever the method.
const ANY: &[(Method, Verb)] = &[
    (Method::GET, Verb::Proxy),
    (Method::POST, Verb::Proxy),
    (Method::PUT, Verb::Proxy),
    (Method::PATCH, Verb::Proxy),
    (Method::DELETE, Verb::Proxy),
];

const POD_PROXY: Subresource = connected("proxy", "PodProxyOptions", ANY);
const SERVICE_PROXY: Subresource = connected("proxy", "ServiceProxyOptions", ANY);
const NODE_PROXY: Subresource = connected("proxy", "NodeProxyOptions", ANY);

/// A subresource that holds nothing but connects to something, as `options` say.
const fn connected(
    name: &'static str,
    options: &'static str,
    methods: &'static [(Method, Verb)],
) -> Subresource {
    Subresource { name, holds: Some(("", "v1", options)), methods }
}

const BINDING: Subresource = Subresource {
    name: "binding",
    holds: Some(("", "v1", "Binding")),
    methods: &[(Method::POST, Verb::Bind)],
};

const EVICTION: Subresource = Subresource {
    name: "eviction",
    holds: Some(("policy", "v1", "Eviction")),
    methods: &[(Method::POST, Verb::Evict)],
};

const TOKEN: Subresource = Subresource {
    name: "token",
    holds: Some(("authentication.k8s.io", "v1", "TokenRequest")),
    methods: &[(Method::POST, Verb::CreateToken)],
};

/// Parts of the API that are known by name only: they answer 501 and are not listed in discovery.
const UNSERVED: &[(&str, &[&str])] = &[("pods", &["ephemeralcontainers", "resize"])];

/// The subresources of a kind, sorted by name.
pub(crate) fn of(kind: &Kind) -> &'static [Subresource] {
    match (kind.group, kind.plural) {
        ("", "pods") => &[ATTACH, BINDING, EVICTION, EXEC, LOG, PORTFORWARD, POD_PROXY, STATUS],
        ("", "namespaces") => &[FINALIZE, STATUS],
        ("", "replicationcontrollers") => &[SCALE, STATUS],
        ("", "nodes") => &[NODE_PROXY, STATUS],
        ("", "serviceaccounts") => &[TOKEN],
        ("", "services") => &[SERVICE_PROXY, STATUS],
        ("", "persistentvolumeclaims" | "persistentvolumes" | "resourcequotas") => &[STATUS],
        _ => &[],
    }
}

/// Whether Kubernetes has a subresource of this name that this server does not have yet.
pub(crate) fn is_unserved(kind: &Kind, name: &str) -> bool {
    kind.group.is_empty()
        && UNSERVED.iter().any(|(plural, names)| *plural == kind.plural && names.contains(&name))
}

// === impl Subresource ===

impl Subresource {
    /// The verbs that discovery lists.
    pub(crate) fn verbs(&self) -> Vec<&'static str> {
        let mut verbs: Vec<_> = self.methods.iter().map(|(method, _)| verb_of(method)).collect();
        verbs.sort_unstable();
        verbs
    }
}

fn verb_of(method: &Method) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        _ => "get",
    }
}
