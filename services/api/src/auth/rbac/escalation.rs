//! Nobody gives away what he does not have: whoever writes a role, or binds one, holds all of it already, unless he may
//! `escalate` or `bind`.

use keelson_base_model::rbac::{GROUP, uncovered};
use keelson_base_model::status::ApiError;
use keelson_proto::rbac::{
    AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef,
};
use keelson_proto::{Kind, Object};

use crate::auth::{Access, Caller, Decision, MASTERS, Request, What};

/// A role or binding that somebody writes.
struct Given<'a> {
    kind: &'static Kind,
    namespace: &'a str,
    name: &'a str,
}

// === impl Access ===

impl Access {
    /// Whether a caller may write this role.
    ///
    /// # Errors
    /// Forbidden, with what is not his to give.
    pub(crate) fn permits_role(
        &self,
        caller: &Caller,
        new: &Role,
        old: Option<&Role>,
    ) -> Result<(), ApiError> {
        if old.is_some_and(|old| old.rules == new.rules) {
            return Ok(());
        }
        let meta = &new.metadata;
        let given = Given { kind: Role::KIND, namespace: &meta.namespace, name: &meta.name };
        self.permits_rules(caller, &given, &new.rules)
    }

    /// Whether a caller may write this cluster role. Who has one gathered from others decides of all there may ever be.
    ///
    /// # Errors
    /// Forbidden, with what is not his to give.
    pub(crate) fn permits_cluster_role(
        &self,
        caller: &Caller,
        new: &ClusterRole,
        old: Option<&ClusterRole>,
    ) -> Result<(), ApiError> {
        let given = Given { kind: ClusterRole::KIND, namespace: "", name: &new.metadata.name };
        let old_rule: Option<&AggregationRule> = old.and_then(|old| old.aggregation_rule.as_ref());
        if new.aggregation_rule.is_some() && new.aggregation_rule.as_ref() != old_rule {
            self.permits_rules(caller, &given, &everything())?;
        }
        if old.is_some_and(|old| old.rules == new.rules) {
            return Ok(());
        }
        self.permits_rules(caller, &given, &new.rules)
    }

    /// Whether a caller may bind this role.
    ///
    /// # Errors
    /// Forbidden, with what is not his to give; NotFound without the role.
    pub(crate) fn permits_role_binding(
        &self,
        caller: &Caller,
        new: &RoleBinding,
        old: Option<&RoleBinding>,
    ) -> Result<(), ApiError> {
        if old.is_some_and(|old| old.role_ref == new.role_ref && old.subjects == new.subjects) {
            return Ok(());
        }
        let meta = &new.metadata;
        let given = Given { kind: RoleBinding::KIND, namespace: &meta.namespace, name: &meta.name };
        self.permits_binding(caller, &given, &new.role_ref)
    }

    /// Whether a caller may bind this role everywhere.
    ///
    /// # Errors
    /// Forbidden, with what is not his to give; NotFound without the role.
    pub(crate) fn permits_cluster_role_binding(
        &self,
        caller: &Caller,
        new: &ClusterRoleBinding,
        old: Option<&ClusterRoleBinding>,
    ) -> Result<(), ApiError> {
        if old.is_some_and(|old| old.role_ref == new.role_ref && old.subjects == new.subjects) {
            return Ok(());
        }
        let given = Given { kind: ClusterRoleBinding::KIND, namespace: "", name: &new.metadata.name };
        self.permits_binding(caller, &given, &new.role_ref)
    }

    fn permits_rules(
        &self,
        caller: &Caller,
        given: &Given<'_>,
        rules: &[PolicyRule],
    ) -> Result<(), ApiError> {
        if caller.is_in(MASTERS)
            || self.may(caller, "escalate", given.kind.plural, given.namespace, given.name)
        {
            return Ok(());
        }
        self.holds(caller, given, rules)
    }

    fn permits_binding(&self, caller: &Caller, given: &Given<'_>, role: &RoleRef) -> Result<(), ApiError> {
        let (kind, plural) = match role.kind.as_str() {
            "ClusterRole" => (ClusterRole::KIND, "clusterroles"),
            _ => (Role::KIND, "roles"),
        };
        if caller.is_in(MASTERS) || self.may(caller, "bind", plural, given.namespace, &role.name) {
            return Ok(());
        }
        let rules = self.rbac().rules_of(role, given.namespace);
        let rules = rules.ok_or_else(|| ApiError::not_found(kind, &role.name))?;
        self.holds(caller, given, &rules)
    }

    fn may(&self, caller: &Caller, verb: &str, resource: &str, namespace: &str, name: &str) -> bool {
        let request = Request { verb, resource, group: GROUP, subresource: "", namespace, name };
        matches!(self.decide(caller, What::Resource(request)), Decision::Allowed(_))
    }

    fn holds(&self, caller: &Caller, given: &Given<'_>, rules: &[PolicyRule]) -> Result<(), ApiError> {
        let held = self.rules(caller, given.namespace);
        let missing = uncovered(&held.rules, rules);
        if missing.is_empty() {
            return Ok(());
        }
        let told: Vec<String> = missing.iter().map(spelled).collect();
        let groups: Vec<String> = caller.groups.iter().map(|group| format!("{group:?}")).collect();
        let mut why = format!(
            "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
            caller.user,
            groups.join(" "),
            told.join("\n")
        );
        if !held.unknown.is_empty() {
            why.push_str(&format!("; resolution errors: [{}]", held.unknown.join(", ")));
        }
        Err(ApiError::forbidden(given.kind, given.name, why))
    }
}

fn everything() -> [PolicyRule; 2] {
    let any = || vec!["*".to_owned()];
    [
        PolicyRule { verbs: any(), api_groups: any(), resources: any(), ..PolicyRule::default() },
        PolicyRule { verbs: any(), non_resource_urls: any(), ..PolicyRule::default() },
    ]
}

/// A rule as Kubernetes shows it.
fn spelled(rule: &PolicyRule) -> String {
    let list = |list: &[String]| list.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
    let parts = [
        ("APIGroups", &rule.api_groups),
        ("Resources", &rule.resources),
        ("ResourceNames", &rule.resource_names),
        ("NonResourceURLs", &rule.non_resource_urls),
        ("Verbs", &rule.verbs),
    ];
    let parts = parts.iter().filter(|(_, values)| !values.is_empty());
    let parts: Vec<String> = parts.map(|(name, values)| format!("{name}:[{}]", list(values))).collect();
    format!("{{{}}}", parts.join(", "))
}
