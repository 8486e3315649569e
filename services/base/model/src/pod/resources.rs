//! What a pod needs and may use, and the class of service that follows.

use std::collections::BTreeMap;

use keelson_proto::core::{Container, Pod};

use crate::container::is_sidecar;
use crate::quantity::Quantity;
use crate::resources::{Amounts, CPU, MEMORY, ResourceList, Resources, Sum, amounts, quantity};

/// What the pod asks a node for: the sum of its containers and sidecars, or what it needs while one of its init
/// containers runs if that is more; plus the pod's own overhead.
pub fn requests(pod: &Pod) -> Resources {
    total(pod, |container| Resources::of(&container.resources.requests), Resources::of(&pod.spec.overhead))
}

/// What the pod may use at most, counted as in [`requests`]; a container without a limit counts as zero.
pub fn limits(pod: &Pod) -> Resources {
    total(pod, |container| Resources::of(&container.resources.limits), Resources::of(&pod.spec.overhead))
}

/// The same as [`requests`], resource by resource and to the billionth.
pub fn requested(pod: &Pod) -> Amounts {
    total(pod, |container| amounts(&container.resources.requests), amounts(&pod.spec.overhead))
}

/// The same as [`limits`], resource by resource and to the billionth; what no container limits is not there.
pub fn limited(pod: &Pod) -> Amounts {
    total(pod, |container| amounts(&container.resources.limits), amounts(&pod.spec.overhead))
}

fn total<T: Sum>(pod: &Pod, amounts: impl Fn(&Container) -> T, overhead: T) -> T {
    let mut sidecars = T::default();
    let mut peak = T::default();
    for container in &pod.spec.init_containers {
        let mut step = amounts(container);
        if is_sidecar(container) {
            sidecars.add(&step);
            step = sidecars.clone();
        } else {
            step.add(&sidecars);
        }
        peak.raise(&step);
    }
    let mut sum = sidecars;
    for container in &pod.spec.containers {
        sum.add(&amounts(container));
    }
    sum.raise(&peak);
    sum.add(&overhead);
    sum
}

/// The class of service: `Guaranteed` if each container limits cpu and memory and requests as much,
/// `BestEffort` if none asks for anything, `Burstable` otherwise.
pub fn qos_class(pod: &Pod) -> &'static str {
    let mut requests = BTreeMap::new();
    let mut limits = BTreeMap::new();
    let mut all_limited = true;
    for container in super::all_containers(pod) {
        accumulate(&container.resources.requests, &mut requests);
        let limited = accumulate(&container.resources.limits, &mut limits);
        all_limited &= limited == 2;
    }
    if requests.is_empty() && limits.is_empty() {
        "BestEffort"
    } else if all_limited && requests == limits {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// Adds what the list says of cpu and memory to `sums`; how many of the two it names.
fn accumulate(list: &ResourceList, sums: &mut BTreeMap<&'static str, Quantity>) -> usize {
    let mut named = 0;
    for name in [CPU, MEMORY] {
        let Some(amount) = list.get(name).and_then(quantity).filter(|amount| *amount > Quantity::default())
        else {
            continue;
        };
        named += 1;
        let sum = sums.entry(name).or_default();
        *sum += amount;
    }
    named
}
