//! The health of the control plane, observed when it is asked for.
//!
//! The scheduler and the control loops are healthy while one of them holds its lease, or follows the cluster through
//! this api; the store is when it answers.

mod presence;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use keelson_base_model::fields::FieldSelector;
use keelson_base_model::status::ApiError;
use keelson_proto::coordination::Lease;
use keelson_proto::core::{ComponentCondition, ComponentStatus, ComponentStatusList};
use keelson_proto::meta::{ListMeta, MicroTime, Time};
use keelson_proto::v1::{GetRequest, ListRequest};
use keelson_proto::{Message as _, Object as _};

pub(crate) use self::presence::Presence;

use crate::auth::{self, Caller};
use crate::registry::{LeaseStrategy, Registry};
use crate::rpc::unary::unary;
use crate::rpc::{Door, unknown};

/// The components that are processes: their names, who they are, and the lease that one of several holds.
const PROCESSES: [(&str, &str, &str); 2] = [
    ("controller-manager", "system:kube-controller-manager", "keelson-replication"),
    ("scheduler", "system:kube-scheduler", "keelson-scheduler"),
];

/// The store, under the name that Kubernetes' users know.
const STORE: &str = "etcd-0";

/// Where the leases are.
const SYSTEM: &str = "kube-system";

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What component statuses are observed with.
pub(crate) struct Components {
    /// Who is there.
    pub(crate) door: Arc<Door>,
    /// The leases of those that are elected.
    pub(crate) leases: Arc<Registry<LeaseStrategy>>,
}

// === impl Components ===

impl Components {
    /// Serves a call of the component statuses' service.
    pub(super) async fn serve(self: Arc<Self>, method: String, caller: Caller, request: Request) -> Response {
        match method.as_str() {
            "List" => {
                let call = |list: ListRequest| async move {
                    self.may(&caller, "list", "")?;
                    Ok(self.list(&list).await?.encode_to_vec().into())
                };
                unary(request, call).await
            }
            "Get" => {
                let call = |get: GetRequest| async move {
                    self.may(&caller, "get", &get.name)?;
                    let all = self.observe().await;
                    let found = all.into_iter().find(|status| status.metadata.name == get.name);
                    let found = found.ok_or_else(|| ApiError::not_found(ComponentStatus::KIND, &get.name))?;
                    Ok(found.encode_to_vec().into())
                };
                unary(request, call).await
            }
            _ => unknown(&method),
        }
    }

    fn may(&self, caller: &Caller, verb: &str, name: &str) -> Result<(), ApiError> {
        let kind = ComponentStatus::KIND;
        let asked = auth::Request {
            verb,
            resource: kind.plural,
            group: kind.group,
            subresource: "",
            namespace: "",
            name,
        };
        let allowed = self.door.authenticator.access.authorize(caller, asked);
        if let Some(entry) = &caller.audit {
            entry.asked(kind, &asked, &allowed);
        }
        allowed.map(drop)
    }

    async fn list(&self, request: &ListRequest) -> Result<ComponentStatusList, ApiError> {
        let fields = FieldSelector::parse(&request.field_selector)
            .map_err(|error| ApiError::bad_request(format!("unable to parse field selector: {error}")))?;
        fields
            .check(&["metadata.name"])
            .map_err(|unsupported| ApiError::bad_request(unsupported.to_string()))?;
        let wanted = fields.exact("metadata.name");
        let mut items = self.observe().await;
        items.retain(|status| wanted.is_none_or(|wanted| status.metadata.name == wanted));
        Ok(ComponentStatusList { metadata: ListMeta::default(), items })
    }

    async fn observe(&self) -> Vec<ComponentStatus> {
        let now = Time::now();
        let mut all = vec![self.store().await];
        for (name, user, lease) in PROCESSES {
            let held = self.lease(lease).await.is_some_and(|lease| is_held(&lease, now));
            let here = self.door.presence.has(user);
            let missed =
                || format!("nobody holds the lease {SYSTEM}/{lease}, and {user} does not follow this api");
            all.push(status(name, if held || here { Ok(()) } else { Err(missed()) }));
        }
        all.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        all
    }

    async fn lease(&self, name: &str) -> Option<Lease> {
        let get = GetRequest {
            namespace: SYSTEM.to_owned(),
            name: name.to_owned(),
            resource_version: "0".to_owned(),
        };
        Lease::decode(self.leases.get(&get).await.ok()?).ok()
    }

    /// Asks the store for its head, as every consistent list does.
    async fn store(&self) -> ComponentStatus {
        let request = ListRequest { limit: 1, ..ListRequest::default() };
        let answer = match tokio::time::timeout(PATIENCE, self.leases.list(&request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the store has not answered within {} s", PATIENCE.as_secs())),
        };
        status(STORE, answer)
    }
}

/// Whether somebody holds a lease. The holder's clock may differ somewhat from ours.
fn is_held(lease: &Lease, now: Time) -> bool {
    let held = lease.spec.holder_identity.as_deref().is_some_and(|holder| !holder.is_empty());
    let renewed = lease.spec.renew_time.as_ref().map(|MicroTime { seconds, .. }| *seconds);
    let lasts = i64::from(lease.spec.lease_duration_seconds.unwrap_or_default());
    held && renewed.is_some_and(|renewed| renewed.saturating_add(lasts.saturating_mul(2)) >= now.seconds)
}

fn status(name: &str, health: Result<(), String>) -> ComponentStatus {
    let mut condition = ComponentCondition { r#type: "Healthy".to_owned(), ..ComponentCondition::default() };
    match health {
        Ok(()) => {
            "True".clone_into(&mut condition.status);
            "ok".clone_into(&mut condition.message);
        }
        Err(why) => {
            "False".clone_into(&mut condition.status);
            condition.error = why;
        }
    }
    let mut status = ComponentStatus { conditions: vec![condition], ..ComponentStatus::default() };
    name.clone_into(&mut status.metadata.name);
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_held_while_it_is_renewed() {
        let now = Time { seconds: 1000, nanos: 0 };
        let table = [
            (Some("a"), Some(995), 15, true),
            (Some("a"), Some(971), 15, true),
            (Some("a"), Some(969), 15, false),
            (Some(""), Some(1000), 15, false),
            (None, Some(1000), 15, false),
            (Some("a"), None, 15, false),
        ];
        for (holder, renewed, lasts, expected) in table {
            let mut lease = Lease::default();
            lease.spec.holder_identity = holder.map(str::to_owned);
            lease.spec.renew_time = renewed.map(|seconds| MicroTime { seconds, nanos: 0 });
            lease.spec.lease_duration_seconds = Some(lasts);
            assert_eq!(is_held(&lease, now), expected, "{holder:?} {renewed:?}");
        }
    }

    #[test]
    fn a_status_says_healthy_or_why_not() {
        let ill = status("scheduler", Err("gone".to_owned()));
        let condition = &ill.conditions[0];
        assert_eq!((condition.status.as_str(), condition.error.as_str()), ("False", "gone"));
        let well = status("scheduler", Ok(()));
        assert_eq!((well.conditions[0].status.as_str(), well.conditions[0].message.as_str()), ("True", "ok"));
    }
}
