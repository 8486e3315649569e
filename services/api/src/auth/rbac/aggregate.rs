//! Cluster roles that are gathered from others: their rules are written when one of those changes.

use std::sync::Arc;
use std::time::Duration;

use keelson_base_daemon::tasks::Drain;
use keelson_base_model::labels::Selector;
use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::rbac::{ClusterRole, PolicyRule};
use keelson_proto::v1::RawUpdateRequest;

use super::Rbac;
use crate::auth::Caller;
use crate::registry::{ClusterRoleStrategy, Part, Registry};

/// How soon what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Keeps the rules of gathered cluster roles current.
pub(crate) async fn run_aggregation(
    registry: Arc<Registry<ClusterRoleStrategy>>,
    rbac: Arc<Rbac>,
    drain: Drain,
) {
    loop {
        let retry = match gather(&registry).await {
            Ok(()) => Duration::MAX,
            Err(error) => {
                tracing::warn!(%error, "cannot gather the rules of a cluster role");
                RETRY
            }
        };
        tokio::select! {
            () = drain.signaled() => return,
            () = rbac.roles_changed() => {}
            () = tokio::time::sleep(retry), if retry < Duration::MAX => {}
        }
    }
}

/// Writes the rules of all that are not what they should be.
async fn gather(registry: &Registry<ClusterRoleStrategy>) -> Result<(), ApiError> {
    let all = registry.cached();
    for role in &all {
        let Some(rules) = gathered(role, &all).filter(|rules| *rules != role.rules) else { continue };
        let update = RawUpdateRequest {
            name: role.metadata.name.clone(),
            object: ClusterRole { rules, ..role.clone() }.encode_to_vec().into(),
            ..RawUpdateRequest::default()
        };
        match registry.update(&Caller::api(), update, Part::Whole).await {
            // Whoever was quicker changed a role, of which there is news to come.
            Err(error) if !error.is_conflict() && !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The rules that a role is to have: those of all that its rule selects, in the order of their names, each once. None for
/// roles that are not gathered.
pub(super) fn gathered(role: &ClusterRole, all: &[ClusterRole]) -> Option<Vec<PolicyRule>> {
    let rule = role.aggregation_rule.as_ref()?;
    let selectors = rule.cluster_role_selectors.iter();
    let selectors: Vec<Selector> =
        selectors.filter_map(|selector| Selector::from_label_selector(Some(selector)).ok()).collect();
    let mut found: Vec<&ClusterRole> = all
        .iter()
        .filter(|other| other.metadata.name != role.metadata.name)
        .filter(|other| selectors.iter().any(|selector| selector.matches(&other.metadata.labels)))
        .collect();
    found.sort_unstable_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let mut rules: Vec<PolicyRule> = Vec::new();
    for rule in found.into_iter().flat_map(|role| &role.rules) {
        if !rules.contains(rule) {
            rules.push(rule.clone());
        }
    }
    Some(rules)
}
