//! Who asks, and whether they may.
//!
//! A caller is who the connection's client certificate says; the gateway's certificate alone may speak for
//! somebody else. What each identity may do is a table in code: administrators everything, each service what
//! it is there for, a kubelet its own node and the pods bound to it. (Role bindings as objects are a later
//! addition; they will stand beside this table, not replace it.)

mod references;
mod rules;

pub(crate) use self::references::NodeReferences;
pub(crate) use self::rules::{authorize, authorize_object, authorize_selection};

use http::HeaderValue;
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
        let Some(user) = request.headers().get(REMOTE_USER) else {
            return Ok(Self { user: peer.common_name.clone(), groups: peer.organizations.clone() });
        };
        if peer.common_name != GATEWAY {
            return Err(ApiError::forbidden(
                "",
                "",
                format!("{} may not speak for other users", peer.common_name),
            ));
        }
        let groups = request.headers().get_all(REMOTE_GROUP).iter();
        Ok(Self { user: readable(user)?, groups: groups.map(readable).collect::<Result<_, _>>()? })
    }

    /// Whether the caller is a part of Keelson: one of its services, a kubelet, or api itself.
    pub(crate) fn is_component(&self) -> bool {
        const SERVICES: [&str; 4] = [
            "system:apiserver",
            "system:kube-scheduler",
            "system:kube-controller-manager",
            "system:kube-proxy",
        ];
        SERVICES.contains(&self.user.as_str()) || self.user == GATEWAY || self.user.starts_with(NODE_PREFIX)
    }

    /// Whether the caller is in a group.
    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|of| of == group)
    }

    /// The node whose kubelet this is.
    pub(crate) fn node(&self) -> Option<&str> {
        self.user.strip_prefix(NODE_PREFIX).filter(|node| !node.is_empty() && self.is_in(NODES))
    }
}

/// A name that the gateway forwards. One that cannot be read is nobody, and not the gateway itself.
fn readable(value: &HeaderValue) -> Result<String, ApiError> {
    let text = value.to_str().ok().filter(|text| !text.is_empty());
    text.map(str::to_owned)
        .ok_or_else(|| ApiError::unauthorized("the forwarded user or group cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_request(peer: &str, user: &[u8]) -> http::Request<()> {
        let peer = Peer { common_name: peer.into(), organizations: vec![NODES.into()] };
        let value = HeaderValue::from_bytes(user).unwrap();
        http::Request::builder().header(REMOTE_USER, value).extension(peer).body(()).unwrap()
    }

    #[test]
    fn only_the_gateway_forwards_and_only_what_can_be_read() {
        assert_eq!(Caller::of(&mk_request(GATEWAY, b"alice")).unwrap().user, "alice");
        for (peer, user, code) in
            [(GATEWAY, &b"\xc3\xa4"[..], 401), (GATEWAY, b"", 401), ("mallory", b"\xc3\xa4", 403)]
        {
            assert_eq!(Caller::of(&mk_request(peer, user)).unwrap_err().code(), code, "{peer} {user:?}");
        }
    }

    #[test]
    fn a_kubelet_without_a_name_is_none() {
        let caller = Caller { user: NODE_PREFIX.into(), groups: vec![NODES.into()] };
        assert_eq!(caller.node(), None);
    }
}
