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

const BINDING: Subresource = Subresource {
    name: "binding",
    holds: Some(("", "v1", "Binding")),
    methods: &[(Method::POST, Verb::Bind)],
};

/// Parts of the API that are known by name only: they answer 501 and are not listed in discovery.
const UNSERVED: &[(&str, &[&str])] = &[
    ("pods", &["attach", "ephemeralcontainers", "eviction", "exec", "portforward", "proxy", "resize"]),
    ("nodes", &["proxy"]),
    ("services", &["proxy"]),
];

/// The subresources of a kind, sorted by name.
pub(crate) fn of(kind: &Kind) -> &'static [Subresource] {
    match (kind.group, kind.plural) {
        ("", "pods") => &[BINDING, LOG, STATUS],
        ("", "namespaces") => &[FINALIZE, STATUS],
        ("", "replicationcontrollers") => &[SCALE, STATUS],
        ("", "nodes" | "persistentvolumeclaims" | "persistentvolumes" | "resourcequotas" | "services") => {
            &[STATUS]
        }
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
