use keelson_proto::meta::{LabelSelector, ObjectMeta};
use keelson_proto::rbac::{AggregationRule, PolicyRule};

use super::*;

fn list(words: &str) -> Vec<String> {
    words.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect()
}

/// A rule from words; `''` is the empty one.
fn rule(verbs: &str, groups: &str, resources: &str, names: &str) -> PolicyRule {
    PolicyRule {
        verbs: list(verbs),
        api_groups: list(groups),
        resources: list(resources),
        resource_names: list(names),
        non_resource_urls: Vec::new(),
    }
}

fn paths(verbs: &str, paths: &str) -> PolicyRule {
    PolicyRule { verbs: list(verbs), non_resource_urls: list(paths), ..PolicyRule::default() }
}

#[test]
fn a_rule_allows_what_it_names() {
    let table = [
        (rule("get list", "''", "pods", ""), ("list", "", "pods", "", ""), true),
        (rule("get list", "''", "pods", ""), ("watch", "", "pods", "", ""), false),
        (rule("get", "''", "pods", ""), ("get", "apps", "pods", "", ""), false),
        (rule("get", "''", "pods", ""), ("get", "", "pods", "log", "a"), false),
        (rule("get", "''", "pods/log", ""), ("get", "", "pods", "log", "a"), true),
        (rule("get", "''", "pods/log", ""), ("get", "", "pods", "", "a"), false),
        (rule("update", "''", "*/scale", ""), ("update", "", "replicationcontrollers", "scale", "a"), true),
        (rule("update", "''", "*/scale", ""), ("update", "", "replicationcontrollers", "status", "a"), false),
        (rule("*", "*", "*", ""), ("escalate", "any", "thing", "sub", "a"), true),
        (rule("get", "''", "secrets", "mine"), ("get", "", "secrets", "", "mine"), true),
        (rule("get", "''", "secrets", "mine"), ("get", "", "secrets", "", "other"), false),
        (rule("list", "''", "secrets", "mine"), ("list", "", "secrets", "", ""), false),
        (rule("", "''", "pods", ""), ("get", "", "pods", "", ""), false),
        (paths("get", "*"), ("get", "", "pods", "", ""), false),
    ];
    for (rule, (verb, group, resource, subresource, name), allowed) in table {
        let asked = Asked { verb, group, resource, subresource, name };
        assert_eq!(allows(&rule, &asked), allowed, "{rule:?} {asked:?}");
    }
}

#[test]
fn a_path_may_end_with_a_star() {
    let table = [
        ("/healthz", "/healthz", true),
        ("/healthz", "/healthz/ping", false),
        ("/healthz/*", "/healthz/ping", true),
        ("/healthz/*", "/healthz", false),
        ("*", "/anything", true),
        ("/a*", "/abc", true),
    ];
    for (pattern, path, allowed) in table {
        assert_eq!(allows_path(&paths("get", pattern), "get", path), allowed, "{pattern} {path}");
        assert!(!allows_path(&paths("get", pattern), "post", path));
    }
}

#[test]
fn nobody_gives_what_he_does_not_have() {
    let reader = rule("get list", "''", "pods pods/log", "");
    let all = rule("*", "*", "*", "");
    let table = [
        (vec![reader.clone()], rule("get", "''", "pods", ""), 0),
        (vec![reader.clone()], rule("get", "''", "pods", "one"), 0),
        (vec![reader.clone()], rule("get delete", "''", "pods", ""), 1),
        (vec![reader.clone()], rule("get", "'' apps", "pods", ""), 1),
        (vec![reader.clone()], rule("*", "''", "pods", ""), 1),
        (vec![all.clone()], rule("*", "''", "pods", ""), 0),
        (vec![all], paths("get", "/metrics"), 1),
        (vec![rule("get", "''", "secrets", "a")], rule("get", "''", "secrets", "a b"), 1),
        (vec![rule("get", "''", "secrets", "a")], rule("get", "''", "secrets", ""), 1),
        (vec![rule("update", "''", "*/scale", "")], rule("update", "''", "pods/scale", ""), 0),
        (vec![paths("get", "/a/*")], paths("get", "/a/b /a/* /b"), 1),
        (vec![reader, rule("delete", "''", "pods", "")], rule("get delete", "''", "pods", ""), 0),
    ];
    for (held, wanted, missing) in table {
        let missed = uncovered(&held, std::slice::from_ref(&wanted));
        assert_eq!(missed.len(), missing, "{held:?} {wanted:?}: {missed:?}");
    }
}

fn meta(name: &str, namespace: &str) -> ObjectMeta {
    ObjectMeta { name: name.to_owned(), namespace: namespace.to_owned(), ..ObjectMeta::default() }
}

fn text(errors: crate::field::ErrorList) -> String {
    if errors.is_empty() { String::new() } else { errors.to_string() }
}

#[test]
fn what_is_wrong_with_a_role_is_told() {
    let role = |rule: PolicyRule| Role { metadata: meta("a:b", "default"), rules: vec![rule] };
    let table = [
        (rule("get", "''", "pods", ""), ""),
        (rule("", "''", "pods", ""), "rules[0].verbs: Required value: verbs must contain at least one value"),
        (
            rule("get", "", "pods", ""),
            "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
        ),
        (
            rule("get", "''", "", ""),
            "rules[0].resources: Required value: resource rules must supply at least one resource",
        ),
        (
            paths("get", "/a"),
            "rules[0].nonResourceURLs: Invalid value: [\"/a\"]: namespaced rules cannot apply to non-resource URLs",
        ),
    ];
    for (rule, expected) in table {
        assert_eq!(text(validate_role(&role(rule), None)), expected);
    }
    let cluster =
        ClusterRole { metadata: meta("a", ""), rules: vec![paths("get", "/a")], aggregation_rule: None };
    assert_eq!(text(validate_cluster_role(&cluster, None)), "");
    let empty = ClusterRole { aggregation_rule: Some(AggregationRule::default()), ..cluster.clone() };
    assert!(text(validate_cluster_role(&empty, None)).contains("at least one clusterRoleSelector"));
    let selectors =
        vec![LabelSelector { match_labels: [("a".into(), "?".into())].into(), ..LabelSelector::default() }];
    let wrong = AggregationRule { cluster_role_selectors: selectors };
    assert!(
        !validate_cluster_role(&ClusterRole { aggregation_rule: Some(wrong), ..cluster }, None).is_empty()
    );
    let slashed = Role { metadata: meta("a/b", "default"), rules: Vec::new() };
    assert_eq!(validate_role(&slashed, None).len(), 1);
}

fn mk_binding(kind: &str, subject: Subject) -> RoleBinding {
    let mut binding = RoleBinding { metadata: meta("b", "default"), ..RoleBinding::default() };
    binding.role_ref = RoleRef { kind: kind.to_owned(), name: "r".to_owned(), ..RoleRef::default() };
    binding.subjects = vec![subject];
    set_role_binding_defaults(&mut binding);
    binding
}

fn subject(kind: &str, name: &str, namespace: &str) -> Subject {
    Subject {
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        ..Subject::default()
    }
}

#[test]
fn what_is_wrong_with_a_binding_is_told() {
    let table = [
        (mk_binding("Role", subject("User", "ann", "")), ""),
        (mk_binding("ClusterRole", subject("ServiceAccount", "robot", "")), ""),
        (
            mk_binding("Pod", subject("Group", "dev", "")),
            "roleRef.kind: Unsupported value: \"Pod\": supported values: \"ClusterRole\", \"Role\"",
        ),
        (mk_binding("Role", subject("User", "", "")), "subjects[0].name: Required value"),
        (
            mk_binding("Role", subject("Robot", "r", "")),
            "subjects[0].kind: Unsupported value: \"Robot\": supported values: \"Group\", \"ServiceAccount\", \"User\"",
        ),
    ];
    for (binding, expected) in table {
        assert_eq!(text(validate_role_binding(&binding, None)), expected);
    }
    let mut cluster = ClusterRoleBinding { metadata: meta("b", ""), ..ClusterRoleBinding::default() };
    cluster.role_ref = RoleRef { kind: "ClusterRole".into(), name: "r".into(), ..RoleRef::default() };
    cluster.subjects = vec![subject("ServiceAccount", "robot", "")];
    set_cluster_role_binding_defaults(&mut cluster);
    assert_eq!(text(validate_cluster_role_binding(&cluster, None)), "subjects[0].namespace: Required value");
}

#[test]
fn a_binding_keeps_its_role() {
    let old = mk_binding("Role", subject("User", "ann", ""));
    let mut new = old.clone();
    new.subjects.clear();
    assert!(validate_role_binding(&new, Some(&old)).is_empty());
    new.role_ref.name = "other".to_owned();
    let told = text(validate_role_binding(&new, Some(&old)));
    assert!(
        told.starts_with("roleRef: Invalid value: ") && told.ends_with(": cannot change roleRef"),
        "{told}"
    );
}
