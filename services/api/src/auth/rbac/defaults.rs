//! The roles and bindings that every cluster has.

use keelson_base_model::rbac::{GROUP, subject_kind};
use keelson_proto::meta::{LabelSelector, ObjectMeta};
use keelson_proto::rbac::{AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};

use super::aggregate::gathered;
use crate::auth::caller::{AUTHENTICATED, CONTROLLERS, PROXY, SCHEDULER, UNAUTHENTICATED};
use crate::auth::{MASTERS, rules};

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];
const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

const CORE: &[&str] = &[""];
const AUTHENTICATION: &[&str] = &["authentication.k8s.io"];
const AUTHORIZATION: &[&str] = &["authorization.k8s.io"];

/// What versions there are, and which resources.
const DISCOVERY: &[&str] = &[
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
];
const PUBLIC: &[&str] = &["/healthz", "/livez", "/readyz", "/version", "/version/"];
const HEALTH: &[&str] =
    &["/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/*", "/readyz", "/readyz/*"];
const ISSUER: &[&str] = &[
    "/.well-known/openid-configuration",
    "/.well-known/openid-configuration/",
    "/openid/v1/jwks",
    "/openid/v1/jwks/",
];

/// What users of a namespace see.
const VIEWED: &[&str] = &[
    "bindings",
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "namespaces/status",
    "persistentvolumeclaims",
    "persistentvolumeclaims/status",
    "pods",
    "pods/log",
    "pods/status",
    "podtemplates",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "replicationcontrollers/status",
    "resourcequotas",
    "resourcequotas/status",
    "serviceaccounts",
    "services",
    "services/status",
];

/// What users of a namespace change.
const EDITED: &[&str] = &[
    "configmaps",
    "events",
    "persistentvolumeclaims",
    "pods",
    "podtemplates",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "secrets",
    "serviceaccounts",
    "services",
    "services/proxy",
];

/// What leads into a pod.
const CONNECTED: &[&str] = &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy"];

/// A label by which roles are gathered.
fn gathers(into: &str) -> String {
    format!("rbac.authorization.k8s.io/aggregate-to-{into}")
}

/// The cluster roles.
pub(super) fn cluster_roles() -> Vec<ClusterRole> {
    let any = &["*"];
    let mut roles = vec![
        role("cluster-admin", vec![rule(any, any, any), paths(any, any)]),
        role("system:discovery", vec![paths(&["get"], DISCOVERY)]),
        role("system:public-info-viewer", vec![paths(&["get"], PUBLIC)]),
        role("system:monitoring", vec![paths(&["get"], HEALTH)]),
        role("system:basic-user", own_questions()),
        role(
            "system:auth-delegator",
            vec![
                rule(&["create"], AUTHENTICATION, &["tokenreviews"]),
                rule(&["create"], AUTHORIZATION, &["subjectaccessreviews"]),
            ],
        ),
        role("system:kubelet-api-admin", kubelet_admin()),
        role("system:node", rules::kubelet_rules()),
        role("system:node-proxier", rules::service_rules(PROXY)),
        role("system:kube-scheduler", rules::service_rules(SCHEDULER)),
        role("system:kube-controller-manager", rules::service_rules(CONTROLLERS)),
        role("system:service-account-issuer-discovery", vec![paths(&["get"], ISSUER)]),
        part("system:aggregate-to-view", "view", viewing()),
        part("system:aggregate-to-edit", "edit", editing()),
        part("system:aggregate-to-admin", "admin", administering()),
    ];
    let whole = [("view", "view", Some("edit")), ("edit", "edit", Some("admin")), ("admin", "admin", None)];
    for (name, from, into) in whole {
        let mut role = role(name, Vec::new());
        let match_labels = [(gathers(from), "true".to_owned())].into();
        let selector = LabelSelector { match_labels, ..LabelSelector::default() };
        role.aggregation_rule = Some(AggregationRule { cluster_role_selectors: vec![selector] });
        if let Some(into) = into {
            role.metadata.labels.insert(gathers(into), "true".to_owned());
        }
        role.rules = gathered(&role, &roles).unwrap_or_default();
        roles.push(role);
    }
    roles
}

/// The cluster role bindings.
pub(super) fn cluster_role_bindings() -> Vec<ClusterRoleBinding> {
    let (user, group) = (subject_kind::USER, subject_kind::GROUP);
    let accounts = "system:serviceaccounts";
    [
        ("cluster-admin", "cluster-admin", vec![(group, MASTERS)]),
        ("system:discovery", "system:discovery", vec![(group, AUTHENTICATED)]),
        ("system:basic-user", "system:basic-user", vec![(group, AUTHENTICATED)]),
        (
            "system:public-info-viewer",
            "system:public-info-viewer",
            vec![(group, AUTHENTICATED), (group, UNAUTHENTICATED)],
        ),
        ("system:monitoring", "system:monitoring", vec![(group, "system:monitoring")]),
        ("system:node-proxier", "system:node-proxier", vec![(user, PROXY)]),
        ("system:kube-scheduler", "system:kube-scheduler", vec![(user, SCHEDULER)]),
        ("system:kube-controller-manager", "system:kube-controller-manager", vec![(user, CONTROLLERS)]),
        (
            "system:service-account-issuer-discovery",
            "system:service-account-issuer-discovery",
            vec![(group, accounts)],
        ),
    ]
    .into_iter()
    .map(|(name, role, subjects)| binding(name, role, &subjects))
    .collect()
}

fn own_questions() -> Vec<PolicyRule> {
    vec![
        rule(&["create"], AUTHORIZATION, &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
        rule(&["create"], AUTHENTICATION, &["selfsubjectreviews"]),
    ]
}

fn kubelet_admin() -> Vec<PolicyRule> {
    vec![
        rule(READ, CORE, &["nodes"]),
        rule(&["proxy"], CORE, &["nodes"]),
        rule(&["*"], CORE, &["nodes/log", "nodes/metrics", "nodes/proxy", "nodes/stats"]),
    ]
}

fn viewing() -> Vec<PolicyRule> {
    vec![
        rule(READ, CORE, VIEWED),
        rule(READ, &["discovery.k8s.io"], &["endpointslices"]),
        rule(READ, &["events.k8s.io"], &["events"]),
    ]
}

fn editing() -> Vec<PolicyRule> {
    let secret = ["secrets", "services/proxy"];
    let connected: Vec<&str> = CONNECTED.iter().chain(&secret).copied().collect();
    vec![
        rule(READ, CORE, &connected),
        rule(&["impersonate"], CORE, &["serviceaccounts"]),
        rule(WRITE, CORE, EDITED),
        rule(WRITE, CORE, CONNECTED),
        rule(&["create"], CORE, &["pods/eviction", "serviceaccounts/token"]),
        rule(ALL, &["coordination.k8s.io"], &["leases"]),
    ]
}

fn administering() -> Vec<PolicyRule> {
    vec![
        rule(&["create"], AUTHORIZATION, &["localsubjectaccessreviews"]),
        rule(ALL, &[GROUP], &["rolebindings", "roles"]),
    ]
}

fn metadata(name: &str) -> ObjectMeta {
    let mut metadata = ObjectMeta { name: name.to_owned(), ..ObjectMeta::default() };
    metadata.labels.insert("kubernetes.io/bootstrapping".to_owned(), "rbac-defaults".to_owned());
    metadata.annotations.insert(super::reconcile::AUTO_UPDATE.to_owned(), "true".to_owned());
    metadata
}

fn role(name: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    ClusterRole { metadata: metadata(name), rules, aggregation_rule: None }
}

/// A role that another is gathered from.
fn part(name: &str, into: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    let mut role = role(name, rules);
    role.metadata.labels.insert(gathers(into), "true".to_owned());
    role
}

fn binding(name: &str, role: &str, subjects: &[(&str, &str)]) -> ClusterRoleBinding {
    let subject = |(kind, name): &(&str, &str)| Subject {
        kind: (*kind).to_owned(),
        api_group: GROUP.to_owned(),
        name: (*name).to_owned(),
        namespace: String::new(),
    };
    ClusterRoleBinding {
        metadata: metadata(name),
        subjects: subjects.iter().map(subject).collect(),
        role_ref: RoleRef {
            api_group: GROUP.to_owned(),
            kind: "ClusterRole".to_owned(),
            name: role.to_owned(),
        },
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn rule(verbs: &[&str], groups: &[&str], resources: &[&str]) -> PolicyRule {
    PolicyRule {
        verbs: owned(verbs),
        api_groups: owned(groups),
        resources: owned(resources),
        ..PolicyRule::default()
    }
}

fn paths(verbs: &[&str], paths: &[&str]) -> PolicyRule {
    PolicyRule { verbs: owned(verbs), non_resource_urls: owned(paths), ..PolicyRule::default() }
}
