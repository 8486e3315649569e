//! What the kubelet says of its node. Pure.

use jiff::Timestamp;
use keelson_proto::core::{DaemonEndpoint, NodeAddress, NodeCondition, NodeStatus, NodeSystemInfo};

use super::Facts;
use super::machine::architecture;
use super::pressure::Pressure;

/// The Kubernetes version that Keelson reports everywhere.
const VERSION: &str = "v1.33.0";

/// The status now. Conditions keep their times where nothing changed; conditions of others stay.
pub(super) fn compute(
    before: &NodeStatus,
    facts: &Facts,
    pressure: &Pressure,
    fault: Option<&str>,
    now: Timestamp,
) -> NodeStatus {
    let mut status = before.clone();
    status.capacity.extend(facts.capacity.clone());
    status.allocatable.extend(facts.capacity.clone());
    status.addresses = addresses(facts);
    status.daemon_endpoints.kubelet_endpoint = DaemonEndpoint { port: i32::from(facts.port) };
    status.node_info = info(facts);
    let ours = conditions(pressure, fault);
    let others = before.conditions.iter().filter(|c| ours.iter().all(|own| own.r#type != c.r#type));
    let others: Vec<NodeCondition> = others.cloned().collect();
    let timed = ours.into_iter().map(|condition| with_times(condition, before, now));
    status.conditions = timed.chain(others).collect();
    status
}

/// Marks every condition of the kubelet as checked now.
pub(super) fn stamp(status: &mut NodeStatus, now: Timestamp) {
    let ours = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];
    for condition in &mut status.conditions {
        if ours.contains(&condition.r#type.as_str()) {
            condition.last_heartbeat_time = Some(now.into());
        }
    }
}

/// Whether the status says that the node is ready.
pub(super) fn is_ready(status: &NodeStatus) -> bool {
    status.conditions.iter().any(|condition| condition.r#type == "Ready" && condition.status == "True")
}

fn with_times(mut condition: NodeCondition, before: &NodeStatus, now: Timestamp) -> NodeCondition {
    let last = before.conditions.iter().find(|last| last.r#type == condition.r#type);
    condition.last_heartbeat_time = last.and_then(|last| last.last_heartbeat_time);
    condition.last_transition_time = match last {
        Some(last) if last.status == condition.status => last.last_transition_time,
        _ => Some(now.into()),
    };
    condition
}

fn conditions(pressure: &Pressure, fault: Option<&str>) -> Vec<NodeCondition> {
    let condition = |kind: &str, holds: bool, reason: &str, message: &str| NodeCondition {
        r#type: kind.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        ..NodeCondition::default()
    };
    let short = |kind, holds, [yes, no]: [&str; 2], [long_yes, long_no]: [&str; 2]| {
        if holds { condition(kind, true, yes, long_yes) } else { condition(kind, false, no, long_no) }
    };
    let ready = match fault {
        None => condition("Ready", true, "KubeletReady", "kubelet is posting ready status"),
        Some(fault) => {
            condition("Ready", false, "KubeletNotReady", &format!("container runtime is down: {fault}"))
        }
    };
    vec![
        short(
            "MemoryPressure",
            pressure.memory.is_some(),
            ["KubeletHasInsufficientMemory", "KubeletHasSufficientMemory"],
            ["kubelet has insufficient memory available", "kubelet has sufficient memory available"],
        ),
        short(
            "DiskPressure",
            pressure.disk.is_some(),
            ["KubeletHasDiskPressure", "KubeletHasNoDiskPressure"],
            ["kubelet has disk pressure", "kubelet has no disk pressure"],
        ),
        short(
            "PIDPressure",
            pressure.pids.is_some(),
            ["KubeletHasInsufficientPID", "KubeletHasSufficientPID"],
            ["kubelet has insufficient PID available", "kubelet has sufficient PID available"],
        ),
        ready,
    ]
}

fn addresses(facts: &Facts) -> Vec<NodeAddress> {
    let address = |kind: &str, address: String| NodeAddress { r#type: kind.to_owned(), address };
    let ips = facts.addresses.iter().map(|ip| address("InternalIP", ip.to_string()));
    ips.chain([address("Hostname", facts.name.clone())]).collect()
}

pub(crate) fn info(facts: &Facts) -> NodeSystemInfo {
    let (machine, runtime) = (&facts.machine, &facts.runtime);
    NodeSystemInfo {
        machine_id: machine.machine_id.clone(),
        system_uuid: machine.system_uuid.clone(),
        boot_id: machine.boot_id.clone(),
        kernel_version: machine.kernel.clone(),
        os_image: if runtime.os_image.is_empty() { &machine.os_image } else { &runtime.os_image }.clone(),
        container_runtime_version: format!("{}://{}", runtime.name, runtime.version),
        kubelet_version: VERSION.to_owned(),
        kube_proxy_version: VERSION.to_owned(),
        operating_system: "linux".to_owned(),
        architecture: architecture().to_owned(),
        ..NodeSystemInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::node::{Machine, Shortage};
    use crate::runtime::RuntimeInfo;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn mk_facts() -> Facts {
        let mut config = Config::new("n1", "/tmp");
        config.node_ips = vec!["192.0.2.7".parse().unwrap()];
        config.capacity.insert("cpu".to_owned(), "32".to_owned());
        let machine = Machine { cpus: 2, memory: 4 << 30, disk: 9 << 30, ..Machine::default() };
        Facts::new(
            &config,
            machine,
            RuntimeInfo { name: "docker".into(), version: "20.10".into(), os_image: String::new() },
        )
    }

    fn condition<'a>(status: &'a NodeStatus, kind: &str) -> &'a NodeCondition {
        status.conditions.iter().find(|condition| condition.r#type == kind).unwrap()
    }

    #[test]
    fn a_node_says_what_it_has() {
        let status = compute(&NodeStatus::default(), &mk_facts(), &Pressure::default(), None, at(5));
        let amount = |name: &str| status.capacity[name].string.as_str();
        assert_eq!((amount("cpu"), amount("memory"), amount("pods")), ("32", "4Gi", "110"));
        assert_eq!(status.allocatable, status.capacity);
        assert_eq!(status.addresses[0].address, "192.0.2.7");
        assert_eq!(status.node_info.container_runtime_version, "docker://20.10");
        assert_eq!(status.daemon_endpoints.kubelet_endpoint.port, 10250);
        assert!(is_ready(&status));
        let kinds: Vec<_> =
            status.conditions.iter().map(|c| (c.r#type.as_str(), c.status.as_str())).collect();
        let expected = [
            ("MemoryPressure", "False"),
            ("DiskPressure", "False"),
            ("PIDPressure", "False"),
            ("Ready", "True"),
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn nothing_changes_while_nothing_changes() {
        let facts = mk_facts();
        let mut first = compute(&NodeStatus::default(), &facts, &Pressure::default(), None, at(5));
        stamp(&mut first, at(5));
        assert_eq!(compute(&first, &facts, &Pressure::default(), None, at(99)), first);
        let later = compute(&first, &facts, &Pressure::default(), Some("no answer"), at(99));
        let ready = condition(&later, "Ready");
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "KubeletNotReady"));
        assert_eq!(ready.message, "container runtime is down: no answer");
        assert_eq!(ready.last_transition_time, Some(at(99).into()));
        assert_eq!(condition(&later, "DiskPressure").last_transition_time, Some(at(5).into()));
    }

    #[test]
    fn what_others_said_stays_and_what_they_said_of_us_is_put_right() {
        let facts = mk_facts();
        let mut before = compute(&NodeStatus::default(), &facts, &Pressure::default(), None, at(5));
        before.conditions[3].status = "Unknown".to_owned();
        before.conditions.push(NodeCondition { r#type: "Route".to_owned(), ..NodeCondition::default() });
        let pressure = Pressure { memory: Some(Shortage::default()), ..Pressure::default() };
        let after = compute(&before, &facts, &pressure, None, at(50));
        assert_eq!(after.conditions[4].r#type, "Route");
        assert_eq!(condition(&after, "Ready").status, "True");
        assert_eq!(condition(&after, "Ready").last_transition_time, Some(at(50).into()));
        assert_eq!(condition(&after, "MemoryPressure").reason, "KubeletHasInsufficientMemory");
    }
}
