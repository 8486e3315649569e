//! What one item of a limit range says of amounts that are asked for.

use keelson_base_model::quantity::Quantity;
use keelson_base_model::resources::{Amounts, amounts};
use keelson_proto::core::LimitRangeItem;

/// Amounts that a container, a pod or a claim asks for.
pub(super) struct Asked {
    /// What it is to get.
    pub(super) requests: Amounts,
    /// What it may use; None if it cannot say.
    pub(super) limits: Option<Amounts>,
}

// === impl Asked ===

impl Asked {
    /// What is wrong, in Kubernetes' words.
    pub(super) fn faults(&self, item: &LimitRangeItem) -> Vec<String> {
        let of = &item.r#type;
        let mut faults = Vec::new();
        for (name, least) in amounts(&item.min) {
            let told = format!("minimum {name} usage per {of} is {least}");
            faults.extend(self.below(&name, least).map(|fault| told + &fault));
        }
        for (name, most) in amounts(&item.max) {
            let told = format!("maximum {name} usage per {of} is {most}");
            faults.extend(self.above(&name, most).map(|fault| told + &fault));
        }
        for (name, most) in amounts(&item.max_limit_request_ratio) {
            let told = format!("{name} max limit to request ratio per {of} is {most}");
            faults.extend(self.ratio(&name, most).map(|fault| told + &fault));
        }
        faults
    }

    fn request(&self, name: &str) -> Option<Quantity> {
        self.requests.get(name).copied()
    }

    fn limit(&self, name: &str) -> Option<Quantity> {
        self.limits.as_ref()?.get(name).copied()
    }

    fn below(&self, name: &str, least: Quantity) -> Option<String> {
        match (self.request(name), self.limit(name)) {
            (None, _) => Some(".  No request is specified".to_owned()),
            (Some(request), _) if request < least => Some(format!(", but request is {request}")),
            (_, Some(limit)) if limit < least => Some(format!(", but limit is {limit}")),
            _ => None,
        }
    }

    fn above(&self, name: &str, most: Quantity) -> Option<String> {
        match (self.request(name), self.limit(name)) {
            (None, _) if self.limits.is_none() => Some(".  No request is specified".to_owned()),
            (_, None) if self.limits.is_some() => Some(".  No limit is specified".to_owned()),
            (_, Some(limit)) if limit > most => Some(format!(", but limit is {limit}")),
            (Some(request), _) if request > most => Some(format!(", but request is {request}")),
            _ => None,
        }
    }

    fn ratio(&self, name: &str, most: Quantity) -> Option<String> {
        let given = |amount: Option<Quantity>| amount.filter(|amount| !amount.is_zero());
        let Some(request) = given(self.request(name)) else {
            return Some(", but no request is specified or request is 0".to_owned());
        };
        let Some(limit) = given(self.limit(name)) else {
            return Some(", but no limit is specified or limit is 0".to_owned());
        };
        let ratio = limit.as_f64() / request.as_f64();
        (ratio > most.as_f64()).then(|| format!(", but provided ratio is {ratio:.6}"))
    }
}
