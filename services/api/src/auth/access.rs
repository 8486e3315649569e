//! The chain that decides who may do what.

use std::sync::Arc;

use keelson_base_model::status::{ApiError, Reason};
use keelson_proto::rbac::PolicyRule;

use crate::auth::abac::Policy;
use crate::auth::rules::{self, denied};
use crate::auth::{Caller, MASTERS, Rbac, Request};

/// Decides who may do what.
pub(crate) struct Access {
    modes: Vec<Mode>,
    rbac: Arc<Rbac>,
}

/// One link of the chain.
#[derive(Debug)]
pub(crate) enum Mode {
    /// Kubelets may do what a kubelet does.
    Node,
    /// Roles and their bindings.
    Rbac,
    /// The lines of a policy file.
    Abac(Vec<Policy>),
    /// Everybody may do everything.
    AlwaysAllow,
    /// Nobody may do anything.
    AlwaysDeny,
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    /// A verb on a resource.
    Resource(Request<'a>),
    /// A verb on a path that is no resource.
    Path {
        /// An HTTP method in small letters.
        verb: &'a str,
        /// The path.
        path: &'a str,
    },
}

/// What the chain says, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is allowed.
    Allowed(String),
    /// Nothing allows it.
    Refused(String),
}

/// What somebody may do.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Rules of resources and of paths.
    pub(crate) rules: Vec<PolicyRule>,
    /// What may be missing among them.
    pub(crate) unknown: Vec<String>,
}

// === impl Access ===

impl Access {
    /// A chain of these links, in order.
    pub(crate) fn new(modes: Vec<Mode>, rbac: Arc<Rbac>) -> Arc<Self> {
        Arc::new(Self { modes, rbac })
    }

    /// What is known of roles and bindings.
    pub(crate) fn rbac(&self) -> &Rbac {
        &self.rbac
    }

    /// Whether a caller may do something to a resource.
    ///
    /// # Errors
    /// Forbidden, in Kubernetes' words.
    pub(crate) fn authorize(&self, caller: &Caller, request: Request<'_>) -> Result<(), ApiError> {
        // What is asked most, by far, and costs a few comparisons.
        if caller.is_in(MASTERS) || rules::of_service(caller, request) {
            return Ok(());
        }
        match self.decide(caller, What::Resource(request)) {
            Decision::Allowed(_) => Ok(()),
            Decision::Refused(why) => Err(denied(caller, request, &why)),
        }
    }

    /// Whether a caller may do something to a path that is no resource.
    ///
    /// # Errors
    /// Forbidden, in Kubernetes' words.
    #[cfg(test)]
    pub(crate) fn authorize_path(&self, caller: &Caller, verb: &str, path: &str) -> Result<(), ApiError> {
        match self.decide(caller, What::Path { verb, path }) {
            Decision::Allowed(_) => Ok(()),
            Decision::Refused(_) => Err(path_denied(&caller.user, verb, path)),
        }
    }

    /// What the chain says, and why.
    pub(crate) fn decide(&self, caller: &Caller, what: What<'_>) -> Decision {
        if caller.is_in(MASTERS) {
            return Decision::Allowed(String::new());
        }
        if let What::Resource(request) = what
            && rules::of_service(caller, request)
        {
            return Decision::Allowed("Keelson: one of its own services".to_owned());
        }
        let mut why = String::new();
        for mode in &self.modes {
            match mode.decide(&self.rbac, caller, what) {
                Decision::Refused(reason) if why.is_empty() => why = reason,
                Decision::Refused(_) => {}
                allowed => return allowed,
            }
        }
        Decision::Refused(why)
    }

    /// What a caller may do in a namespace.
    pub(crate) fn rules(&self, caller: &Caller, namespace: &str) -> Held {
        let mut held = Held::default();
        if caller.is_in(MASTERS) {
            held.rules.extend(everything());
            return held;
        }
        held.rules.extend(rules::of_service_rules(caller));
        for mode in &self.modes {
            match mode {
                Mode::AlwaysAllow => held.rules.extend(everything()),
                Mode::AlwaysDeny => {}
                Mode::Node if caller.node().is_some() => {
                    held.rules.extend(rules::kubelet_rules());
                }
                Mode::Node => {}
                Mode::Rbac => self.rbac.rules(caller, namespace, &mut held),
                Mode::Abac(policies) => {
                    let of_caller = policies.iter().filter(|policy| policy.is_about(caller, namespace));
                    held.rules.extend(of_caller.flat_map(Policy::rules));
                }
            }
        }
        held
    }
}

// === impl Mode ===

impl Mode {
    fn decide(&self, rbac: &Rbac, caller: &Caller, what: What<'_>) -> Decision {
        let nothing = || Decision::Refused(String::new());
        match (self, what) {
            (Self::AlwaysAllow, _) => Decision::Allowed(String::new()),
            (Self::AlwaysDeny, _) => Decision::Refused("Everything is forbidden.".to_owned()),
            (Self::Node, What::Resource(request)) if rules::of_kubelet(caller, request) => {
                Decision::Allowed("Node: what a kubelet does".to_owned())
            }
            (Self::Node, _) => nothing(),
            (Self::Rbac, what) => rbac.decide(caller, what),
            (Self::Abac(policies), what) => match policies.iter().any(|policy| policy.allows(caller, what)) {
                true => Decision::Allowed(String::new()),
                false => Decision::Refused("No policy matched.".to_owned()),
            },
        }
    }
}

/// Every verb on everything.
fn everything() -> [PolicyRule; 2] {
    let any = || vec!["*".to_owned()];
    [
        PolicyRule { verbs: any(), api_groups: any(), resources: any(), ..PolicyRule::default() },
        PolicyRule { verbs: any(), non_resource_urls: any(), ..PolicyRule::default() },
    ]
}

/// That somebody may not do something to a path.
pub(crate) fn path_denied(user: &str, verb: &str, path: &str) -> ApiError {
    ApiError::new(Reason::Forbidden, format!("forbidden: User \"{user}\" cannot {verb} path \"{path}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PODS: Request<'static> = Request {
        verb: "list",
        resource: "pods",
        group: "",
        subresource: "",
        namespace: "default",
        name: "",
    };

    fn access(modes: Vec<Mode>) -> Arc<Access> {
        Access::new(modes, Arc::new(Rbac::default()))
    }

    #[test]
    fn the_first_link_that_allows_decides() {
        let (ann, admin) = (Caller::new("ann", vec![]), Caller::new("root", vec![MASTERS.into()]));
        let kubelet = Caller::new("system:node:n1", vec!["system:nodes".into()]);
        let table = [
            (vec![Mode::AlwaysDeny], [false, true, false]),
            (vec![Mode::AlwaysAllow], [true, true, true]),
            (vec![Mode::AlwaysDeny, Mode::AlwaysAllow], [true, true, true]),
            (vec![Mode::Node, Mode::Rbac], [false, true, true]),
            (vec![Mode::Rbac], [false, true, false]),
        ];
        for (modes, expected) in table {
            let told = format!("{modes:?}");
            let access = access(modes);
            let may = [&ann, &admin, &kubelet].map(|caller| access.authorize(caller, PODS).is_ok());
            assert_eq!(may, expected, "{told}");
        }
    }

    #[test]
    fn a_refusal_says_who_may_not_do_what() {
        let access = access(vec![Mode::Node, Mode::Rbac]);
        let bob = Caller::new("bob", Vec::new());
        assert_eq!(
            access.authorize(&bob, PODS).unwrap_err().message(),
            "pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
        );
        let refused = access.authorize_path(&bob, "get", "/metrics").unwrap_err();
        assert_eq!(refused.message(), "forbidden: User \"bob\" cannot get path \"/metrics\"");
        assert_eq!(refused.code(), 403);
    }

    #[test]
    fn what_somebody_may_do_is_listed() {
        let access = access(vec![Mode::Node, Mode::Rbac]);
        let admin = Caller::new("root", vec![MASTERS.into()]);
        assert_eq!(access.rules(&admin, "default").rules.len(), 2);
        assert!(access.rules(&Caller::new("ann", vec![]), "default").rules.is_empty());
        let scheduler = Caller::new(super::super::caller::SCHEDULER, vec![]);
        assert!(!access.rules(&scheduler, "default").rules.is_empty());
    }
}
