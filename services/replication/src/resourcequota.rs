//! The resource quota loop: what quotas say is used is what is used.
//!
//! api charges a quota in the very commit that stores an object, so that no quota is ever exceeded; this loop counts
//! what there was before the quota, gives back what is deleted or has ended, and puts right what a process that died has
//! left behind. It counts after having read the quota and writes only if nobody has charged the quota since: what it
//! counts holds every object that was charged for, and it never takes away what somebody else has just taken.

use std::any::Any;
use std::time::Duration;

use futures::future::try_join_all;
use keelson_base_client::{Api, ApiError, Client, Delta, RawApi, WorkQueue};
use keelson_base_model::key::ObjectKey;
use keelson_base_model::pod;
use keelson_base_model::resourcequota::{Counted, covers, used_of};
use keelson_base_model::resources::{self, Amounts};
use keelson_proto::core::{PersistentVolumeClaim, Pod, ResourceQuota, Service};
use keelson_proto::meta::Time;
use keelson_proto::v1::ListRequest;
use keelson_proto::{Bytes, Kind, Object, REGISTERED};

use crate::cache::Caches;
use crate::control::{Next, Reconcile, queue};

/// How long what was given back may wait for more of it.
const SETTLE: Duration = Duration::from_millis(100);

/// How long what was charged may wait to be counted after: api has charged it, as a rule.
const CHECK: Duration = Duration::from_secs(2);

/// Objects in a page of those that are counted.
const PAGE: i64 = 500;

/// The resource quota loop. Its keys are quotas.
pub(crate) struct ResourceQuotaLoop {
    queue: WorkQueue<ObjectKey>,
    caches: Caches,
    quotas: Api<ResourceQuota>,
    /// Every kind that quotas may count.
    kinds: Vec<(&'static Kind, RawApi)>,
}

// === impl ResourceQuotaLoop ===

impl ResourceQuotaLoop {
    /// The loop.
    pub(crate) fn new(client: &Client, caches: Caches) -> Self {
        let kinds = REGISTERED.iter().filter(|kind| kind.namespaced);
        Self {
            queue: queue(),
            caches,
            quotas: client.api(),
            kinds: kinds.map(|kind| (kind, client.raw(kind.service))).collect(),
        }
    }

    /// A quota has changed.
    pub(crate) fn on_quota(&self, delta: &Delta<ResourceQuota>) {
        if let Delta::Applied { new, trace, .. } = delta {
            let delay = if is_counted(new) { CHECK } else { Duration::ZERO };
            self.queue.add_caused_after(ObjectKey::of(&new.metadata), *trace, delay);
        }
    }

    /// A pod has changed, perhaps by ending.
    pub(crate) fn on_pod(&self, delta: &Delta<Pod>) {
        if let Delta::Applied { old: Some(old), new, .. } = delta {
            if pod::is_terminal(new) && !pod::is_terminal(old) {
                self.wake(Pod::KIND, &new.metadata.namespace, SETTLE);
            }
            return;
        }
        self.on_change(delta);
    }

    /// An object of some other kind has changed.
    pub(crate) fn on_change<K: Object>(&self, delta: &Delta<K>) {
        let (metadata, delay) = match delta {
            Delta::Applied { new, .. } => (new.metadata(), CHECK),
            Delta::Deleted { old, .. } => (old.metadata(), SETTLE),
            Delta::Synced => return,
        };
        self.wake(K::KIND, &metadata.namespace, delay);
    }

    fn wake(&self, kind: &Kind, namespace: &str, delay: Duration) {
        for quota in self.caches.quotas.namespace(namespace) {
            if quota.spec.hard.keys().any(|name| covers(name, kind)) {
                self.queue.add_after(ObjectKey::of(&quota.metadata), delay);
            }
        }
    }

    /// All objects of a kind in a namespace, as they are at this revision or later.
    async fn read(&self, api: &RawApi, namespace: &str, since: &str) -> Result<Vec<Bytes>, ApiError> {
        let mut request = ListRequest {
            namespace: namespace.to_owned(),
            resource_version: since.to_owned(),
            resource_version_match: "NotOlderThan".to_owned(),
            limit: PAGE,
            ..ListRequest::default()
        };
        let mut items = Vec::new();
        loop {
            let page = api.list(request.clone()).await?;
            items.extend(page.items);
            let token = page.metadata.map(|metadata| metadata.r#continue).unwrap_or_default();
            if token.is_empty() {
                return Ok(items);
            }
            request.r#continue = token;
            request.resource_version.clear();
            request.resource_version_match.clear();
        }
    }

    /// What is used of a quota, at its own revision or later.
    async fn count(&self, quota: &ResourceQuota) -> Result<Amounts, ApiError> {
        let ObjectKey { namespace, .. } = ObjectKey::of(&quota.metadata);
        let is_counted = |kind: &Kind| quota.spec.hard.keys().any(|name| covers(name, kind));
        let kinds = self.kinds.iter().filter(|(kind, _)| is_counted(kind));
        let read = kinds.map(|(kind, api)| {
            let read = self.read(api, &namespace, &quota.metadata.resource_version);
            async move { Ok::<_, ApiError>((*kind, read.await?)) }
        });
        let mut objects: Vec<(&'static Kind, Box<dyn Any + Send>)> = Vec::new();
        for (kind, items) in try_join_all(read).await? {
            for item in items {
                objects.push((kind, decode(kind, item)?));
            }
        }
        let counted = objects.iter().map(|(kind, object)| Counted { kind, object: &**object });
        Ok(used_of(quota, counted, Time::now()))
    }
}

impl Reconcile for ResourceQuotaLoop {
    const NAME: &'static str = "resourcequota";
    type Key = ObjectKey;

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Next, ApiError> {
        // From api, not the cache: what is counted must be no older than the quota.
        let seen = match self.quotas.namespaced(&key.namespace).get(&key.name).await {
            Ok(seen) => seen,
            Err(error) if error.is_not_found() => return Ok(Next::Event),
            Err(error) => return Err(error),
        };
        let used = self.count(&seen).await?;
        if let Some(right) = corrected(&seen, &used) {
            match self.quotas.update_status(&right).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(Next::Event)
    }
}

/// Whether what is used of all that the quota limits has been counted before.
fn is_counted(quota: &ResourceQuota) -> bool {
    quota.status.hard == quota.spec.hard
        && quota.spec.hard.keys().all(|name| quota.status.used.contains_key(name))
}

/// The quota with its status put right; none if it is.
fn corrected(seen: &ResourceQuota, used: &Amounts) -> Option<ResourceQuota> {
    if is_counted(seen) && resources::amounts(&seen.status.used) == *used {
        return None;
    }
    let mut right = seen.clone();
    right.status.hard.clone_from(&seen.spec.hard);
    right.status.used = resources::list(used);
    Some(right)
}

/// The object, where more than its being there counts.
fn decode(kind: &Kind, item: Bytes) -> Result<Box<dyn Any + Send>, ApiError> {
    fn object<K: Object>(item: Bytes) -> Result<Box<dyn Any + Send>, ApiError> {
        let decoded = K::decode(item)
            .map_err(|error| ApiError::internal(format!("cannot read an object of api's answer: {error}")));
        decoded.map(|object| Box::new(object) as Box<dyn Any + Send>)
    }
    match (kind.group, kind.kind) {
        ("", "Pod") => object::<Pod>(item),
        ("", "Service") => object::<Service>(item),
        ("", "PersistentVolumeClaim") => object::<PersistentVolumeClaim>(item),
        _ => Ok(Box::new(())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn mk_quota(hard: Value, of: Value, used: Value) -> ResourceQuota {
        serde_json::from_value(json!({"spec": {"hard": hard}, "status": {"hard": of, "used": used}})).unwrap()
    }

    #[test]
    fn a_status_is_written_where_it_is_wrong() {
        let two = json!({"pods": "2", "requests.memory": "2Gi"});
        let table = [
            (mk_quota(two.clone(), json!({}), json!({})), true),
            (mk_quota(two.clone(), two.clone(), json!({"pods": "1"})), true),
            (mk_quota(two.clone(), two.clone(), json!({"pods": "1", "requests.memory": "1Gi"})), false),
            (mk_quota(two.clone(), two.clone(), json!({"pods": "1", "requests.memory": "1024Mi"})), false),
            (mk_quota(two.clone(), two.clone(), json!({"pods": "2", "requests.memory": "1Gi"})), true),
            (mk_quota(two, json!({"pods": "2"}), json!({"pods": "1", "requests.memory": "1Gi"})), true),
        ];
        let used = serde_json::from_value(json!({"pods": "1", "requests.memory": "1Gi"})).unwrap();
        for (quota, wrong) in table {
            let right = corrected(&quota, &resources::amounts(&used));
            assert_eq!(right.is_some(), wrong, "{:?}", quota.status);
            if let Some(right) = right {
                assert_eq!((&right.status.hard, &right.status.used), (&quota.spec.hard, &used));
            }
        }
    }
}
