//! Whether quotas have enough left for an object, and what they are charged.

use keelson_base_model::resourcequota::{
    self, Counted, Excess, constrained, exceeded, increase, must_specify, names_of,
};
use keelson_base_model::resources::{self, Amounts};
use keelson_base_model::status::ApiError;
use keelson_proto::core::{Pod, ResourceQuota};
use keelson_proto::meta::Time;

use super::super::Subject;
use crate::registry::Stored;

/// A quota before and after it is charged.
pub(super) struct Charged {
    /// As it was seen.
    pub(super) before: Stored<ResourceQuota>,
    /// As it is to be.
    pub(super) after: ResourceQuota,
}

/// Why a quota refuses an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The object does not say all that the quota limits.
    Unspecified { quota: String, why: String },
    /// What is used has not been counted yet.
    Unknown { quota: String, resources: Vec<String> },
    /// There is not enough left.
    Exceeded { quota: String, excess: Excess },
}

/// What the quotas of a namespace are charged for `new` in the place of `old`; those that it does not concern are left
/// out.
pub(super) fn charges(
    quotas: Vec<Stored<ResourceQuota>>,
    old: Option<Counted<'_>>,
    new: Counted<'_>,
    now: Time,
) -> Result<Vec<Charged>, Refusal> {
    let mut all = Vec::new();
    for before in quotas {
        let quota = &before.object;
        if !resourcequota::matches(quota, new) {
            continue;
        }
        let name = || quota.metadata.name.clone();
        let pod = new.object.downcast_ref::<Pod>();
        if let Some(why) = pod.and_then(|pod| must_specify(pod, &constrained(quota))) {
            return Err(Refusal::Unspecified { quota: name(), why });
        }
        let more = increase(quota, old, new, now);
        let uncounted = names_of(&more, quota);
        if !uncounted.is_empty() {
            return Err(Refusal::Unknown { quota: name(), resources: uncounted });
        }
        let used = exceeded(quota, &more).map_err(|excess| Refusal::Exceeded { quota: name(), excess })?;
        if more.is_empty() {
            continue;
        }
        let mut after = quota.clone();
        after.status.used = resources::list(&used);
        all.push(Charged { before, after });
    }
    Ok(all)
}

// === impl Refusal ===

impl Refusal {
    /// The refusal of an object, in Kubernetes' words.
    pub(super) fn of(self, subject: &dyn Subject) -> ApiError {
        let why = match self {
            Self::Unspecified { quota, why } => format!("failed quota: {quota}: {why}"),
            Self::Unknown { quota, resources } => {
                format!("status unknown for quota: {quota}, resources: {}", resources.join(","))
            }
            Self::Exceeded { quota, excess: Excess { requested, used, limited } } => format!(
                "exceeded quota: {quota}, requested: {}, used: {}, limited: {}",
                shown(&requested),
                shown(&used),
                shown(&limited)
            ),
        };
        ApiError::forbidden(subject.kind(), &subject.meta().name, why)
    }
}

fn shown(amounts: &Amounts) -> String {
    let each: Vec<_> = amounts.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
    each.join(",")
}

#[cfg(test)]
mod tests {
    use keelson_proto::Object as _;
    use serde_json::{Value, json};

    use super::*;

    fn mk_quota(name: &str, hard: Value, used: Value) -> Stored<ResourceQuota> {
        let object = json!({
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"hard": hard}, "status": {"used": used},
        });
        Stored { object: serde_json::from_value(object).unwrap(), revision: 7 }
    }

    fn charged(quotas: Vec<Stored<ResourceQuota>>, pod: Value) -> Result<Vec<Value>, String> {
        let mut object: Pod = serde_json::from_value(pod).unwrap();
        object.metadata.name = "p".to_owned();
        let counted = Counted { kind: Pod::KIND, object: &object };
        let charged = charges(quotas, None, counted, Time::default());
        let charged = charged.map_err(|refusal| refusal.of(&object).to_string())?;
        Ok(charged.iter().map(|one| serde_json::to_value(&one.after.status.used).unwrap()).collect())
    }

    #[test]
    fn every_quota_that_counts_a_pod_is_charged() {
        let quotas = vec![
            mk_quota("a", json!({"pods": "2"}), json!({"pods": "1"})),
            mk_quota("b", json!({"services": "2"}), json!({"services": "1"})),
            mk_quota(
                "c",
                json!({"count/pods": "2", "secrets": "5"}),
                json!({"count/pods": "0", "secrets": "1"}),
            ),
        ];
        let expected = vec![json!({"pods": "2"}), json!({"count/pods": "1", "secrets": "1"})];
        assert_eq!(charged(quotas, json!({})), Ok(expected));
    }

    #[test]
    fn refusals_are_worded_as_in_kubernetes() {
        let container = json!({"spec": {"containers": [
            {"name": "c", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}},
        ]}});
        let table = [
            (
                mk_quota("q", json!({"pods": "2"}), json!({"pods": "2"})),
                "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2",
            ),
            (
                mk_quota(
                    "q",
                    json!({"limits.cpu": "3", "requests.cpu": "1500m"}),
                    json!({"limits.cpu": "2", "requests.cpu": "1"}),
                ),
                "exceeded quota: q, requested: limits.cpu=2,requests.cpu=1, used: limits.cpu=2,requests.cpu=1, \
                 limited: limits.cpu=3,requests.cpu=1500m",
            ),
            (
                mk_quota("q", json!({"limits.memory": "1Gi"}), json!({"limits.memory": "0"})),
                "failed quota: q: must specify limits.memory for: c",
            ),
            (mk_quota("q", json!({"pods": "2"}), json!({})), "status unknown for quota: q, resources: pods"),
        ];
        for (quota, expected) in table {
            let refused = charged(vec![quota], container.clone()).unwrap_err();
            assert_eq!(refused, format!("pods \"p\" is forbidden: {expected}"));
        }
    }
}
