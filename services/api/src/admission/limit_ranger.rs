//! `LimitRanger`: containers get the requests and limits that their namespace has for them, and nothing exceeds what it
//! allows.

mod constraint;
mod defaults;

use std::sync::Arc;

use keelson_api_store::Compare;
use keelson_base_model::limitrange::limit_type;
use keelson_base_model::pod;
use keelson_base_model::resources::amounts;
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::{LimitRange, PersistentVolumeClaim, Pod};

use self::constraint::Asked;
use super::{Ask, Lookups, Plugin, Subject, in_namespace};
use crate::cache::Cache;

/// Keeps pods and claims within the limit ranges of their namespace.
pub(super) struct LimitRanger {
    ranges: Arc<Cache>,
}

// === impl LimitRanger ===

impl LimitRanger {
    pub(super) fn new(lookups: &Lookups) -> Self {
        Self { ranges: lookups.limit_ranges.clone() }
    }

    fn check(&self, subject: &dyn Subject) -> Result<(), ApiError> {
        let is_limited = subject.kind() == Pod::KIND || subject.kind() == PersistentVolumeClaim::KIND;
        if !is_limited {
            return Ok(());
        }
        for range in in_namespace::<LimitRange>(&self.ranges, &subject.meta().namespace)? {
            let faults = subject
                .of()
                .map(|pod| of_pod(pod, &range))
                .or_else(|| subject.of().map(|claim| of_claim(claim, &range)));
            let why = match faults.unwrap_or_default().as_slice() {
                [] => continue,
                [one] => one.clone(),
                several => format!("[{}]", several.join(", ")),
            };
            return Err(ApiError::forbidden(subject.kind(), &subject.meta().name, why));
        }
        Ok(())
    }
}

impl Plugin for LimitRanger {
    fn admit(&self, _: Ask<'_>, new: &mut dyn Subject, _: &mut Vec<Compare>) -> Result<(), ApiError> {
        let Some(pod) = new.of_mut::<Pod>() else { return Ok(()) };
        for range in in_namespace::<LimitRange>(&self.ranges, &pod.metadata.namespace)? {
            defaults::set(pod, &range);
        }
        Ok(())
    }

    fn validate(&self, _: Ask<'_>, new: &dyn Subject) -> Result<(), ApiError> {
        self.check(new)
    }

    /// A pod's containers never change what they ask for; claims may grow.
    fn update(&self, _: Ask<'_>, new: &dyn Subject, old: &dyn Subject) -> Result<(), ApiError> {
        match (new.of::<PersistentVolumeClaim>(), old.of::<PersistentVolumeClaim>()) {
            (Some(after), Some(before)) if after.spec != before.spec => self.check(new),
            _ => Ok(()),
        }
    }
}

/// What is wrong with a pod.
fn of_pod(pod: &Pod, range: &LimitRange) -> Vec<String> {
    let mut faults = Vec::new();
    for limits in &range.spec.limits {
        match limits.r#type.as_str() {
            limit_type::CONTAINER => {
                let regular = pod.spec.containers.iter().chain(&pod.spec.init_containers);
                faults.extend(regular.flat_map(|container| {
                    let requests = amounts(&container.resources.requests);
                    let limited = amounts(&container.resources.limits);
                    Asked { requests, limits: Some(limited) }.faults(limits)
                }));
            }
            limit_type::POD => {
                let asked = Asked { requests: pod::requested(pod), limits: Some(pod::limited(pod)) };
                faults.extend(asked.faults(limits));
            }
            _ => {}
        }
    }
    faults
}

/// What is wrong with a claim.
fn of_claim(claim: &PersistentVolumeClaim, range: &LimitRange) -> Vec<String> {
    let asked = Asked { requests: amounts(&claim.spec.resources.requests), limits: None };
    let of_claims = range.spec.limits.iter().filter(|limits| limits.r#type == limit_type::CLAIM);
    of_claims.flat_map(|limits| asked.faults(limits)).collect()
}

#[cfg(test)]
mod tests;
