//! From users and groups to their bindings, and from those to rules.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use keelson_base_model::rbac::subject_kind;
use keelson_proto::Message;
use keelson_proto::rbac::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::Of;
use crate::auth::caller::account_user;

/// What is known.
#[derive(Default)]
pub(super) struct Known {
    /// By namespace and name.
    roles: HashMap<String, Arc<[PolicyRule]>>,
    cluster_roles: HashMap<String, Arc<[PolicyRule]>>,
    /// Whom each binding names; by `namespace/name`, or the name of a cluster role binding.
    bindings: HashMap<String, Vec<Named>>,
    users: HashMap<String, Vec<Arc<Grant>>>,
    groups: HashMap<String, Vec<Arc<Grant>>>,
}

/// A role that is given to somebody.
pub(super) struct Grant {
    /// The binding, as [`Known::bindings`] has it.
    binding: String,
    /// Where it counts; None for everywhere.
    pub(super) namespace: Option<String>,
    /// The role.
    pub(super) role: RoleRef,
    /// To whom, as a sentence says it.
    to: String,
}

/// A subject's place in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    User(String),
    Group(String),
}

// === impl Known ===

impl Known {
    /// Forgets everything of a kind.
    pub(super) fn reset(&mut self, of: Of) {
        match of {
            Of::Roles => self.roles.clear(),
            Of::ClusterRoles => self.cluster_roles.clear(),
            Of::RoleBindings | Of::ClusterRoleBindings => {
                let gone = |path: &&String| path.contains('/') == (of == Of::RoleBindings);
                let gone: Vec<String> = self.bindings.keys().filter(gone).cloned().collect();
                gone.iter().for_each(|path| self.unbind(path));
            }
        }
    }

    /// Takes in a new, changed or removed object.
    ///
    /// # Errors
    /// A sentence, if it is none of the kind; it counts as removed.
    pub(super) fn changed(&mut self, of: Of, path: &str, object: Option<Bytes>) -> Result<(), String> {
        match of {
            Of::Roles => {
                self.roles.remove(path);
            }
            Of::ClusterRoles => {
                self.cluster_roles.remove(path);
            }
            Of::RoleBindings | Of::ClusterRoleBindings => self.unbind(path),
        }
        let Some(object) = object else { return Ok(()) };
        match of {
            Of::Roles => {
                self.roles.insert(path.to_owned(), decode::<Role>(object)?.rules.into());
            }
            Of::ClusterRoles => {
                self.cluster_roles.insert(path.to_owned(), decode::<ClusterRole>(object)?.rules.into());
            }
            Of::RoleBindings => {
                let binding = decode::<RoleBinding>(object)?;
                self.bind(path, Some(binding.metadata.namespace), &binding.subjects, &binding.role_ref);
            }
            Of::ClusterRoleBindings => {
                let binding = decode::<ClusterRoleBinding>(object)?;
                self.bind(path, None, &binding.subjects, &binding.role_ref);
            }
        }
        Ok(())
    }

    /// The rules of a role.
    pub(super) fn rules_of(&self, role: &RoleRef, namespace: &str) -> Option<Arc<[PolicyRule]>> {
        match role.kind.as_str() {
            "ClusterRole" => self.cluster_roles.get(&role.name).cloned(),
            _ => self.roles.get(&format!("{namespace}/{}", role.name)).cloned(),
        }
    }

    /// What is given to a user or to one of his groups.
    pub(super) fn grants<'a>(
        &'a self,
        user: &str,
        groups: &'a [String],
    ) -> impl Iterator<Item = &'a Grant> + 'a {
        let own = self.users.get(user).into_iter().flatten();
        let shared = groups.iter().filter_map(|group| self.groups.get(group)).flatten();
        own.chain(shared).map(Arc::as_ref)
    }

    fn bind(&mut self, path: &str, namespace: Option<String>, subjects: &[Subject], role: &RoleRef) {
        let mut names: Vec<Named> = Vec::new();
        for subject in subjects {
            let Some((named, to)) = named(subject, namespace.as_deref()) else { continue };
            if names.contains(&named) {
                continue;
            }
            let grant =
                Grant { binding: path.to_owned(), namespace: namespace.clone(), role: role.clone(), to };
            self.of(&named).push(Arc::new(grant));
            names.push(named);
        }
        self.bindings.insert(path.to_owned(), names);
    }

    fn unbind(&mut self, path: &str) {
        for named in self.bindings.remove(path).unwrap_or_default() {
            let of = self.of(&named);
            of.retain(|grant| grant.binding != path);
            if of.is_empty() {
                match named {
                    Named::User(user) => self.users.remove(&user),
                    Named::Group(group) => self.groups.remove(&group),
                };
            }
        }
    }

    fn of(&mut self, named: &Named) -> &mut Vec<Arc<Grant>> {
        match named {
            Named::User(user) => self.users.entry(user.clone()).or_default(),
            Named::Group(group) => self.groups.entry(group.clone()).or_default(),
        }
    }
}

// === impl Grant ===

impl Grant {
    /// Why something is allowed.
    pub(super) fn reason(&self) -> String {
        let kind = if self.namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
        let role = &self.role;
        format!(
            "RBAC: allowed by {kind} \"{}\" of {} \"{}\" to {}",
            self.binding, role.kind, role.name, self.to
        )
    }
}

fn named(subject: &Subject, namespace: Option<&str>) -> Option<(Named, String)> {
    let to = |kind: &str, name: &str| format!("{kind} \"{name}\"");
    match subject.kind.as_str() {
        subject_kind::USER => Some((Named::User(subject.name.clone()), to("User", &subject.name))),
        subject_kind::GROUP => Some((Named::Group(subject.name.clone()), to("Group", &subject.name))),
        subject_kind::SERVICE_ACCOUNT => {
            let of = match subject.namespace.as_str() {
                "" => namespace?,
                of => of,
            };
            let name = format!("{}/{of}", subject.name);
            Some((Named::User(account_user(of, &subject.name)), to("ServiceAccount", &name)))
        }
        _ => None,
    }
}

fn decode<K: Message + Default>(object: Bytes) -> Result<K, String> {
    K::decode(object).map_err(|error| error.to_string())
}
