//! Roles and their bindings: what they allow, by an index that the watch caches keep current.
//!
//! Nothing is looked for when a request comes: its user and groups lead to their bindings, and those to rules.

mod aggregate;
mod defaults;
mod escalation;
mod index;
mod reconcile;

pub(crate) use self::aggregate::run_aggregation;
pub(crate) use self::reconcile::reconcile;

use std::sync::{Arc, PoisonError, RwLock};

use keelson_base_model::rbac::{Asked, allows, allows_path};
use keelson_proto::rbac::{PolicyRule, RoleRef};
use tokio::sync::Notify;

use self::index::{Grant, Known};
use crate::auth::access::Held;
use crate::auth::{Caller, Decision, What};
use crate::cache::{Entry, Listener};

/// What is known of roles and bindings.
#[derive(Default)]
pub(crate) struct Rbac {
    known: RwLock<Known>,
    /// Told when a cluster role changes.
    roles_changed: Notify,
}

/// What a role allows.
type Rules = Arc<[PolicyRule]>;

/// Which kind a listener hears of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Roles,
    ClusterRoles,
    RoleBindings,
    ClusterRoleBindings,
}

/// Keeps the index current with one kind.
struct Hears {
    rbac: Arc<Rbac>,
    of: Of,
}

// === impl Rbac ===

impl Rbac {
    /// Who is to hear of the changes of one kind.
    pub(crate) fn listener(self: &Arc<Self>, of: Of) -> Arc<dyn Listener> {
        Arc::new(Hears { rbac: self.clone(), of })
    }

    /// Whether bindings allow something.
    pub(crate) fn decide(&self, caller: &Caller, what: What<'_>) -> Decision {
        let namespace = match what {
            What::Resource(request) => request.namespace,
            What::Path { .. } => "",
        };
        let mut missing = Vec::new();
        let mut allowed = None;
        self.visit(caller, namespace, &mut |grant, rules| {
            let Some(rules) = rules else {
                missing.push(not_found(&grant.role));
                return true;
            };
            if rules.iter().any(|rule| rule_allows(rule, what)) {
                allowed = Some(grant.reason());
            }
            allowed.is_none()
        });
        match allowed {
            Some(why) => Decision::Allowed(why),
            None if missing.is_empty() => Decision::Refused(String::new()),
            None => Decision::Refused(format!("RBAC: {}", joined(missing))),
        }
    }

    /// Adds what bindings allow in a namespace.
    pub(crate) fn rules(&self, caller: &Caller, namespace: &str, held: &mut Held) {
        self.visit(caller, namespace, &mut |grant, rules| {
            match rules {
                Some(rules) => held.rules.extend(rules.iter().cloned()),
                None => held.unknown.push(not_found(&grant.role)),
            }
            true
        });
    }

    /// The rules of a role, if it is there: a cluster role's, or in a namespace a role's.
    pub(crate) fn rules_of(&self, role: &RoleRef, namespace: &str) -> Option<Arc<[PolicyRule]>> {
        self.read().rules_of(role, namespace)
    }

    /// Ends when a cluster role has changed.
    async fn roles_changed(&self) {
        self.roles_changed.notified().await;
    }

    /// Shows what is given to a caller in a namespace, until it has seen enough.
    fn visit(&self, caller: &Caller, namespace: &str, see: &mut dyn FnMut(&Grant, Option<Rules>) -> bool) {
        let known = self.read();
        for grant in known.grants(&caller.user, &caller.groups) {
            let here = grant.namespace.as_deref().is_none_or(|of| of == namespace && !namespace.is_empty());
            let of = grant.namespace.as_deref().unwrap_or_default();
            if here && !see(grant, known.rules_of(&grant.role, of)) {
                return;
            }
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rule_allows(rule: &PolicyRule, what: What<'_>) -> bool {
    match what {
        What::Resource(request) => {
            let asked = Asked {
                verb: request.verb,
                group: request.group,
                resource: request.resource,
                subresource: request.subresource,
                name: request.name,
            };
            allows(rule, &asked)
        }
        What::Path { verb, path } => allows_path(rule, verb, path),
    }
}

fn not_found(role: &RoleRef) -> String {
    format!("{}.rbac.authorization.k8s.io \"{}\" not found", role.kind.to_lowercase(), role.name)
}

/// Errors as Go aggregates them.
fn joined(mut errors: Vec<String>) -> String {
    errors.dedup();
    if errors.len() == 1 { errors.remove(0) } else { format!("[{}]", errors.join(", ")) }
}

// === impl Hears ===

impl Listener for Hears {
    fn reset(&self) {
        self.rbac.known.write().unwrap_or_else(PoisonError::into_inner).reset(self.of);
        self.rbac.roles_changed.notify_one();
    }

    fn changed(&self, path: &str, new: Option<&Entry>) {
        let object = new.map(|entry| entry.object.clone());
        let changed = {
            let mut known = self.rbac.known.write().unwrap_or_else(PoisonError::into_inner);
            known.changed(self.of, path, object)
        };
        if let Err(error) = changed {
            tracing::error!(path, error, "a cached role or binding cannot be read");
        }
        if self.of == Of::ClusterRoles {
            self.rbac.roles_changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
