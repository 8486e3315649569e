//! Who asks, and whether they may.
//!
//! A caller is who the connection's client certificate says; the gateway's certificate alone may speak for
//! somebody else. What each identity may do is a table in code: administrators everything, each service what
//! it is there for, a kubelet its own node and the pods bound to it. (Role bindings as objects are a later
//! addition; they will stand beside this table, not replace it.)

mod rules;

pub(crate) use self::rules::authorize;

use keelson_base_client::{REMOTE_GROUP, REMOTE_USER};
use keelson_base_daemon::tls::Peer;
use keelson_base_model::status::ApiError;

/// The one identity that may speak for others.
pub const GATEWAY: &str = "keelson:gateway";
/// The group of administrators.
pub const MASTERS: &str = "system:masters";
/// The group of kubelets.
pub const NODES: &str = "system:nodes";

/// What a kubelet's name begins with.
const NODE_PREFIX: &str = "system:node:";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// User name.
    pub user: String,
    /// Groups.
    pub groups: Vec<String>,
}

/// What is asked: a verb on a resource, on one object or all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// "get", "list", "watch", "create", "update", "patch", "delete" or "deletecollection".
    pub(crate) verb: &'a str,
    /// Plural resource name.
    pub(crate) resource: &'a str,
    /// API group.
    pub(crate) group: &'a str,
    /// "status", "binding", "log" … or "".
    pub(crate) subresource: &'a str,
    /// Namespace or "".
    pub(crate) namespace: &'a str,
    /// Name or "".
    pub(crate) name: &'a str,
}

// === impl Caller ===

impl Caller {
    /// api itself, for what it writes on its own account.
    pub fn api() -> Self {
        Self { user: "system:apiserver".to_owned(), groups: vec![MASTERS.to_owned()] }
    }

    /// Reads who asks off a request.
    ///
    /// # Errors
    /// Unauthorized without a client certificate; Forbidden if anybody but the gateway speaks for others.
    pub(crate) fn of<B>(request: &http::Request<B>) -> Result<Self, ApiError> {
        let peer = request.extensions().get::<Peer>().ok_or_else(|| {
            ApiError::unauthorized("api asks for a client certificate of this cluster's authority")
        })?;
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        match header(REMOTE_USER) {
            None => Ok(Self { user: peer.common_name.clone(), groups: peer.organizations.clone() }),
            Some(user) if peer.common_name == GATEWAY => Ok(Self {
                user: user.to_owned(),
                groups: request
                    .headers()
                    .get_all(REMOTE_GROUP)
                    .iter()
                    .filter_map(|group| group.to_str().ok().map(str::to_owned))
                    .collect(),
            }),
            Some(_) => Err(ApiError::forbidden("", "", format!("{} may not speak for other users", peer.common_name))),
        }
    }

    /// Whether the caller is in a group.
    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|of| of == group)
    }

    /// The node whose kubelet this is.
    pub(crate) fn node(&self) -> Option<&str> {
        self.user.strip_prefix(NODE_PREFIX).filter(|_| self.is_in(NODES))
    }
}
