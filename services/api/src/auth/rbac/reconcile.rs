//! Makes the default roles and bindings, and puts back what has been taken from them; what somebody has added stays.

use futures::future::try_join_all;
use keelson_base_model::rbac::uncovered;
use keelson_base_model::status::ApiError;
use keelson_proto::meta::{CreateOptions, DeleteOptions, ObjectMeta};
use keelson_proto::rbac::{ClusterRole, ClusterRoleBinding, PolicyRule};
use keelson_proto::v1::{DeleteRequest, RawUpdateRequest};
use keelson_proto::{Message, Object};

use super::defaults;
use crate::auth::Caller;
use crate::registry::{ClusterRoleBindingStrategy, ClusterRoleStrategy, Part, Registry, Strategy};

/// Whether a default is put right when api starts; "false" says no.
pub(super) const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What becomes of a default.
#[derive(Debug, PartialEq)]
pub(super) enum Step<K> {
    /// Nothing.
    Keep,
    /// It is made.
    Create(K),
    /// It is changed.
    Update(K),
    /// It is made anew, since its role cannot be changed.
    Replace(K),
}

/// Makes what is missing.
///
/// # Errors
/// Those of the registries.
pub(crate) async fn reconcile(
    roles: &Registry<ClusterRoleStrategy>,
    bindings: &Registry<ClusterRoleBindingStrategy>,
) -> Result<(), ApiError> {
    let known = roles.cached();
    let steps = defaults::cluster_roles().into_iter().map(|wanted| role_step(find(&known, &wanted), wanted));
    // At once, so that the store writes them together.
    try_join_all(steps.map(|step| take(roles, step))).await?;
    let known = bindings.cached();
    let wanted = defaults::cluster_role_bindings().into_iter();
    let steps = wanted.map(|wanted| binding_step(find(&known, &wanted), wanted));
    try_join_all(steps.map(|step| take(bindings, step))).await?;
    Ok(())
}

fn find<'a, K: Object>(known: &'a [K], wanted: &K) -> Option<&'a K> {
    known.iter().find(|known| known.metadata().name == wanted.metadata().name)
}

async fn take<S: Strategy>(registry: &Registry<S>, step: Step<S::Object>) -> Result<(), ApiError> {
    let caller = Caller::api();
    let options = CreateOptions::default();
    match step {
        Step::Keep => Ok(()),
        Step::Create(object) => unless_raced(registry.create_object(&caller, "", object, &options).await),
        Step::Update(object) => {
            let update = RawUpdateRequest {
                name: object.metadata().name.clone(),
                object: object.encode_to_vec().into(),
                ..RawUpdateRequest::default()
            };
            unless_raced(registry.update(&caller, update, Part::Whole).await)
        }
        Step::Replace(object) => {
            let delete = DeleteRequest {
                name: object.metadata().name.clone(),
                options: Some(DeleteOptions::default()),
                ..DeleteRequest::default()
            };
            unless_raced(registry.delete(&caller, delete).await)?;
            unless_raced(registry.create_object(&caller, "", object, &options).await)
        }
    }
}

/// Another api that starts at the same time does the same.
fn unless_raced<T>(done: Result<T, ApiError>) -> Result<(), ApiError> {
    match done {
        Err(error) if !(error.is_already_exists() || error.is_conflict() || error.is_not_found()) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// What becomes of a role.
pub(super) fn role_step(known: Option<&ClusterRole>, wanted: ClusterRole) -> Step<ClusterRole> {
    let Some(known) = known else { return Step::Create(wanted) };
    if !is_ours(&known.metadata) {
        return Step::Keep;
    }
    let mut next = known.clone();
    add_metadata(&mut next.metadata, &wanted.metadata);
    if wanted.aggregation_rule.is_some() {
        // Its rules are gathered, not put right here.
        next.aggregation_rule = wanted.aggregation_rule;
    } else {
        let is_missing = |rule: &PolicyRule| !uncovered(&known.rules, std::slice::from_ref(rule)).is_empty();
        next.rules.extend(wanted.rules.into_iter().filter(is_missing));
    }
    if next == *known { Step::Keep } else { Step::Update(next) }
}

/// What becomes of a binding.
pub(super) fn binding_step(
    known: Option<&ClusterRoleBinding>,
    wanted: ClusterRoleBinding,
) -> Step<ClusterRoleBinding> {
    let Some(known) = known else { return Step::Create(wanted) };
    if !is_ours(&known.metadata) {
        return Step::Keep;
    }
    if known.role_ref != wanted.role_ref {
        return Step::Replace(wanted);
    }
    let mut next = known.clone();
    add_metadata(&mut next.metadata, &wanted.metadata);
    for subject in wanted.subjects {
        if !next.subjects.contains(&subject) {
            next.subjects.push(subject);
        }
    }
    if next == *known { Step::Keep } else { Step::Update(next) }
}

fn is_ours(metadata: &ObjectMeta) -> bool {
    metadata.annotations.get(AUTO_UPDATE).is_none_or(|value| value != "false")
}

fn add_metadata(next: &mut ObjectMeta, wanted: &ObjectMeta) {
    next.labels.extend(wanted.labels.clone());
    for (name, value) in &wanted.annotations {
        next.annotations.entry(name.clone()).or_insert_with(|| value.clone());
    }
}
