//! `DefaultTolerationSeconds`: a pod stays for a while on a node that is lost, unless it says otherwise.

use keelson_api_store::Compare;
use keelson_base_model::status::ApiError;
use keelson_proto::core::{Pod, Toleration};

use super::{Ask, Plugin, Subject};

/// The taints of nodes that say that they cannot, or do not answer.
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const NO_EXECUTE: &str = "NoExecute";

/// Adds tolerations for nodes that are lost, in seconds.
pub(super) struct DefaultTolerationSeconds {
    /// While the node says that it is not ready.
    pub(super) not_ready: i64,
    /// While it says nothing.
    pub(super) unreachable: i64,
}

// === impl DefaultTolerationSeconds ===

impl Plugin for DefaultTolerationSeconds {
    fn admit(&self, _: Ask<'_>, new: &mut dyn Subject, _: &mut Vec<Compare>) -> Result<(), ApiError> {
        if let Some(pod) = new.of_mut::<Pod>() {
            tolerate(&mut pod.spec.tolerations, NOT_READY, self.not_ready);
            tolerate(&mut pod.spec.tolerations, UNREACHABLE, self.unreachable);
        }
        Ok(())
    }
}

fn tolerate(tolerations: &mut Vec<Toleration>, taint: &str, seconds: i64) {
    let says = |one: &Toleration| {
        (one.key == taint || one.key.is_empty()) && (one.effect == NO_EXECUTE || one.effect.is_empty())
    };
    if !tolerations.iter().any(says) {
        tolerations.push(Toleration {
            key: taint.to_owned(),
            operator: "Exists".to_owned(),
            effect: NO_EXECUTE.to_owned(),
            toleration_seconds: Some(seconds),
            ..Toleration::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_pod_gets_the_tolerations_that_it_does_not_say() {
        let given = |key: &str, effect: &str| json!({"key": key, "operator": "Exists", "effect": effect});
        let added = |key: &str| json!({"key": key, "operator": "Exists", "effect": NO_EXECUTE, "tolerationSeconds": 7});
        let (not_ready, unreachable) = (NOT_READY, UNREACHABLE);
        let table: [(Vec<Value>, Vec<Value>); 5] = [
            (vec![], vec![added(not_ready), added(unreachable)]),
            (vec![given(not_ready, NO_EXECUTE)], vec![added(unreachable)]),
            (vec![given(not_ready, "NoSchedule")], vec![added(not_ready), added(unreachable)]),
            (vec![json!({"key": unreachable, "operator": "Exists"})], vec![added(not_ready)]),
            (vec![json!({"operator": "Exists"})], vec![]),
        ];
        for (before, more) in table {
            let mut tolerations = serde_json::from_value(json!(before)).unwrap();
            for taint in [NOT_READY, UNREACHABLE, NOT_READY, UNREACHABLE] {
                tolerate(&mut tolerations, taint, 7);
            }
            let expected: Vec<_> = before.into_iter().chain(more).collect();
            assert_eq!(serde_json::to_value(&tolerations).unwrap(), json!(expected));
        }
    }
}
