//! PodFitsResources: what pods request must fit into what the node offers (1.0 compared limits; requests are today's
//! rule), and so must their number.

use std::borrow::Cow;

use keelson_base_model::resources::{CPU, EPHEMERAL_STORAGE, MEMORY, PODS};

use super::super::Name;
use super::{Amounts, Refusal};
use crate::pod::PodInfo;
use crate::snapshot::NodeInfo;

/// Adds one refusal for each resource that does not suffice. A pod that asks for nothing of a resource is never
/// refused for it, even where others have taken too much.
pub(super) fn check(predicate: &Name, pod: &PodInfo, node: &NodeInfo, refusals: &mut Vec<Refusal>) {
    let (asks, has, load) = (&pod.requests, &node.allocatable, &node.load);
    let mut compare = |resource: Name, requested: i64, used: i64, capacity: i64| {
        if requested <= 0 || i128::from(used) + i128::from(requested) <= i128::from(capacity) {
            return;
        }
        let reason = match resource.as_ref() {
            PODS => Cow::Borrowed("Too many pods"),
            CPU => Cow::Borrowed("Insufficient cpu"),
            MEMORY => Cow::Borrowed("Insufficient memory"),
            other => Cow::Owned(format!("Insufficient {other}")),
        };
        let amounts = Some(Amounts { resource, requested, used, capacity });
        refusals.push(Refusal { predicate: predicate.clone(), reason, amounts });
    };
    if let Some(max_pods) = node.max_pods {
        compare(PODS.into(), 1, load.pod_count(), max_pods);
    }
    compare(CPU.into(), asks.milli_cpu, load.milli_cpu(), has.milli_cpu);
    compare(MEMORY.into(), asks.memory, load.memory(), has.memory);
    let (disk, has_disk) = (asks.ephemeral_storage, has.ephemeral_storage);
    compare(EPHEMERAL_STORAGE.into(), disk, load.ephemeral_storage(), has_disk);
    for (name, &amount) in asks.extended.iter().filter(|(_, amount)| **amount > 0) {
        let capacity = has.extended.get(name).copied().unwrap_or(0);
        compare(Cow::Owned(name.clone()), amount, load.extended(name), capacity);
    }
}
