//! `DenyEscalatingExec` and `DenyExecOnPrivileged`: nobody gets into a container that has more of its node than others.

use keelson_base_model::pod;
use keelson_base_model::status::ApiError;
use keelson_proto::core::Pod;

use super::{Connect, Plugin};

/// Keeps everybody out of some pods' containers.
pub(super) struct DenyExec {
    /// Out of those that share their node's processes or IPC, too.
    pub(super) host: bool,
}

// === impl DenyExec ===

impl Plugin for DenyExec {
    fn connect(&self, connect: &Connect<'_>) -> Result<(), ApiError> {
        let Some(pod) = connect.pod.filter(|_| ["exec", "attach"].contains(&connect.subresource)) else {
            return Ok(());
        };
        match self.refusal(pod) {
            None => Ok(()),
            Some(what) => {
                let why = format!("cannot exec into or attach to a {what}");
                Err(ApiError::forbidden(connect.kind, connect.name, why))
            }
        }
    }
}

impl DenyExec {
    fn refusal(&self, pod: &Pod) -> Option<&'static str> {
        if self.host && pod.spec.host_pid {
            Some("container using host pid")
        } else if self.host && pod.spec.host_ipc {
            Some("container using host ipc")
        } else {
            is_privileged(pod).then_some("privileged container")
        }
    }
}

fn is_privileged(pod: &Pod) -> bool {
    pod::all_containers(pod)
        .filter_map(|container| container.security_context.as_ref())
        .any(|context| context.privileged == Some(true))
}

#[cfg(test)]
mod tests {
    use keelson_proto::Object as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::Caller;

    fn refused(plugin: &DenyExec, spec: Value, subresource: &str) -> Option<String> {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap();
        let connect = Connect {
            caller: &Caller::api(),
            kind: Pod::KIND,
            namespace: "default",
            name: "p",
            subresource,
            pod: Some(&pod),
        };
        plugin.connect(&connect).err().map(|error| error.to_string())
    }

    #[test]
    fn who_has_more_of_the_node_is_not_entered() {
        let plain = json!({"containers": [{"name": "c"}]});
        let privileged = json!({"initContainers": [{"name": "c", "securityContext": {"privileged": true}}]});
        let table = [
            (plain, None, None),
            (privileged, Some("privileged container"), Some("privileged container")),
            (json!({"hostPID": true}), Some("container using host pid"), None),
            (json!({"hostIPC": true}), Some("container using host ipc"), None),
        ];
        let message = |what: &str| format!("pods \"p\" is forbidden: cannot exec into or attach to a {what}");
        for (spec, escalating, on_privileged) in table {
            for (host, expected) in [(true, escalating), (false, on_privileged)] {
                let plugin = DenyExec { host };
                let expected = expected.map(message);
                assert_eq!(refused(&plugin, spec.clone(), "exec"), expected, "{spec}");
                assert_eq!(refused(&plugin, spec.clone(), "attach"), expected, "{spec}");
                assert_eq!(refused(&plugin, spec.clone(), "portforward"), None, "{spec}");
            }
        }
    }
}
