//! `SecurityContextDeny`: nobody chooses the user or the SELinux labels of a container.

use keelson_base_model::pod;
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::Pod;

use super::{Ask, Plugin, Subject};

/// Refuses pods that choose who they run as.
pub(super) struct SecurityContextDeny;

// === impl SecurityContextDeny ===

impl Plugin for SecurityContextDeny {
    fn validate(&self, _: Ask<'_>, new: &dyn Subject) -> Result<(), ApiError> {
        let Some(pod) = new.of::<Pod>() else { return Ok(()) };
        match refusal(pod) {
            None => Ok(()),
            Some(what) => {
                Err(ApiError::forbidden(Pod::KIND, &pod.metadata.name, format!("{what} is forbidden")))
            }
        }
    }
}

fn refusal(pod: &Pod) -> Option<&'static str> {
    let of_pod = pod.spec.security_context.iter().flat_map(|context| {
        [
            (!context.supplemental_groups.is_empty(), "pod.Spec.SecurityContext.SupplementalGroups"),
            (context.se_linux_options.is_some(), "pod.Spec.SecurityContext.SELinuxOptions"),
            (context.run_as_user.is_some(), "pod.Spec.SecurityContext.RunAsUser"),
            (context.fs_group.is_some(), "pod.Spec.SecurityContext.FSGroup"),
        ]
    });
    let contexts = pod::all_containers(pod).filter_map(|container| container.security_context.as_ref());
    let of_containers = contexts.flat_map(|context| {
        [
            (context.se_linux_options.is_some(), "SecurityContext.SELinuxOptions"),
            (context.run_as_user.is_some(), "SecurityContext.RunAsUser"),
        ]
    });
    of_pod.chain(of_containers).find_map(|(chosen, what)| chosen.then_some(what))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn nobody_chooses_who_they_run_as() {
        let of_pod = |context: Value| json!({"securityContext": context});
        let of_container =
            |context: Value| json!({"initContainers": [{"name": "c", "securityContext": context}]});
        let table = [
            (of_pod(json!({})), None),
            (of_pod(json!({"runAsNonRoot": true})), None),
            (of_pod(json!({"runAsUser": 1})), Some("pod.Spec.SecurityContext.RunAsUser")),
            (of_pod(json!({"supplementalGroups": [1]})), Some("pod.Spec.SecurityContext.SupplementalGroups")),
            (of_pod(json!({"fsGroup": 1})), Some("pod.Spec.SecurityContext.FSGroup")),
            (of_pod(json!({"seLinuxOptions": {}})), Some("pod.Spec.SecurityContext.SELinuxOptions")),
            (of_container(json!({"privileged": true})), None),
            (of_container(json!({"runAsUser": 0})), Some("SecurityContext.RunAsUser")),
            (of_container(json!({"seLinuxOptions": {"level": "a"}})), Some("SecurityContext.SELinuxOptions")),
        ];
        for (spec, expected) in table {
            let pod: Pod = serde_json::from_value(json!({"spec": spec})).unwrap();
            assert_eq!(refusal(&pod), expected, "{spec}");
        }
    }
}
