//! The rows of role bindings.

use jiff::Timestamp;
use keelson_proto::meta::ObjectMeta;
use keelson_proto::rbac::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};

use super::{AGE, Cell, Column, NAME, Tabled, since, text, wide};

const COLUMNS: &[Column] = &[
    NAME,
    text("Role", "The role that is given."),
    AGE,
    wide(text("Users", "Users who are given it.")),
    wide(text("Groups", "Groups that are given it.")),
    wide(text("ServiceAccounts", "Service accounts that are given it.")),
];

impl Tabled for ClusterRoleBinding {
    const COLUMNS: &'static [Column] = COLUMNS;

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        cells(&self.metadata, &self.role_ref, &self.subjects, now)
    }
}

impl Tabled for RoleBinding {
    const COLUMNS: &'static [Column] = COLUMNS;

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        cells(&self.metadata, &self.role_ref, &self.subjects, now)
    }
}

fn cells(metadata: &ObjectMeta, role: &RoleRef, subjects: &[Subject], now: Timestamp) -> Vec<Cell> {
    let of = |kind: &str| {
        let names = subjects.iter().filter(|subject| subject.kind == kind).map(|subject| {
            if subject.namespace.is_empty() {
                subject.name.clone()
            } else {
                format!("{}/{}", subject.namespace, subject.name)
            }
        });
        names.collect::<Vec<_>>().join(", ")
    };
    vec![
        metadata.name.as_str().into(),
        format!("{}/{}", role.kind, role.name).into(),
        since(metadata.creation_timestamp, now).into(),
        of("User").into(),
        of("Group").into(),
        of("ServiceAccount").into(),
    ]
}
