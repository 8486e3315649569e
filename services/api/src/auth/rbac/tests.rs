use keelson_proto::Message as _;
use keelson_proto::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde_json::{Value, json};

use super::defaults;
use super::reconcile::{Step, binding_step, role_step};
use super::*;
use crate::auth::access::Mode;
use crate::auth::{Access, Request};

/// An index that knows these objects, and the chain over it.
struct Fixture {
    rbac: Arc<Rbac>,
    access: Arc<Access>,
}

impl Fixture {
    fn new() -> Self {
        let rbac = Arc::new(Rbac::default());
        let fixture = Self { access: Access::new(vec![Mode::Rbac], rbac.clone()), rbac };
        for role in defaults::cluster_roles() {
            fixture.put(Of::ClusterRoles, &role.metadata.name.clone(), role.encode_to_vec());
        }
        for binding in defaults::cluster_role_bindings() {
            fixture.put(Of::ClusterRoleBindings, &binding.metadata.name.clone(), binding.encode_to_vec());
        }
        fixture
    }

    fn put(&self, of: Of, path: &str, object: Vec<u8>) {
        self.rbac.known.write().unwrap().changed(of, path, Some(object.into())).unwrap();
    }

    fn remove(&self, of: Of, path: &str) {
        self.rbac.known.write().unwrap().changed(of, path, None).unwrap();
    }

    fn role(&self, namespace: &str, name: &str, rules: Value) {
        let meta = json!({"name": name, "namespace": namespace});
        let role: Role = serde_json::from_value(json!({"metadata": meta, "rules": rules})).unwrap();
        self.put(Of::Roles, &format!("{namespace}/{name}"), role.encode_to_vec());
    }

    fn bind(&self, namespace: &str, role: (&str, &str), subject: Value) {
        let reference = json!({"kind": role.0, "name": role.1});
        let meta = json!({"name": "b", "namespace": namespace});
        let binding = json!({"metadata": meta, "roleRef": reference, "subjects": [subject]});
        if namespace.is_empty() {
            let binding: ClusterRoleBinding = serde_json::from_value(binding).unwrap();
            self.put(Of::ClusterRoleBindings, "b", binding.encode_to_vec());
        } else {
            let binding: RoleBinding = serde_json::from_value(binding).unwrap();
            self.put(Of::RoleBindings, &format!("{namespace}/b"), binding.encode_to_vec());
        }
    }

    fn may(&self, caller: &Caller, verb: &str, resource: &str, namespace: &str) -> bool {
        let request = Request { verb, resource, group: "", subresource: "", namespace, name: "" };
        self.access.authorize(caller, request).is_ok()
    }
}

fn ann() -> Caller {
    Caller::new("ann", vec!["dev".into()]).authenticated()
}

#[test]
fn a_binding_counts_where_it_is_and_as_long_as_it_is() {
    let fixture = Fixture::new();
    assert!(!fixture.may(&ann(), "list", "pods", "a"));
    fixture.bind("a", ("ClusterRole", "view"), json!({"kind": "User", "name": "ann"}));
    assert!(fixture.may(&ann(), "list", "pods", "a"));
    assert!(!fixture.may(&ann(), "list", "pods", "b"));
    assert!(!fixture.may(&ann(), "list", "pods", ""), "a role binding says nothing of all namespaces");
    assert!(!fixture.may(&ann(), "list", "secrets", "a"));
    assert!(!fixture.may(&Caller::new("bob", vec![]), "list", "pods", "a"));
    fixture.remove(Of::RoleBindings, "a/b");
    assert!(!fixture.may(&ann(), "list", "pods", "a"));
}

#[test]
fn users_groups_and_accounts_are_subjects() {
    let fixture = Fixture::new();
    let robot = Caller::account("a", "robot");
    for (subject, caller) in [
        (json!({"kind": "Group", "name": "dev"}), &ann()),
        (json!({"kind": "Group", "name": "system:authenticated"}), &ann()),
        (json!({"kind": "ServiceAccount", "name": "robot", "namespace": "a"}), &robot),
        (json!({"kind": "Group", "name": "system:serviceaccounts:a"}), &robot),
        (json!({"kind": "User", "name": "system:serviceaccount:a:robot"}), &robot),
    ] {
        fixture.bind("", ("ClusterRole", "edit"), subject.clone());
        assert!(fixture.may(caller, "create", "pods", "anywhere"), "{subject}");
        assert!(!fixture.may(caller, "create", "nodes", ""), "{subject}");
    }
}

#[test]
fn a_missing_role_is_the_reason() {
    let fixture = Fixture::new();
    fixture.bind("a", ("Role", "gone"), json!({"kind": "User", "name": "ann"}));
    let request =
        Request { verb: "get", resource: "pods", group: "", subresource: "", namespace: "a", name: "x" };
    let refused = fixture.access.authorize(&ann(), request).unwrap_err();
    assert!(
        refused
            .message()
            .ends_with("in the namespace \"a\": RBAC: role.rbac.authorization.k8s.io \"gone\" not found"),
        "{refused}"
    );
    fixture.role("a", "gone", json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]));
    let allowed = fixture.access.decide(&ann(), What::Resource(request));
    let why = "RBAC: allowed by RoleBinding \"a/b\" of Role \"gone\" to User \"ann\"";
    assert_eq!(allowed, Decision::Allowed(why.to_owned()));
    fixture.remove(Of::Roles, "a/gone");
    assert!(fixture.access.authorize(&ann(), request).is_err());
}

#[test]
fn everybody_may_ask_what_there_is_and_nobody_in_particular_less() {
    let fixture = Fixture::new();
    for (caller, path, allowed) in [
        (ann(), "/apis/apps/v1", true),
        (ann(), "/metrics", false),
        (Caller::anonymous(), "/version", true),
        (Caller::anonymous(), "/healthz", true),
        (Caller::anonymous(), "/api", false),
        (Caller::anonymous(), "/metrics", false),
    ] {
        assert_eq!(fixture.access.authorize_path(&caller, "get", path).is_ok(), allowed, "{path}");
    }
}

#[test]
fn the_defaults_are_gathered() {
    let roles = defaults::cluster_roles();
    let rules = |name: &str| &roles.iter().find(|role| role.metadata.name == name).unwrap().rules;
    assert!(rules("view").len() < rules("edit").len() && rules("edit").len() < rules("admin").len());
    for rule in rules("view") {
        assert!(rules("admin").contains(rule), "{rule:?}");
        assert!(!rule.resources.iter().any(|resource| resource == "secrets"));
    }
}

#[test]
fn nobody_gives_away_what_he_does_not_have() {
    let fixture = Fixture::new();
    fixture.bind("a", ("ClusterRole", "admin"), json!({"kind": "User", "name": "ann"}));
    let role = |rules: Value| -> Role {
        serde_json::from_value(json!({"metadata": {"name": "r", "namespace": "a"}, "rules": rules})).unwrap()
    };
    let pods = role(json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]));
    let nodes = role(json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["nodes"]}]));
    fixture.access.permits_role(&ann(), &pods, None).unwrap();
    let refused = fixture.access.permits_role(&ann(), &nodes, None).unwrap_err();
    assert_eq!(refused.code(), 403);
    assert!(
        refused.message().ends_with(
            "is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}"
        ),
        "{refused}"
    );
    // What somebody else has given is not taken back by a change of something else.
    fixture.access.permits_role(&ann(), &nodes, Some(&nodes.clone())).unwrap();

    let binding = |role: &str| -> RoleBinding {
        let reference = json!({"kind": "ClusterRole", "name": role});
        serde_json::from_value(json!({"metadata": {"name": "r", "namespace": "a"}, "roleRef": reference}))
            .unwrap()
    };
    fixture.access.permits_role_binding(&ann(), &binding("edit"), None).unwrap();
    let access = &fixture.access;
    assert_eq!(access.permits_role_binding(&ann(), &binding("cluster-admin"), None).unwrap_err().code(), 403);
    assert_eq!(access.permits_role_binding(&ann(), &binding("no-such"), None).unwrap_err().code(), 404);
    fixture.role(
        "a",
        "binder",
        json!([{"verbs": ["bind"], "apiGroups": [GROUP], "resources": ["clusterroles"], "resourceNames": ["cluster-admin"]}]),
    );
    fixture.bind("a", ("Role", "binder"), json!({"kind": "User", "name": "ann"}));
    access.permits_role_binding(&ann(), &binding("cluster-admin"), None).unwrap();
    let whole: ClusterRole = serde_json::from_value(json!({
        "metadata": {"name": "whole"}, "aggregationRule": {"clusterRoleSelectors": [{}]}
    }))
    .unwrap();
    assert_eq!(access.permits_cluster_role(&ann(), &whole, None).unwrap_err().code(), 403);
}

const GROUP: &str = keelson_base_model::rbac::GROUP;

#[test]
fn a_default_that_lost_something_gets_it_back_and_keeps_what_was_added() {
    let wanted = defaults::cluster_roles().remove(0);
    assert_eq!(role_step(None, wanted.clone()), Step::Create(wanted.clone()));
    assert_eq!(role_step(Some(&wanted), wanted.clone()), Step::Keep);
    let mut less = wanted.clone();
    let lost = less.rules.remove(0);
    less.metadata.labels.insert("mine".into(), "yes".into());
    let Step::Update(next) = role_step(Some(&less), wanted.clone()) else { panic!("nothing put back") };
    assert!(next.rules.contains(&lost) && next.metadata.labels.contains_key("mine"));
    less.metadata.annotations.insert(super::reconcile::AUTO_UPDATE.into(), "false".into());
    assert_eq!(role_step(Some(&less), wanted), Step::Keep);

    let wanted = defaults::cluster_role_bindings().remove(0);
    let mut other = wanted.clone();
    other.subjects.clear();
    let step = binding_step(Some(&other), wanted.clone());
    assert_eq!(step, Step::Update(wanted.clone()));
    other.role_ref.name = "view".into();
    assert_eq!(binding_step(Some(&other), wanted.clone()), Step::Replace(wanted));
}
