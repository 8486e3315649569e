//! What objects use of a quota, and whether there is enough left.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};

use keelson_proto::Kind;
use keelson_proto::core::{PersistentVolumeClaim, Pod, ResourceQuota, Service};
use keelson_proto::meta::Time;

use super::scopes;
use crate::pod;
use crate::quantity::{Format, Quantity};
use crate::resources::{Amounts, EPHEMERAL_STORAGE, PODS, STORAGE, amounts};

/// Kinds that a quota also knows by their bare plural.
const BARE: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];

/// What each container must say if a quota limits it.
const SPECIFIED: &[&str] =
    &["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// The annotation that names the class of a claim's storage, before there was a field.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// An object of a namespace, as quotas count it.
#[derive(Clone, Copy)]
pub struct Counted<'a> {
    /// Its kind.
    pub kind: &'static Kind,
    /// The object, where more than its being there counts: pods, services and claims.
    pub object: &'a dyn Any,
}

/// A quota that has not enough left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excess {
    /// What is asked for.
    pub requested: Amounts,
    /// What is used already.
    pub used: Amounts,
    /// What there is in all.
    pub limited: Amounts,
}

// === impl Counted ===

impl Counted<'_> {
    /// What the object uses at the time `now`, by the names that quotas have for it.
    fn uses(&self, now: Time) -> Amounts {
        let mut uses = counts_of(self.kind);
        if let Some(pod) = self.object.downcast_ref::<Pod>() {
            if is_charged(pod, now) {
                uses.extend(of_pod(pod));
            }
        } else if let Some(service) = self.object.downcast_ref::<Service>() {
            uses.extend(of_service(service));
        } else if let Some(claim) = self.object.downcast_ref::<PersistentVolumeClaim>() {
            uses.extend(of_claim(claim));
        }
        uses
    }
}

/// Whether a quota counts the object: it limits something of the kind, and the object is in its scopes.
pub fn matches(quota: &ResourceQuota, counted: Counted<'_>) -> bool {
    let in_scope = match counted.object.downcast_ref::<Pod>() {
        Some(pod) => scopes::met_by(pod, &quota.spec),
        None => !scopes::any(&quota.spec),
    };
    in_scope && quota.spec.hard.keys().any(|name| covers(name, counted.kind))
}

/// Whether this resource of a quota depends on objects of the kind.
pub fn covers(name: &str, kind: &Kind) -> bool {
    if name == count_of(kind) || kind.group.is_empty() && BARE.contains(&kind.plural) && name == kind.plural {
        return true;
    }
    if !kind.group.is_empty() || name.starts_with("count/") {
        return false;
    }
    let of_claims = name == "requests.storage" || name.contains(".storageclass.storage.k8s.io/");
    match kind.plural {
        "pods" => !of_claims && !name.starts_with("services") && !BARE.contains(&name),
        "services" => name.starts_with("services."),
        "persistentvolumeclaims" => of_claims,
        _ => false,
    }
}

/// What the objects use of what the quota limits, at the time `now`; zero of what none of them uses.
pub fn used_of<'a>(
    quota: &ResourceQuota,
    objects: impl IntoIterator<Item = Counted<'a>>,
    now: Time,
) -> Amounts {
    let mut used: Amounts =
        quota.spec.hard.iter().map(|(name, hard)| (name.clone(), zero_like(hard.into()))).collect();
    for counted in objects {
        if !matches(quota, counted) {
            continue;
        }
        for (name, amount) in counted.uses(now) {
            if let Some(sum) = used.get_mut(&name) {
                *sum += amount;
            }
        }
    }
    used
}

/// What `new` uses of the quota beyond what `old` did; nothing of what becomes less.
pub fn increase(quota: &ResourceQuota, old: Option<Counted<'_>>, new: Counted<'_>, now: Time) -> Amounts {
    let before = old.filter(|old| matches(quota, *old)).map(|old| old.uses(now)).unwrap_or_default();
    let mut more = new.uses(now);
    more.retain(|name, amount| {
        *amount -= before.get(name).copied().unwrap_or_default();
        quota.spec.hard.contains_key(name) && *amount > Quantity::ZERO
    });
    more
}

/// The names of what the quota limits and knows no use of yet, among those in `increase`.
pub fn names_of(increase: &Amounts, quota: &ResourceQuota) -> Vec<String> {
    increase.keys().filter(|name| !quota.status.used.contains_key(*name)).cloned().collect()
}

/// The quota's use with `increase` added, or where that is too much.
///
/// # Errors
/// What does not fit.
pub fn exceeded(quota: &ResourceQuota, increase: &Amounts) -> Result<Amounts, Excess> {
    let hard = amounts(&quota.spec.hard);
    let mut used = amounts(&quota.status.used);
    let mut excess = Excess::default();
    for (name, more) in increase {
        let (before, most) = (used.get(name).copied().unwrap_or_default(), hard.get(name).copied());
        let Some(most) = most.filter(|most| before + *more > *most) else {
            used.insert(name.clone(), before + *more);
            continue;
        };
        excess.requested.insert(name.clone(), *more);
        excess.used.insert(name.clone(), before);
        excess.limited.insert(name.clone(), most);
    }
    if excess == Excess::default() { Ok(used) } else { Err(excess) }
}

/// The resources of a quota that every container of a pod must say something of.
pub fn constrained(quota: &ResourceQuota) -> Vec<&'static str> {
    SPECIFIED.iter().copied().filter(|name| quota.spec.hard.contains_key(*name)).collect()
}

/// What the pod's containers leave open of these resources: "must specify limits.cpu for: web". None if nothing.
pub fn must_specify(pod: &Pod, resources: &[&'static str]) -> Option<String> {
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in pod::all_containers(pod) {
        for resource in resources {
            let (list, name) = match resource.split_once('.') {
                Some(("limits", name)) => (&container.resources.limits, name),
                Some((_, name)) => (&container.resources.requests, name),
                None => (&container.resources.requests, *resource),
            };
            if !list.contains_key(name) {
                missing.entry(resource).or_default().insert(&container.name);
            }
        }
    }
    let each = missing.into_iter().map(|(resource, names)| {
        let names: Vec<_> = names.into_iter().collect();
        format!("{resource} for: {}", names.join(","))
    });
    let all: Vec<_> = each.collect();
    (!all.is_empty()).then(|| format!("must specify {}", all.join("; ")))
}

/// Nothing, written like the amount that it is compared with.
fn zero_like(amount: Quantity) -> Quantity {
    Quantity::from_value(0, amount.format())
}

fn one() -> Quantity {
    whole(1)
}

fn whole(number: usize) -> Quantity {
    Quantity::from_value(i64::try_from(number).unwrap_or(i64::MAX), Format::DecimalSi)
}

/// `count/pods`, `count/leases.coordination.k8s.io`.
fn count_of(kind: &Kind) -> String {
    match kind.group {
        "" => format!("count/{}", kind.plural),
        group => format!("count/{}.{group}", kind.plural),
    }
}

/// What every object of the kind counts for.
fn counts_of(kind: &Kind) -> Amounts {
    let bare = kind.group.is_empty() && BARE.contains(&kind.plural);
    let names = bare.then(|| kind.plural.to_owned()).into_iter().chain([count_of(kind)]);
    names.map(|name| (name, one())).collect()
}

/// Whether a pod is charged for more than its being there: not once it has ended, nor when its node lets it hang on
/// after its grace.
fn is_charged(pod: &Pod, now: Time) -> bool {
    let meta = &pod.metadata;
    let overdue = match (meta.deletion_timestamp, meta.deletion_grace_period_seconds) {
        (Some(ends), Some(grace)) => ends.seconds.saturating_add(grace) < now.seconds,
        _ => false,
    };
    !pod::is_terminal(pod) && !overdue
}

fn of_pod(pod: &Pod) -> Amounts {
    let mut uses = Amounts::from([(PODS.to_owned(), one())]);
    for (name, amount) in pod::requested(pod) {
        if matches!(name.as_str(), "cpu" | "memory" | EPHEMERAL_STORAGE) || name.starts_with("hugepages-") {
            uses.insert(name.clone(), amount);
        }
        uses.insert(format!("requests.{name}"), amount);
    }
    for (name, amount) in pod::limited(pod) {
        if matches!(name.as_str(), "cpu" | "memory" | EPHEMERAL_STORAGE) {
            uses.insert(format!("limits.{name}"), amount);
        }
    }
    uses
}

fn of_service(service: &Service) -> Amounts {
    let spec = &service.spec;
    let ports = match spec.r#type.as_str() {
        "NodePort" => spec.ports.len(),
        "LoadBalancer" if spec.allocate_load_balancer_node_ports == Some(false) => {
            spec.ports.iter().filter(|port| port.node_port != 0).count()
        }
        "LoadBalancer" => spec.ports.len(),
        _ => 0,
    };
    let balancers = usize::from(spec.r#type == "LoadBalancer");
    Amounts::from([
        ("services.nodeports".to_owned(), whole(ports)),
        ("services.loadbalancers".to_owned(), whole(balancers)),
    ])
}

fn of_claim(claim: &PersistentVolumeClaim) -> Amounts {
    let mut uses = Amounts::new();
    let class = claim.metadata.annotations.get(CLASS).or(claim.spec.storage_class_name.as_ref());
    let of_class =
        class.filter(|class| !class.is_empty()).map(|class| format!("{class}.storageclass.storage.k8s.io"));
    if let Some(of_class) = &of_class {
        uses.insert(format!("{of_class}/persistentvolumeclaims"), one());
    }
    if let Some(storage) = amounts(&claim.spec.resources.requests).get(STORAGE) {
        uses.insert("requests.storage".to_owned(), *storage);
        uses.extend(of_class.map(|of_class| (format!("{of_class}/requests.storage"), *storage)));
    }
    uses
}

#[cfg(test)]
mod tests;
