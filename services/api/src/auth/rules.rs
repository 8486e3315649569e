//! What our own services may do, whatever is stored; and what kubelets may.

use bytes::Bytes;
use keelson_base_model::fields::FieldSelector;
use keelson_base_model::status::ApiError;
use keelson_proto::core::Pod;
use keelson_proto::rbac::PolicyRule;
use keelson_proto::{Kind, Message, Object};

use crate::auth::caller::{self, Caller};
use crate::auth::{MASTERS, Request};

/// The field by which a kubelet selects its pods.
const NODE_NAME: &str = "spec.nodeName";

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "update", "patch"];
const ALL: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// One line of the table: these verbs on these resources ("*" is any). A subresource is written with a
/// slash; without one the resource itself is meant.
struct Rule {
    verbs: &'static [&'static str],
    resources: &'static [&'static str],
}

const SCHEDULER: &[Rule] = &[
    Rule {
        verbs: READ,
        resources: &[
            "events",
            "leases",
            "namespaces",
            "nodes",
            "persistentvolumeclaims",
            "persistentvolumes",
            "pods",
            "replicationcontrollers",
            "services",
        ],
    },
    Rule { verbs: &["create"], resources: &["pods/binding", "bindings"] },
    Rule { verbs: &["update", "patch"], resources: &["pods/status"] },
    Rule { verbs: WRITE, resources: &["events", "leases"] },
];

/// The control loops create, change and delete on behalf of all others.
const CONTROLLERS: &[Rule] =
    &[Rule { verbs: ALL, resources: &["*"] }, Rule { verbs: WRITE, resources: &["*/*"] }];

const PROXY: &[Rule] = &[
    Rule { verbs: READ, resources: &["services", "endpoints", "endpointslices", "nodes", "pods"] },
    Rule { verbs: WRITE, resources: &["events"] },
];

/// What kubelets may do; admission narrows the writes to their own node and pods, and of secrets and config maps they
/// read what their pods refer to (`references.rs`).
const KUBELET: &[Rule] = &[
    Rule { verbs: READ, resources: &["pods", "services", "nodes", "leases", "secrets", "configmaps"] },
    // What claims lead to, and the servers of network file systems.
    Rule { verbs: READ, resources: &["persistentvolumeclaims", "persistentvolumes", "endpoints"] },
    Rule { verbs: WRITE, resources: &["nodes", "nodes/status", "pods/status", "leases", "events"] },
    Rule { verbs: &["create", "delete"], resources: &["pods"] },
    // For pods that are bound to it, and no others.
    Rule { verbs: &["create"], resources: &["serviceaccounts/token"] },
    // Who asks the kubelet something, and whether they may.
    Rule { verbs: &["create"], resources: &["tokenreviews", "subjectaccessreviews"] },
];

const GATEWAY: &[Rule] = &[Rule { verbs: READ, resources: &["namespaces"] }];

/// Whether one of our services may do something: what it is there for.
pub(super) fn of_service(caller: &Caller, request: Request<'_>) -> bool {
    table(&caller.user).iter().any(|rule| rule.allows(request))
}

/// Whether a kubelet may do something, as far as this says; what it may do to which objects is looked at later.
pub(super) fn of_kubelet(caller: &Caller, request: Request<'_>) -> bool {
    caller.node().is_some() && KUBELET.iter().any(|rule| rule.allows(request))
}

/// What one of our services may do, as rules of a role.
pub(super) fn of_service_rules(caller: &Caller) -> Vec<PolicyRule> {
    service_rules(&caller.user)
}

/// The same by the service's user name; none for other users.
pub(super) fn service_rules(user: &str) -> Vec<PolicyRule> {
    table(user).iter().map(Rule::policy).collect()
}

/// What kubelets may do, as rules of a role.
pub(super) fn kubelet_rules() -> Vec<PolicyRule> {
    KUBELET.iter().map(Rule::policy).collect()
}

/// That a caller may not do something, in Kubernetes' words, and why if that needs words.
pub(super) fn denied(caller: &Caller, request: Request<'_>, why: &str) -> ApiError {
    let resource = match request.subresource {
        "" => request.resource.to_owned(),
        subresource => format!("{}/{subresource}", request.resource),
    };
    let scope = match request.namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace \"{namespace}\""),
    };
    let separator = if why.is_empty() { "" } else { ": " };
    let why = format!(
        "User \"{}\" cannot {} resource \"{resource}\" in API group \"{}\" {scope}{separator}{why}",
        caller.user, request.verb, request.group
    );
    ApiError::forbidden(request.resource, request.name, why)
}

/// Whether a caller may list or watch what these fields select: a kubelet sees its own pods only.
///
/// # Errors
/// Forbidden.
pub(crate) fn authorize_selection(
    caller: &Caller,
    kind: &'static Kind,
    fields: &str,
) -> Result<(), ApiError> {
    let Some(node) = caller.node().filter(|_| kind == Pod::KIND && !caller.is_in(MASTERS)) else {
        return Ok(());
    };
    // What cannot be parsed is refused by the registry, which says why.
    let own = FieldSelector::parse(fields).map_or(true, |fields| fields.exact(NODE_NAME) == Some(node));
    if own {
        Ok(())
    } else {
        Err(ApiError::forbidden(kind, "", "can only list/watch pods with spec.nodeName field selector"))
    }
}

/// Whether a caller may read this object: a kubelet reads its own pods only.
///
/// # Errors
/// Forbidden.
pub(crate) fn authorize_object(caller: &Caller, kind: &'static Kind, object: &Bytes) -> Result<(), ApiError> {
    let Some(node) = caller.node().filter(|_| kind == Pod::KIND && !caller.is_in(MASTERS)) else {
        return Ok(());
    };
    match Pod::decode(object.clone()) {
        Ok(pod) if pod.spec.node_name == node => Ok(()),
        Ok(pod) => {
            let why = format!("node {node:?} can only get pods with spec.nodeName set to itself");
            Err(ApiError::forbidden(kind, &pod.metadata.name, why))
        }
        Err(error) => Err(ApiError::internal(format!("cannot read a stored Pod: {error}"))),
    }
}

fn table(user: &str) -> &'static [Rule] {
    match user {
        caller::SCHEDULER => SCHEDULER,
        caller::CONTROLLERS => CONTROLLERS,
        caller::PROXY => PROXY,
        crate::auth::GATEWAY => GATEWAY,
        _ => &[],
    }
}

// === impl Rule ===

impl Rule {
    fn policy(&self) -> PolicyRule {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        PolicyRule {
            verbs: owned(self.verbs),
            api_groups: owned(&["*"]),
            resources: owned(self.resources),
            ..PolicyRule::default()
        }
    }

    fn allows(&self, request: Request<'_>) -> bool {
        self.verbs.contains(&request.verb) && self.resources.iter().any(|resource| covers(resource, request))
    }
}

fn covers(pattern: &str, request: Request<'_>) -> bool {
    match pattern.split_once('/') {
        Some((resource, subresource)) => {
            [request.resource, "*"].contains(&resource)
                && !request.subresource.is_empty()
                && [request.subresource, "*"].contains(&subresource)
        }
        None => [request.resource, "*"].contains(&pattern) && request.subresource.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_identity_may_do_what_it_is_there_for() {
        let caller = |user: &str, group: &str| Caller::new(user, vec![group.into()]);
        let scheduler = caller("system:kube-scheduler", "");
        let controllers = caller("system:kube-controller-manager", "");
        let proxy = caller("system:kube-proxy", "");
        let kubelet = caller("system:node:n1", "system:nodes");
        let impostor = caller("system:node:n1", "");
        let stranger = caller("mallory", "");
        for (caller, verb, resource, subresource, allowed) in [
            (&scheduler, "watch", "pods", "", true),
            (&scheduler, "create", "pods", "binding", true),
            (&scheduler, "create", "pods", "", false),
            (&scheduler, "delete", "pods", "", false),
            (&controllers, "create", "pods", "", true),
            (&controllers, "update", "namespaces", "finalize", true),
            (&controllers, "deletecollection", "events", "", true),
            (&kubelet, "patch", "pods", "status", true),
            (&kubelet, "update", "pods", "", false),
            (&kubelet, "delete", "pods", "", true),
            (&kubelet, "create", "services", "", false),
            (&kubelet, "get", "secrets", "", true),
            (&kubelet, "create", "secrets", "", false),
            (&kubelet, "list", "endpointslices", "", false),
            (&kubelet, "create", "serviceaccounts", "token", true),
            (&kubelet, "create", "serviceaccounts", "", false),
            (&proxy, "watch", "endpointslices", "", true),
            (&proxy, "get", "secrets", "", false),
            (&scheduler, "list", "persistentvolumeclaims", "", true),
            (&scheduler, "get", "secrets", "", false),
            (&impostor, "list", "pods", "", false),
            (&stranger, "list", "pods", "", false),
        ] {
            let request = Request { verb, resource, group: "", subresource, namespace: "default", name: "" };
            assert_eq!(
                of_service(caller, request) || of_kubelet(caller, request),
                allowed,
                "{} {verb} {resource}/{subresource}",
                caller.user
            );
        }
    }
}
