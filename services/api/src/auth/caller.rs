//! Who asks.

use std::collections::BTreeMap;

use crate::audit::Entry;
use crate::auth::{GATEWAY, MASTERS, NODES};

/// Everybody who is known.
pub(crate) const AUTHENTICATED: &str = "system:authenticated";
/// Everybody who is not.
pub(crate) const UNAUTHENTICATED: &str = "system:unauthenticated";
/// Who nobody in particular is.
pub(crate) const ANONYMOUS: &str = "system:anonymous";

/// What a kubelet's name begins with.
const NODE_PREFIX: &str = "system:node:";

/// What a service account's name begins with; namespace and name follow, with a colon between.
const ACCOUNT_PREFIX: &str = "system:serviceaccount:";
const ACCOUNTS: &str = "system:serviceaccounts";

/// The services that the control loops and all else stand on.
pub(crate) const SCHEDULER: &str = "system:kube-scheduler";
pub(crate) const CONTROLLERS: &str = "system:kube-controller-manager";
pub(crate) const PROXY: &str = "system:kube-proxy";

/// Who asks.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// User name.
    pub user: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Tells the user apart from others of the same name at other times; "" if nobody says.
    pub uid: String,
    /// What else the authenticator says.
    pub extra: BTreeMap<String, Vec<String>>,
    /// Where the audit log's line about this request is written together; None without an audit log.
    pub(crate) audit: Option<Entry>,
}

// === impl Caller ===

impl Caller {
    /// A user in groups.
    pub fn new(user: impl Into<String>, groups: Vec<String>) -> Self {
        Self { user: user.into(), groups, ..Self::default() }
    }

    /// api itself, for what it writes on its own account.
    pub fn api() -> Self {
        Self::new("system:apiserver", vec![MASTERS.to_owned()])
    }

    /// Nobody in particular.
    pub(crate) fn anonymous() -> Self {
        Self::new(ANONYMOUS, vec![UNAUTHENTICATED.to_owned()])
    }

    /// A service account.
    pub(crate) fn account(namespace: &str, name: &str) -> Self {
        let groups = vec![ACCOUNTS.to_owned(), format!("{ACCOUNTS}:{namespace}")];
        Self::new(account_user(namespace, name), groups).authenticated()
    }

    /// The caller as a member of everybody who is known.
    pub(crate) fn authenticated(mut self) -> Self {
        if !self.is_in(AUTHENTICATED) && !self.is_in(UNAUTHENTICATED) {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }

    /// Whether the caller is a part of Keelson: one of its services, a kubelet, or api itself.
    pub(crate) fn is_component(&self) -> bool {
        ["system:apiserver", SCHEDULER, CONTROLLERS, PROXY, GATEWAY].contains(&self.user.as_str())
            || self.user.starts_with(NODE_PREFIX)
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

/// The user name of a service account.
pub(crate) fn account_user(namespace: &str, name: &str) -> String {
    format!("{ACCOUNT_PREFIX}{namespace}:{name}")
}

/// Namespace and name of the service account that a user is.
pub(crate) fn account_of(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(ACCOUNT_PREFIX)?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty()).then_some((namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelet_without_a_name_is_none() {
        assert_eq!(Caller::new(NODE_PREFIX, vec![NODES.into()]).node(), None);
        assert_eq!(Caller::new("system:node:a", vec![NODES.into()]).node(), Some("a"));
        assert_eq!(Caller::new("system:node:a", vec![]).node(), None);
    }

    #[test]
    fn an_account_is_a_user_in_groups() {
        let robot = Caller::account("default", "robot");
        assert_eq!(robot.user, "system:serviceaccount:default:robot");
        assert!(robot.is_in("system:serviceaccounts:default") && robot.is_in(AUTHENTICATED));
        assert_eq!(account_of(&robot.user), Some(("default", "robot")));
        assert_eq!(account_of("system:serviceaccount:default"), None);
        assert_eq!(account_of("ann"), None);
    }
}
