//! Who asks, and whether they may.
//!
//! **Who:** what the connection's client certificate says, or a bearer token or password; the gateway's certificate
//! alone may speak for somebody else (`authenticator.rs`). **Whether:** an ordered chain (`access.rs`). Before it come
//! administrators, who may do everything, and our own services, each of which may do what it is there for by a table in
//! code (`rules.rs`): neither depends on what is stored.

mod abac;
mod access;
mod accounts;
mod authenticator;
mod caller;
mod claims;
mod config;
mod files;
mod impersonate;
mod jwt;
mod keys;
mod rbac;
mod references;
mod rules;

pub(crate) use self::access::{Access, Decision, What, path_denied};
pub(crate) use self::accounts::Accounts;
pub(crate) use self::authenticator::{Authenticator, user_info};
pub use self::caller::Caller;
pub(crate) use self::config::Files;
pub use self::config::{AuthConfig, AuthError, AuthorizationMode};
pub(crate) use self::rbac::{Of, Rbac, reconcile, run_aggregation};
pub(crate) use self::references::NodeReferences;
pub(crate) use self::rules::{authorize_object, authorize_selection};

/// The one identity that may speak for others.
pub const GATEWAY: &str = "keelson:gateway";
/// The group of administrators.
pub const MASTERS: &str = "system:masters";
/// The group of kubelets.
pub const NODES: &str = "system:nodes";

/// What is asked: a verb on a resource, on one object or all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", or one of those that only
    /// roles know: "impersonate", "bind", "escalate".
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
